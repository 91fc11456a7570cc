// The server as separate processes: two APIs and two workers over one PostgreSQL and one Temporal,
// with the scripted model in the test's own process, so that it outlives every kill. Each worker
// has a data directory of its own, which makes it a host of its own.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createScriptedModel } from '../../scripted-model/server.ts';
import { removeEverything, temporaryDataDirectory } from '../helpers/server.ts';
import { freePort, Program } from './program.ts';
import type { Place } from './resuming-reader.ts';

const API_KEY = 'key-of-the-chaos-suite';
/** time to the first token: a model that answers at once leaves no moment to hit */
const MODEL_DELAY_MS = 20;

type Directory = ReturnType<typeof temporaryDataDirectory>;

export class Fleet {
  readonly place: Place;
  readonly apis: readonly [Program, Program];
  readonly workers: readonly [Program, Program];
  readonly #beside: Program;
  readonly #model: Server;
  readonly #directories: Directory[];

  private constructor(parts: {
    place: Place;
    apis: readonly [Program, Program];
    workers: readonly [Program, Program];
    beside: Program;
    model: Server;
    directories: Directory[];
  }) {
    this.place = parts.place;
    this.apis = parts.apis;
    this.workers = parts.workers;
    this.#beside = parts.beside;
    this.#model = parts.model;
    this.#directories = parts.directories;
  }

  /**
   * Starts PostgreSQL, Temporal, both APIs and the first worker; the second one is yours to start.
   */
  static async start({ modelDelayMs = MODEL_DELAY_MS } = {}): Promise<Fleet> {
    const model = createScriptedModel({ delayMs: modelDelayMs });
    model.listen(0, '127.0.0.1');
    await once(model, 'listening');
    const directories = Array.from({ length: 5 }, temporaryDataDirectory);
    const [besideDirectory, ...ownDirectories] = directories as [Directory, ...Directory[]];
    const besideCommand = ['main/embedded.ts', '--data', besideDirectory.dataDir];
    const beside = new Program(besideCommand, {}, /"databaseUrl"/);
    const facts = JSON.parse(await beside.start()) as { databaseUrl: string; address: string };
    const shared = {
      HOLDFAST_API_KEY: API_KEY,
      HOLDFAST_DATABASE_URL: facts.databaseUrl,
      HOLDFAST_TEMPORAL_ADDRESS: facts.address,
      HOLDFAST_MODEL_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}`,
    };
    const ports = [await freePort(), await freePort()];
    const program = (file: string, index: number, port?: number): Program =>
      new Program([file], {
        ...shared,
        HOLDFAST_DATA: ownDirectories[index]!.dataDir,
        ...(port === undefined ? {} : { HOLDFAST_PORT: String(port) }),
      });
    const fleet = new Fleet({
      place: { urls: ports.map((port) => `http://127.0.0.1:${port}`), apiKey: API_KEY },
      apis: [program('main/api.ts', 0, ports[0]), program('main/api.ts', 1, ports[1])],
      workers: [program('main/worker.ts', 2), program('main/worker.ts', 3)],
      beside,
      model,
      directories,
    });
    try {
      // One after the other: the first brings the database to the newest schema.
      await fleet.apis[0].start();
      await Promise.all([fleet.apis[1].start(), fleet.workers[0].start()]);
      return fleet;
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  /** Ends every process and removes everything they ever made. */
  async close(): Promise<void> {
    await Promise.all([...this.apis, ...this.workers].map((program) => program.end('SIGTERM')));
    await this.#beside.end('SIGTERM');
    this.#model.closeAllConnections();
    this.#model.close();
    for (const { dataDir, parent } of this.#directories) await removeEverything(dataDir, parent);
  }
}
