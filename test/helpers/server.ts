// The whole server as users run it: main/all-in-one.ts as a process of its own, on free ports and a
// temporary data directory, with a key of its own and a scripted model that does not wait.
// `close` leaves nothing behind: no process, container, volume, socket or file.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeRecord } from '../../main/data-directory.ts';
import { removeDataDirectory } from '../../main/commands/stop.ts';
import { ROOT } from './source-files.ts';
import { until } from './until.ts';

/** What a test needs to know of a server; plain data, so that it can cross to test processes. */
export interface ServerFacts {
  url: string;
  apiKey: string;
  dataDir: string;
  /** host:port */
  temporalAddress: string;
  temporalUiUrl: string;
  databaseUrl: string;
  /** empty where the server was given a model endpoint */
  scriptedModelUrl: string;
}

export interface TestServer extends ServerFacts {
  readonly pid: number;
  /** every line of its log so far */
  lines(): readonly string[];
  /**
   * Sends the signal and waits for the end; the answer is the exit code, null after a kill. What
   * runs beside the server ends with SIGTERM only.
   */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Starts it again, on the same data directory and the same port. */
  start(): Promise<void>;
  /** Ends it and removes everything it ever made. */
  close(): Promise<void>;
}

type Environment = Record<string, string>;

/** A start takes 3 s on an idle machine; set-up of Docker and images is not part of it. */
const START_MS = 60_000;
const HEALTH_POLL_MS = 50;

/** A new directory for data below the temporary one, through which root's PostgreSQL may pass. */
export function temporaryDataDirectory(): { parent: string; dataDir: string } {
  const parent = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
  chmodSync(parent, 0o711);
  return { parent, dataDir: join(parent, 'data') };
}

/** Starts a server; `environment` adds to the settings or, with an empty text, unsets one. */
export async function startServer(environment: Environment = {}): Promise<TestServer> {
  const { parent, dataDir } = temporaryDataDirectory();
  const apiKey = environment.HOLDFAST_API_KEY ?? `key-${randomBytes(12).toString('hex')}`;
  const settings = { HOLDFAST_API_KEY: apiKey, HOLDFAST_DATA: dataDir, ...environment };
  const run = new ServerRun(settings, { dataDir, parent });
  try {
    await run.start();
  } catch (error) {
    await run.close();
    throw error;
  }
  return run;
}

/**
 * A start that is expected to fail: exit code and output, nothing left behind. One that does not
 * end is killed after a minute, with null for its code. `through` is a command that runs the one it
 * is given.
 */
export async function startInVain(
  environment: Environment,
  through: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
  const { parent, dataDir } = temporaryDataDirectory();
  const lines: string[] = [];
  const child = spawnServer({ HOLDFAST_DATA: dataDir, ...environment }, lines, through);
  const deadline = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    // `close` and not `exit`: its last words have been read by then.
    const [code] = (await once(child, 'close')) as [number | null];
    const unfinished = initialisations(dataDir);
    if (unfinished.length > 0) throw new Error(`it left ${unfinished.join(', ')} behind`);
    return { code, output: lines.join('\n') };
  } finally {
    clearTimeout(deadline);
    await removeEverything(dataDir, parent);
  }
}

/** PostgreSQL's files that are being made; a server that has ended leaves none. */
export function initialisations(dataDir: string): string[] {
  const names = existsSync(dataDir) ? readdirSync(dataDir) : [];
  return names.filter((name) => name.startsWith('postgres.new'));
}

/** Its output is added to `lines`, one entry a line. */
function spawnServer(
  environment: Environment,
  lines: string[],
  through: readonly string[] = [],
): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(HOLDFAST|ANTHROPIC|VITEST|NODE_OPTIONS)/.test(name),
  );
  const [program, ...rest] = [...through, process.execPath, 'main/all-in-one.ts'];
  const child = spawn(program!, rest, {
    cwd: ROOT,
    env: {
      ...Object.fromEntries(inherited),
      HOLDFAST_PORT: '0',
      HOLDFAST_TEMPORAL_PORT: '0',
      HOLDFAST_TEMPORAL_UI_PORT: '0',
      HOLDFAST_SCRIPTED_DELAY_MS: '0',
      HOLDFAST_LOG_FORMAT: 'json',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout!, child.stderr!]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop()!;
      lines.push(...parts);
    });
  }
  return child;
}

class ServerRun implements TestServer {
  url = '';
  temporalAddress = '';
  temporalUiUrl = '';
  databaseUrl = '';
  scriptedModelUrl = '';
  readonly apiKey: string;
  readonly dataDir: string;
  readonly #parent: string;
  readonly #environment: Environment;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;

  constructor(environment: Environment, place: { dataDir: string; parent: string }) {
    this.#environment = environment;
    this.apiKey = environment.HOLDFAST_API_KEY!;
    this.dataDir = place.dataDir;
    this.#parent = place.parent;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  lines(): readonly string[] {
    return this.#lines;
  }

  async start(): Promise<void> {
    // Started again, it is where its clients know it to be.
    const port: Environment = this.url === '' ? {} : { HOLDFAST_PORT: new URL(this.url).port };
    const child = spawnServer({ ...this.#environment, ...port }, this.#lines);
    this.#child = child;
    await until('the server serves', () => this.#serves(child), {
      timeoutMs: START_MS,
      pollMs: HEALTH_POLL_MS,
    });
    this.#readRuntime();
  }

  async #serves(child: ChildProcess): Promise<boolean> {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the server ended while it started:\n${this.#lines.slice(-20).join('\n')}`);
    }
    const server = this.#runtime()?.server;
    if (server?.pid !== child.pid) return false;
    this.url = server!.url;
    return fetch(`${this.url}/healthz`).then(
      (response) => response.ok,
      () => false,
    );
  }

  #runtime(): RuntimeRecord | undefined {
    const file = join(this.dataDir, 'runtime.json');
    if (!existsSync(file)) return undefined;
    return JSON.parse(readFileSync(file, 'utf8')) as RuntimeRecord;
  }

  #readRuntime(): void {
    const ports = this.#runtime()?.ports ?? {};
    const given = this.#environment;
    this.temporalAddress = given.HOLDFAST_TEMPORAL_ADDRESS ?? `127.0.0.1:${ports.temporal}`;
    this.temporalUiUrl = `http://127.0.0.1:${ports['temporal-ui']}`;
    const scripted = ports['scripted-model'];
    this.scriptedModelUrl = scripted === undefined ? '' : `http://127.0.0.1:${scripted}`;
    this.databaseUrl = given.HOLDFAST_DATABASE_URL ?? this.#embeddedDatabase(ports.postgres);
  }

  #embeddedDatabase(port: number | undefined): string {
    const password = readFileSync(join(this.dataDir, 'postgres-password'), 'utf8').trim();
    return `postgres://holdfast:${password}@127.0.0.1:${port}/holdfast`;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.signalCode !== null) return null;
    if (child.exitCode !== null) return child.exitCode;
    const ended = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    const [code] = await ended;
    return code;
  }

  async close(): Promise<void> {
    await this.end();
    await removeEverything(this.dataDir, this.#parent);
  }
}

/** Of a data directory that no server holds any more: processes, containers, files, sockets. */
export async function removeEverything(dataDir: string, parent: string): Promise<void> {
  await removeDataDirectory(dataDir);
  rmSync(parent, { recursive: true, force: true });
  // rmSync gives up without an error when a file vanishes under it.
  if (existsSync(parent)) throw new Error(`something still writes below ${parent}`);
}
