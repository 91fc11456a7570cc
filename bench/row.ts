// What a row of the bench is: a name, a target of the issue, and a measurement that prints as one
// JSON object. `p50_ms`, `p95_ms`, `baseline_p50_ms`, `ratio` and `slope` mean the same in every
// row.
import type { PlainPlayer } from './plain-player.ts';
import type { ServerProcess } from './server-process.ts';
import type { Sessions } from './sessions.ts';

/** One line of `--json`; a row has the fields that make sense for it. */
export interface Figures {
  name: string;
  p50_ms?: number;
  p95_ms?: number;
  baseline_p50_ms?: number;
  ratio?: number;
  slope?: number;
  [detail: string]: unknown;
}

/** What rows are measured with; the parts are started when a row first asks for them. */
export interface Bench {
  isQuick: boolean;
  server(): Promise<ServerProcess>;
  sessions(): Promise<Sessions>;
  plain(): Promise<PlainPlayer>;
  /** a line for the person who waits */
  say(line: string): void;
}

/** A bound that a figure has to keep. */
export interface Target {
  /** which figure of which row */
  row: string;
  figure: string;
  /** inclusive */
  max?: number;
  min?: number;
  unit?: string;
}

export interface Row {
  /** names of the lines it prints, the first of which `--only` takes */
  names: readonly string[];
  about: string;
  measure(bench: Bench): Promise<Figures[]>;
}

/** The larger size for a real run, the smaller one for a look. */
export function size(bench: Bench, full: number, quick: number): number {
  return bench.isQuick ? quick : full;
}
