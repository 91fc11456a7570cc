// What the suite did and what came of it, one row a kill. Rows go to a file, because test files run
// in processes of their own; the table is printed when all of them are over.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export interface KillRow {
  /** the test file */
  file: string;
  /** what was killed */
  what: string;
  /** the moment, in words */
  when: string;
  /** sessions in the middle of their turn, and all that were under way */
  cut: number;
  sessions: number;
  /** from the kill until the process served again; null where nobody had to start one */
  downMs: number | null;
  /** from the kill to the next event, the session that waited longest; null where none was cut */
  recoveryMs: number | null;
  /** from the kill until every session was idle */
  endMs: number;
  result: string;
  isFailed: boolean;
}

export function addRow(file: string, row: KillRow): void {
  appendFileSync(file, `${JSON.stringify(row)}\n`);
}

export function readRows(file: string): KillRow[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as KillRow);
}

/** The table with its closing line: how many kills, how long until a session went on. */
export function renderRows(rows: readonly KillRow[]): string {
  const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1_000).toFixed(1));
  const cells = rows.map((row, index) => [
    String(index + 1),
    row.what,
    row.when,
    `${row.cut}/${row.sessions}`,
    seconds(row.downMs),
    seconds(row.recoveryMs),
    seconds(row.endMs),
    row.result,
  ]);
  const titles = ['', 'killed', 'when', 'cut', 'down s', 'next event s', 'all idle s', 'result'];
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  const waits = rows.flatMap(({ recoveryMs }) => recoveryMs ?? []).sort((a, b) => a - b);
  const median = seconds(waits[Math.floor(waits.length / 2)] ?? null);
  const failed = rows.filter(({ isFailed }) => isFailed).length;
  const sum =
    `${rows.length} kills, ${rows.length - failed} recovered, ${failed} not; ` +
    `next event after p50 ${median} s, at most ${seconds(waits.at(-1) ?? null)} s`;
  return [line(titles), ...cells.map(line), sum].join('\n');
}
