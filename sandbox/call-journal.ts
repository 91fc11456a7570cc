// Which calls were handed to which life of a container: one line in a file before a call is sent,
// so a restarted host knows that a call may have run. Promise: what `bootOf` says is in the file,
// so it survives a kill -9 of the host; a call that could not be noted is not begun. A power loss
// may take the last lines with it: what is older than the machine's start is in doubt (calls.ts).
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CALL_JOURNAL_LINES_MAX } from '../protocol/limits.ts';

export class CallJournal {
  readonly #path: string;
  readonly #boots: Map<string, string>;
  #lines: number;
  /** the end of the file may be half a line, or a line short */
  #isTorn: boolean;

  constructor(path: string) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    this.#boots = replay(lines);
    this.#lines = lines.length;
    this.#isTorn = lines.at(-1) !== undefined && lines.at(-1) !== '';
  }

  /** The container life a call was handed to, undefined where it never was or is acknowledged. */
  bootOf(callId: string): string | undefined {
    return this.#boots.get(callId);
  }

  /** Records, before it is sent, that a call goes to this life; throws where it cannot. */
  begin(callId: string, bootId: string): void {
    if (this.#boots.get(callId) === bootId) return;
    this.#append(['begin', callId, bootId]);
    this.#boots.set(callId, bootId);
  }

  /** Forgets an acknowledged call; never throws. */
  forget(callId: string): void {
    if (!this.#boots.delete(callId)) return;
    try {
      this.#append(['forget', callId]);
    } catch {
      // The line on disk only makes a restarted host careful, and the next append rewrites it away.
    }
  }

  #append(entry: string[]): void {
    // A sandbox that is only asked about leaves no directory behind.
    if (this.#lines === 0) mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    if (this.#isTorn || this.#lines >= CALL_JOURNAL_LINES_MAX + this.#boots.size) this.#rewrite();
    this.#isTorn = true;
    writeFileSync(this.#path, asLines([entry]), { flag: 'a' });
    this.#isTorn = false;
    this.#lines++;
  }

  #rewrite(): void {
    const entries = [...this.#boots].map(([callId, bootId]) => ['begin', callId, bootId]);
    const path = `${this.#path}.new`;
    writeFileSync(path, asLines(entries));
    renameSync(path, this.#path);
    this.#isTorn = false;
    this.#lines = entries.length;
  }
}

function asLines(entries: string[][]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
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
    // A line cut by a crash or a full disk, before its call was sent.
    return [];
  }
}
