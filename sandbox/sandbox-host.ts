// One machine's sandboxes: the `SandboxHost` on a Docker-compatible engine. Holds one object per
// sandbox it has heard of; everything it needs to go on after a kill -9 is in labels, in the data
// directory and in the runners themselves.
import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { IdleTimes } from './idle-policy.ts';
import type { Logger } from 'pino';
import {
  ENGINE_DOUBT_MS,
  RUNNER_PING_MS,
  SANDBOX_PAUSE_MS,
  SANDBOX_STOP_MS,
} from '../protocol/limits.ts';
import { DEFAULT_LIMITS, LABEL_HOST, LABEL_SANDBOX } from './container-settings.ts';
import { defaultImageName } from './docker-image.ts';
import { Engine } from './docker.ts';
import { DockerSandbox } from './docker-sandbox.ts';
import type { DockerSandboxDeps } from './docker-sandbox.ts';
import { presentSandboxes } from './reconcile.ts';
import { runtimeFiles } from './runtime-files.ts';
import { isSandboxId } from './sandbox-id.ts';
import type {
  CallOptions,
  SandboxHost,
  SandboxLimits,
  SandboxSpec,
  ToolCall,
  ToolOutcome,
} from './sandbox.ts';
import { SandboxFailedError, SandboxGoneError } from './sandbox.ts';
import { socketDirectory, socketPath } from './socket-directory.ts';

export interface SandboxHostOptions {
  dataDir: string;
  /** tells this host's containers from those of others on the same engine */
  hostId: string;
  log: Logger;
  /** path of the engine's socket */
  dockerSocket?: string;
  /** image of sandboxes whose spec names none, made by docker-image.ts; unset: the set-up's */
  image?: string;
  limits?: Partial<SandboxLimits>;
  idle?: IdleTimes;
}

export const DEFAULT_DOCKER_SOCKET = '/var/run/docker.sock';

/** Makes the host ready; does not ask the engine anything yet (see `health`). */
export async function createSandboxHost(options: SandboxHostOptions): Promise<SandboxHost> {
  const dataDir = resolve(options.dataDir);
  const directory = join(dataDir, 'sandboxes');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return new DockerSandboxHost({
    directory,
    sockets: socketDirectory(dataDir),
    engine: new Engine(options.dockerSocket ?? DEFAULT_DOCKER_SOCKET),
    log: options.log,
    hostId: options.hostId,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    idle: options.idle ?? { pauseMs: SANDBOX_PAUSE_MS, stopMs: SANDBOX_STOP_MS },
    runtime: await runtimeFiles(dataDir),
    defaultImage: options.image ?? defaultImageName(),
    engineDoubtMs: ENGINE_DOUBT_MS,
  });
}

interface HostDeps extends Omit<DockerSandboxDeps, 'socketPath' | 'socketDirectory'> {
  /** directory of all sandboxes' sockets */
  sockets: string;
}

class DockerSandboxHost implements SandboxHost {
  readonly #deps: HostDeps;
  readonly #sandboxes = new Map<string, DockerSandbox>();
  readonly #pulse: NodeJS.Timeout;

  constructor(deps: HostDeps) {
    this.#deps = deps;
    this.#pulse = setInterval(() => {
      for (const sandbox of this.#sandboxes.values()) sandbox.checkAlive();
    }, RUNNER_PING_MS).unref();
  }

  async provision(spec: SandboxSpec): Promise<void> {
    await this.#open(spec.sandboxId).provision(spec);
  }

  async call(sandboxId: string, call: ToolCall, options: CallOptions = {}): Promise<ToolOutcome> {
    if (options.spec !== undefined && options.spec.sandboxId !== sandboxId) {
      throw new SandboxFailedError('the spec is of another sandbox');
    }
    return this.#open(sandboxId).run(call, options);
  }

  has(sandboxId: string): boolean {
    return this.#sandboxes.get(sandboxId)?.isReady === true;
  }

  acknowledge(sandboxId: string, callId: string): void {
    this.#sandboxes.get(sandboxId)?.acknowledge(callId);
  }

  async release(sandboxId: string): Promise<void> {
    const sandbox = this.#open(sandboxId);
    try {
      await sandbox.release();
    } finally {
      if (this.#sandboxes.get(sandboxId) === sandbox) this.#sandboxes.delete(sandboxId);
    }
  }

  async list(): Promise<{ sandboxId: string; state: string }[]> {
    const found = await this.#deps.engine.list(`${LABEL_HOST}=${this.#deps.hostId}`);
    return found.map(({ labels, state }) => ({ sandboxId: labels[LABEL_SANDBOX] ?? '', state }));
  }

  async reconcile(known: (ids: string[]) => Promise<Set<string>>): Promise<string[]> {
    const { engine, hostId, directory, sockets } = this.#deps;
    const present = await presentSandboxes(engine, hostId, [directory, sockets]);
    if (present.length === 0) return [];
    const wanted = await known(present);
    const orphans = present.filter((sandboxId) => !wanted.has(sandboxId));
    for (const sandboxId of orphans) await this.release(sandboxId);
    return orphans;
  }

  async attachAll(): Promise<void> {
    const found = await this.list();
    await Promise.all(
      found
        .filter(({ sandboxId }) => isSandboxId(sandboxId))
        .map(({ sandboxId, state }) => this.#open(sandboxId).attach(state)),
    );
  }

  async health(): Promise<void> {
    await this.#deps.engine.ping();
  }

  async close(): Promise<void> {
    clearInterval(this.#pulse);
    for (const sandbox of this.#sandboxes.values()) sandbox.close();
    this.#sandboxes.clear();
    try {
      // Only where no sandbox is left: the directories of living ones are in it.
      rmdirSync(this.#deps.sockets);
    } catch {
      // In use, or gone already.
    }
  }

  #open(sandboxId: string): DockerSandbox {
    const open = this.#sandboxes.get(sandboxId);
    if (open !== undefined) return open;
    if (!isSandboxId(sandboxId)) throw new SandboxGoneError(`no sandbox can be named ${sandboxId}`);
    const path = socketPath(this.#deps.sockets, sandboxId);
    const sandbox = new DockerSandbox(sandboxId, {
      ...this.#deps,
      directory: join(this.#deps.directory, sandboxId),
      socketPath: path,
      socketDirectory: dirname(path),
    });
    this.#sandboxes.set(sandboxId, sandbox);
    return sandbox;
  }
}
