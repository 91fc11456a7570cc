// What is made of the figures: a table for people, the list of missed targets, and one file a day
// under bench/results/ with the settings they were taken with.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Figures } from './row.ts';
import { TARGETS } from './rows.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = fileURLToPath(new URL('results', import.meta.url));
/** the columns that every row may have; all else is printed as details */
const COLUMNS = ['p50_ms', 'p95_ms', 'baseline_p50_ms', 'ratio', 'slope'] as const;
const GIBIBYTE = 2 ** 30;

/** A target beside what was measured. */
interface Verdict {
  figure: string;
  value: unknown;
  wanted: string;
  unit: string;
  is_met: boolean;
}

/** Every target of a row, and whether it was kept. */
function verdictsOf(row: Figures): Verdict[] {
  return TARGETS.filter((target) => target.row === row.name).map((target) => {
    const value = row[target.figure];
    const { min = -Infinity, max = Infinity, unit = '' } = target;
    const wanted = target.min === undefined ? `at most ${max}` : `at least ${min}`;
    const is_met = typeof value === 'number' && value >= min && value <= max;
    return { figure: target.figure, value, wanted, unit, is_met };
  });
}

/** One sentence for every figure that is outside its bound. */
export function missesOf(figures: readonly Figures[]): string[] {
  return figures.flatMap((row) =>
    verdictsOf(row)
      .filter(({ is_met }) => !is_met)
      .map(
        ({ figure, value, wanted, unit }) =>
          `${row.name}: ${figure} is ${String(value)}${unit}, wanted ${wanted}${unit}`,
      ),
  );
}

/** Prints one line a row under a head, and the details and targets of each below. */
export function printTable(figures: readonly Figures[]): void {
  const width = Math.max(...figures.map(({ name }) => name.length), 4) + 2;
  const cell = (value: unknown): string => asText(value ?? '-').padStart(16);
  console.log(`${'row'.padEnd(width)}${COLUMNS.map(cell).join('')}`);
  for (const row of figures) {
    console.log(`${row.name.padEnd(width)}${COLUMNS.map((name) => cell(row[name])).join('')}`);
    const details = Object.entries(row).filter(
      ([name]) => name !== 'name' && !COLUMNS.some((column) => column === name),
    );
    for (const [name, value] of details) {
      console.log(`    ${name}: ${asText(value)}`);
    }
    for (const { figure, value, wanted, unit, is_met } of verdictsOf(row)) {
      const mark = is_met ? 'pass' : 'MISS';
      console.log(`    ${mark}  ${figure} ${asText(value)}${unit}, wanted ${wanted}${unit}`);
    }
  }
}

/** Prints a row as one JSON object, with its targets. */
export function printLine(row: Figures): void {
  const targets = verdictsOf(row);
  console.log(JSON.stringify(targets.length === 0 ? row : { ...row, targets }));
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Adds the run to the day's file; returns its path from the project's root. */
export function keepResults(run: {
  startedAt: Date;
  /** of the minute before: what else the machine was doing */
  loadAverage: number;
  figures: readonly Figures[];
  misses: readonly string[];
  isQuick: boolean;
}): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${run.startedAt.toISOString().slice(0, 10)}.json`);
  const runs = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as unknown[]) : [];
  runs.push({
    started_at: run.startedAt.toISOString(),
    took_s: Math.round((Date.now() - run.startedAt.getTime()) / 1_000),
    settings: { ...settings(run.isQuick), load_average: run.loadAverage },
    misses: run.misses,
    rows: run.figures,
  });
  writeFileSync(file, `${JSON.stringify(runs, null, 2)}\n`);
  return relative(ROOT, file);
}

function settings(isQuick: boolean): Record<string, unknown> {
  return {
    size: isQuick ? 'quick' : 'full',
    commit: commit(),
    node: process.version,
    cpus: availableParallelism(),
    cpu: cpus()[0]?.model.trim(),
    memory_gib: Math.round(totalmem() / GIBIBYTE),
  };
}

function commit(): string {
  try {
    const options = { cwd: ROOT, encoding: 'utf8' } as const;
    const id = execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim();
    const changed = execFileSync('git', ['status', '--porcelain', '-uno'], options).trim() !== '';
    return changed ? `${id} with changes` : id;
  } catch {
    return 'unknown';
  }
}
