// What each test of a run saw, as lines in a directory: one file a process, one line a passed test,
// so that processes never write into each other's. Bounded, because only routes and variants that
// the SDK knows are noted, each once a test.

import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../helpers/source-files.ts';

/** Names the directory; unset, nothing is written. */
export const RECORDS_VARIABLE = 'HOLDFAST_TEST_RECORDS';

/** Where the records of the last whole run of the end-to-end suite are kept. */
export const RECORDS_DIRECTORY = join(ROOT, 'node_modules/.cache/holdfast/e2e-records');

export interface TestRecord {
  /** from the root */
  file: string;
  /** with the suites it is in */
  name: string;
  /** where the test begins; from 1 */
  line: number;
  /** `GET /v1/agents 2xx`, `event agent.message`, `sent user.message`; sorted */
  seen: string[];
}

const seen = new Set<string>();

/** Notes something that happened during the current test. */
export function note(kind: 'event' | 'sent' | 'answer', what: string): void {
  seen.add(kind === 'answer' ? what : `${kind} ${what}`);
}

/** Everything noted since the last call, sorted. */
export function takeNotes(): string[] {
  const notes = [...seen].toSorted();
  seen.clear();
  return notes;
}

/** Keeps what one passed test saw, where this run keeps records. */
export function keep(record: TestRecord): void {
  const directory = process.env[RECORDS_VARIABLE];
  if (directory === undefined) return;
  appendFileSync(join(directory, `${process.pid}.jsonl`), `${JSON.stringify(record)}\n`);
}

/** The records of a run, by file and name; none where there was no run. */
export function readRecords(directory = RECORDS_DIRECTORY): TestRecord[] {
  if (!existsSync(directory)) return [];
  const records = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestRecord);
  const key = ({ file, name }: TestRecord): string => `${file}\n${name}`;
  return records.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
