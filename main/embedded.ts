// PostgreSQL and Temporal beside the server, both at once, on ports that the data directory
// remembers. Promise: when startEmbedded resolves both serve, under the supervisor. As a program it
// runs only the two and prints where they are: `node main/embedded.ts --data <directory>
// [--temporal-port <port>] [--temporal-ui-port <port>]` (0, the default here, takes free ones).
import { parseArgs } from 'node:util';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { prepareEmbeddedPostgres } from '../store/embedded.ts';
import { openDataDirectory, StartError } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { embeddedTemporal } from './temporal/embedded.ts';
import { createLog } from './log.ts';
import { rememberedPort } from './ports.ts';
import { Supervisor } from './supervisor.ts';
import { connectTemporal } from './temporal/connection.ts';
import { prepareNamespace } from './temporal/namespace.ts';

export interface EmbeddedOptions {
  directory: DataDirectory;
  supervisor: Supervisor;
  log: Logger;
}

export interface EmbeddedTemporalPorts {
  /** 0: any free one, remembered */
  port: number;
  uiPort: number;
  namespace: string;
}

/** Starts or adopts PostgreSQL; resolves with its URL when it answers queries. */
export async function startPostgres(options: EmbeddedOptions): Promise<string> {
  const { directory, supervisor, log } = options;
  const port = await rememberedPort(directory, { child: 'postgres', key: 'postgres', wanted: 0 });
  const server = await supervisor.prepare((signal) =>
    prepareEmbeddedPostgres({ dataDir: directory.path, port, log, signal }),
  );
  await supervisor.start({
    name: 'postgres',
    title: 'PostgreSQL',
    command: server.command,
    user: server.user,
    // Fast shutdown: ends the sessions, then writes a checkpoint.
    stopSignal: 'SIGINT',
    readyTimeoutMs: 60_000,
    ready: server.ready,
    beforeStart: server.beforeStart,
  });
  return server.url;
}

/** Starts or adopts Temporal; resolves with its addresses when it answers. */
export async function startTemporal(
  options: EmbeddedOptions,
  wanted: EmbeddedTemporalPorts,
): Promise<{ address: string; uiUrl: string }> {
  const { directory, supervisor } = options;
  const port = await rememberedPort(directory, {
    child: 'temporal',
    key: 'temporal',
    wanted: wanted.port,
    variable: 'HOLDFAST_TEMPORAL_PORT',
  });
  const uiPort = await rememberedPort(directory, {
    child: 'temporal',
    key: 'temporal-ui',
    wanted: wanted.uiPort,
    variable: 'HOLDFAST_TEMPORAL_UI_PORT',
  });
  const { namespace } = wanted;
  await supervisor.start(embeddedTemporal({ dataDir: directory.path, port, uiPort, namespace }));
  return { address: `127.0.0.1:${port}`, uiUrl: `http://127.0.0.1:${uiPort}` };
}

/** Brings the embedded server's namespace into the shape that sessions need; idempotent. */
export async function prepareEmbeddedNamespace(
  address: string,
  namespace: string,
  log: Logger,
): Promise<void> {
  const connection = await connectTemporal({ address, tls: false, apiKey: null });
  try {
    await prepareNamespace(connection, { namespace, embedded: true, log });
  } finally {
    await connection.close();
  }
}

interface Flags {
  'temporal-port': string;
  'temporal-ui-port': string;
  'no-temporal': boolean;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      'temporal-port': { type: 'string', default: '0' },
      'temporal-ui-port': { type: 'string', default: '0' },
      'no-temporal': { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) throw new StartError('Name a directory: --data <directory>.');
  const log = createLog({ level: 'info', format: 'auto' }, 'embedded');
  const directory = openDataDirectory(resolve(values.data));
  const supervisor = new Supervisor(directory, log);
  const options = { directory, supervisor, log };
  const stop = async (code: number): Promise<void> => {
    await supervisor.stop();
    directory.release();
    process.exit(code);
  };
  process.once('SIGTERM', () => void stop(0));
  process.once('SIGINT', () => void stop(0));
  try {
    await serve(options, values);
  } catch (error) {
    console.error(error instanceof StartError ? error.message : error);
    await stop(1);
  }
}

async function serve(options: EmbeddedOptions, values: Flags): Promise<void> {
  const [databaseUrl, temporal] = await Promise.all([
    startPostgres(options),
    values['no-temporal']
      ? null
      : startTemporal(options, {
          port: Number(values['temporal-port']),
          uiPort: Number(values['temporal-ui-port']),
          namespace: 'default',
        }),
  ]);
  if (temporal) await prepareEmbeddedNamespace(temporal.address, 'default', options.log);
  console.log(JSON.stringify({ databaseUrl, ...temporal }));
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof StartError ? error.message : error);
    process.exit(1);
  });
}
