// The embedded Temporal: the dev server of the `temporal` program with a database file below the
// data directory. Its promise is in the settings: as shipped, a limit on how often its queues are
// read makes every activity take 50 ms; with these it is 8 ms, and what it acknowledged survives a
// kill -9.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../config.ts';
import { StartError } from '../data-directory.ts';
import type { ChildSpec } from '../supervisor.ts';
import { connectTemporal } from './connection.ts';

/** where the set-up puts the program when the PATH has none */
const SET_UP_PROGRAM = new URL('../../node_modules/.cache/holdfast/bin/temporal', import.meta.url);

/**
 * Measured with sequential no-op activities: 50 ms each at the shipped 20 polls a second, 8 ms
 * here.
 */
const DYNAMIC_CONFIG: Readonly<Record<string, number>> = {
  'history.transferProcessorMaxPollRPS': 2_000,
  'history.timerProcessorMaxPollRPS': 2_000,
  'history.visibilityProcessorMaxPollRPS': 200,
  // One server, one user: its shipped request limits are meant for many tenants of a cluster.
  'frontend.rps': 20_000,
  'frontend.namespaceRPS': 20_000,
  'matching.rps': 20_000,
  'history.rps': 20_000,
  // One node gains nothing from partitions; each costs a hop when its tasks are forwarded.
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

export interface EmbeddedTemporalOptions {
  dataDir: string;
  port: number;
  uiPort: number;
  namespace: string;
}

/**
 * How to run the server, in the shape the supervisor starts processes by; throws StartError without
 * one.
 */
export function embeddedTemporal(options: EmbeddedTemporalOptions): ChildSpec {
  const directory = join(options.dataDir, 'temporal');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const flags: [string, string | number][] = [
    ['ip', '127.0.0.1'],
    ['port', options.port],
    ['ui-ip', '127.0.0.1'],
    ['ui-port', options.uiPort],
    ['namespace', options.namespace],
    ['db-filename', join(directory, 'holdfast.db')],
    ['sqlite-pragma', 'journal_mode=wal'],
    ['sqlite-pragma', 'synchronous=full'],
    ['log-level', 'error'],
  ];
  for (const [key, value] of Object.entries(DYNAMIC_CONFIG)) {
    flags.push(['dynamic-config-value', `${key}=${value}`]);
  }
  const address = `127.0.0.1:${options.port}`;
  return {
    name: 'temporal',
    title: 'Temporal',
    command: [
      findTemporalProgram(),
      'server',
      'start-dev',
      ...flags.flatMap(([flag, value]) => [`--${flag}`, String(value)]),
    ],
    environment: goSettings(),
    stopSignal: 'SIGTERM',
    readyTimeoutMs: 60_000,
    ready: async () => {
      const connection = await connectTemporal({ address, tls: false, apiKey: null });
      await connection.close();
    },
  };
}

/**
 * How the server's runtime shares the machine (docs/decisions/0009): its work is serial, with one
 * shard and one database connection, so more threads only hand it to and fro between processors
 * that our own processes need; a heap this small is not worth collecting at every doubling.
 */
function goSettings(): Record<string, string> {
  const threads = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
  return { GOMAXPROCS: String(threads), GOGC: '400' };
}

/** The `temporal` program: from the PATH, else the one the set-up fetched. */
export function findTemporalProgram(): string {
  const onPath = (childEnvironment()['PATH'] ?? '').split(delimiter).filter((part) => part !== '');
  const candidates = [
    ...onPath.map((part) => join(part, 'temporal')),
    fileURLToPath(SET_UP_PROGRAM),
  ];
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new StartError(
    'The program `temporal` is not here: run `node setup.mjs`, or set HOLDFAST_TEMPORAL_ADDRESS ' +
      'to a Temporal of your own.',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
