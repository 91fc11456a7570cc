// The server under measurement: main/all-in-one.ts as a child process on a temporary data directory
// and free ports, with the scripted model at full speed. Promise: `close` leaves nothing behind,
// neither processes nor containers nor files, also after a kill -9.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../main/config.ts';
import type { RuntimeRecord } from '../main/data-directory.ts';
import { removeDataDirectory } from '../main/commands/stop.ts';

const ALL_IN_ONE = fileURLToPath(new URL('../main/all-in-one.ts', import.meta.url));
/** a first start makes two databases on a machine that may be busy, `ms` */
const READY_MS = 120_000;
/** the server promises ten seconds, `ms` */
const STOP_MS = 15_000;
const POLL_MS = 20;
const KEY = 'key-of-the-bench';

export interface ServerOptions {
  /** flags of its Node, such as `--cpu-prof` */
  nodeFlags?: readonly string[];
  /** further settings, HOLDFAST_… */
  settings?: Record<string, string>;
}

export class ServerProcess {
  readonly apiKey = KEY;
  readonly url: string;
  readonly #home: string;
  readonly #port: number;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;

  private constructor(home: string, port: number, options: ServerOptions) {
    this.#home = home;
    this.#port = port;
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts a server of its own; resolves when `/healthz` says that everything is there. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
    // Root's PostgreSQL runs as another user, who must be able to pass.
    chmodSync(home, 0o711);
    const server = new ServerProcess(home, await freePort(), options);
    try {
      await server.startAgain();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Starts the process (again); resolves when it serves. Throws with the end of its log. */
  async startAgain(): Promise<void> {
    const log = openSync(this.#logFile, 'a');
    const { nodeFlags = [] } = this.#options;
    const child = spawn(process.execPath, [...nodeFlags, ALL_IN_ONE], {
      stdio: ['ignore', log, log],
      env: this.#environment(),
    });
    closeSync(log);
    this.#child = child;
    const deadline = performance.now() + READY_MS;
    while (!(await this.#isHealthy())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`the server did not start:\n${this.logTail()}`);
      }
      await pause(POLL_MS);
    }
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Ends the process as `kill -9` does; what runs beside it stays. */
  async kill(): Promise<void> {
    const child = this.#child!;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Asks the process to end, and what runs beside it with it; kills what does not. */
  async stop(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await Promise.race([once(child, 'exit'), pause(STOP_MS, undefined, { ref: false })]);
    if (child.exitCode === null) await this.kill();
  }

  /** What the server wrote down about the processes beside it. */
  runtime(): RuntimeRecord {
    return JSON.parse(readFileSync(join(this.dataDir, 'runtime.json'), 'utf8')) as RuntimeRecord;
  }

  get modelUrl(): string {
    return `http://127.0.0.1:${this.runtime().ports['scripted-model']}`;
  }

  get temporalAddress(): string {
    return `127.0.0.1:${this.runtime().ports['temporal']}`;
  }

  get dataDir(): string {
    return join(this.#home, 'data');
  }

  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-2_000);
  }

  /** Stops everything and removes every trace. */
  async close(): Promise<void> {
    if (this.#child !== undefined) await this.stop();
    try {
      await removeDataDirectory(this.dataDir);
    } finally {
      rmSync(this.#home, { recursive: true, force: true });
    }
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/healthz`);
      await answer.body?.cancel();
      return answer.status === 200;
    } catch {
      return false;
    }
  }

  get #logFile(): string {
    return join(this.#home, 'server.log');
  }

  #environment(): Record<string, string> {
    return {
      ...childEnvironment(),
      HOLDFAST_DATA: this.dataDir,
      HOLDFAST_PORT: String(this.#port),
      HOLDFAST_TEMPORAL_PORT: '0',
      HOLDFAST_TEMPORAL_UI_PORT: '0',
      HOLDFAST_API_KEY: KEY,
      HOLDFAST_SCRIPTED_DELAY_MS: '0',
      HOLDFAST_LOG_LEVEL: 'warn',
      ...this.#options.settings,
    };
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
