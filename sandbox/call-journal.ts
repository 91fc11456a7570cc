// Which calls were handed to which life of a container: one line in a file before a call is sent,
// so a restarted host knows that a call may have run. Survives kill -9 of the host; not synced to
// disk, as a power loss ends the container and the last seconds of its files as well.
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CALL_JOURNAL_LINES_MAX } from '../protocol/limits.ts';

export class CallJournal {
  readonly #path: string;
  readonly #boots: Map<string, string>;
  #lines: number;

  constructor(path: string) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    this.#boots = replay(lines);
    this.#lines = lines.length;
    // Whatever a crash left half-written must not swallow the next line.
    if (lines.at(-1) !== undefined && lines.at(-1) !== '') this.#rewrite();
  }

  /** The container life a call was handed to, undefined where it never was or is acknowledged. */
  bootOf(callId: string): string | undefined {
    return this.#boots.get(callId);
  }

  /** Records, before it is sent, that a call goes to this life. */
  begin(callId: string, bootId: string): void {
    if (this.#boots.get(callId) === bootId) return;
    this.#boots.set(callId, bootId);
    this.#append(['begin', callId, bootId]);
  }

  /** Forgets an acknowledged call. */
  forget(callId: string): void {
    if (!this.#boots.delete(callId)) return;
    this.#append(['forget', callId]);
  }

  #append(entry: string[]): void {
    if (this.#lines >= CALL_JOURNAL_LINES_MAX + this.#boots.size) return this.#rewrite();
    // A sandbox that is only asked about leaves no directory behind.
    if (this.#lines === 0) mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    this.#lines++;
  }

  #rewrite(): void {
    const entries = [...this.#boots].map(([callId, bootId]) => ['begin', callId, bootId]);
    writeFileSync(
      `${this.#path}.new`,
      entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''),
    );
    renameSync(`${this.#path}.new`, this.#path);
    this.#lines = entries.length;
  }
}

function replay(lines: string[]): Map<string, string> {
  const boots = new Map<string, string>();
  for (const line of lines) {
    const [kind, callId, bootId] = entryOf(line);
    if (typeof callId !== 'string') continue;
    if (kind === 'begin' && typeof bootId === 'string') boots.set(callId, bootId);
    if (kind === 'forget') boots.delete(callId);
  }
  return boots;
}

function entryOf(line: string): unknown[] {
  try {
    const entry: unknown = JSON.parse(line);
    return Array.isArray(entry) ? entry : [];
  } catch {
    // Only the last line can be broken: the host died while it was written, before the call was
    // sent.
    return [];
  }
}
