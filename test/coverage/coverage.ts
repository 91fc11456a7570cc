// Writes docs/coverage.md from the last run of the end-to-end suite, when run as a program; and
// says, for test/run.ts, where the committed page is not what the run has shown. A page that names
// another test than the run would is as good, as long as that test is there and passed.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../helpers/source-files.ts';
import { GAPS_MAX } from './not-yet.ts';
import { pageDifferences, printPage, proofsNamed } from './page.ts';
import { type Coverage, gapsOf, judgeCoverage, proofOf } from './proofs.ts';
import { readRecords, type TestRecord } from './records.ts';
import { textOfTest } from './test-text.ts';

/** The committed page. */
export const PAGE_FILE = join(ROOT, 'docs/coverage.md');

const LAYERS_FILE = join(ROOT, 'test/coverage/layers.md');
const LINES_SHOWN_MAX = 40;

const judge = (records: readonly TestRecord[]): Coverage =>
  judgeCoverage(records.map((record) => ({ ...record, text: textOfTest(record) })));

const print = (coverage: Coverage): string =>
  printPage(coverage, readFileSync(LAYERS_FILE, 'utf8'));

function overtakenBy(coverage: Coverage): string[] {
  return coverage.overtaken.map((key) => `${key} is proven: take it out of not-yet.ts`);
}

/** What the committed page and not-yet.ts say and the last run has not shown; empty when right. */
export function coverageProblems(records = readRecords()): string[] {
  if (records.length === 0) return ['the run left no records of what its tests saw'];
  const committed = readFileSync(PAGE_FILE, 'utf8');
  const coverage = judge(records);
  const passed = new Set(records.map(proofOf));
  const stale = proofsNamed(committed).filter((proof) => !passed.has(proof));
  const problems = [
    ...pageDifferences(committed, print(coverage)),
    ...stale.map((proof) => `the page names a test that is not there or did not pass: ${proof}`),
    ...overtakenBy(coverage),
  ];
  const unshown = problems.length - LINES_SHOWN_MAX;
  if (unshown <= 0) return problems;
  return [...problems.slice(0, LINES_SHOWN_MAX), `and ${unshown} more`];
}

if (import.meta.main) {
  const records = readRecords();
  if (records.length === 0) throw new Error('no run is kept; first: node test/run.ts e2e');
  const coverage = judge(records);
  writeFileSync(PAGE_FILE, print(coverage));
  const gaps = gapsOf(coverage);
  console.log(`wrote ${PAGE_FILE} from ${records.length} tests`);
  for (const gap of gaps) console.log(`no proof: ${gap}`);
  console.log(`${gaps.length} without a proof; not-yet.ts allows ${GAPS_MAX}`);
  const problems = overtakenBy(coverage);
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length === 0 && gaps.length <= GAPS_MAX ? 0 : 1;
}
