// `npm run bench`: measures every row, prints a table, or with `-- --json` one JSON object a line,
// keeps the results under bench/results/, and exits 1 when a target is missed, naming the misses.
// `--only step_gap,turn_start` selects rows, `--quick` makes them short, `--cpu-profile
// <directory>` profiles the server. Progress goes to stderr.
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PlainPlayer } from './plain-player.ts';
import { keepResults, missesOf, printLine, printTable } from './report.ts';
import type { Bench, Figures } from './row.ts';
import { ROWS } from './rows.ts';
import { ServerProcess } from './server-process.ts';
import { Sessions } from './sessions.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    'cpu-profile': { type: 'string' },
  },
});

function say(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
}

/** The parts of a run, each started when a row first asks for it and ended by `cleanup`. */
function openBench(cleanup: AsyncDisposableStack): Bench {
  const once = <T>(open: () => Promise<T>): (() => Promise<T>) => {
    let opened: Promise<T> | undefined;
    return () => (opened ??= open());
  };
  const server = once(async () => {
    say('starting the server');
    const profile = values['cpu-profile'];
    const nodeFlags =
      profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profile)}`];
    const started = await ServerProcess.start({ nodeFlags });
    cleanup.defer(() => started.close());
    return started;
  });
  return {
    isQuick: values.quick,
    say,
    server,
    sessions: once(async () => Sessions.open(await server())),
    plain: once(async () => {
      const player = new PlainPlayer((await server()).modelUrl);
      cleanup.defer(() => player.close());
      return player;
    }),
  };
}

function selectedRows(): typeof ROWS {
  const wanted = values.only?.split(',').map((name) => name.trim());
  if (wanted === undefined) return ROWS;
  const known = ROWS.flatMap(({ names }) => names);
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`--only: there is no row ${unknown}; there are ${known.join(', ')}`);
    process.exit(2);
  }
  return ROWS.filter(({ names }) => names.some((name) => wanted.includes(name)));
}

async function main(): Promise<void> {
  if (values.list) {
    for (const { names, about } of ROWS) console.log(`${names.join(', ')}: ${about}`);
    return;
  }
  const rows = selectedRows();
  const cleanup = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`stopping after ${signal}`);
      void cleanup.disposeAsync().finally(() => process.exit(130));
    });
  }
  const bench = openBench(cleanup);
  const startedAt = new Date();
  const [loadAverage = 0] = loadavg();
  const figures: Figures[] = [];
  const failures: string[] = [];
  try {
    for (const row of rows) {
      try {
        const lines = await row.measure(bench);
        figures.push(...lines);
        if (values.json) for (const line of lines) printLine(line);
      } catch (error) {
        failures.push(`${row.names[0]}: not measured (${String(error)})`);
        say(`${row.names[0]} failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  } finally {
    say('cleaning up');
    await cleanup.disposeAsync();
  }
  const misses = [...failures, ...missesOf(figures)];
  if (!values.json) printTable(figures);
  const file = keepResults({ startedAt, loadAverage, figures, misses, isQuick: values.quick });
  say(`kept in ${file}`);
  for (const miss of misses) say(`MISSED ${miss}`);
  process.exit(misses.length === 0 ? 0 : 1);
}

await main();
