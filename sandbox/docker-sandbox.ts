// One sandbox on this host: its container, its calls, its journal, its spec on disk and its idle
// clock, put together. Nothing is decided here that one of the parts could decide.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { CANCEL_GRACE_MS, RUNNER_SILENCE_MS } from '../protocol/limits.ts';
import { CallJournal } from './call-journal.ts';
import { Calls } from './calls.ts';
import { Container } from './container.ts';
import type { ContainerDeps } from './container.ts';
import { volumeNames } from './container-settings.ts';
import { IdleClock, idleStep } from './idle-policy.ts';
import type { IdleTimes } from './idle-policy.ts';
import type { RunnerFrame } from './runner/frames.ts';
import type { CallOptions, SandboxSpec, ToolCall, ToolOutcome } from './sandbox.ts';

export interface DockerSandboxDeps extends ContainerDeps {
  /** what this sandbox keeps on the host: spec and call journal */
  directory: string;
  idle: IdleTimes;
}

export class DockerSandbox {
  readonly #deps: DockerSandboxDeps;
  readonly #container: Container;
  readonly #calls: Calls;
  readonly #idle: IdleClock;
  #spec: SandboxSpec | null;
  #lastUsedAt = performance.now();
  #pingSentAt: number | null = null;
  #pings = 0;

  constructor(sandboxId: string, deps: DockerSandboxDeps) {
    this.#deps = deps;
    this.#spec = readSpec(join(deps.directory, 'spec.json'));
    this.#container = new Container(sandboxId, deps, {
      onReady: (bootId) => this.#onReady(bootId),
      onFrame: (frame, bytes) => this.#onFrame(frame, bytes),
      expectsResult: () => this.#calls.unfinished > 0,
      onLost: (reason) => this.#calls.onLost(reason),
    });
    this.#calls = new Calls({
      journal: new CallJournal(join(deps.directory, 'calls.jsonl')),
      ensureReady: (spec) => this.#container.ensureReady(spec),
      readyBoot: () => this.#container.readyBoot,
      send: (frame) => this.#container.send(frame),
      onIdle: () => this.#used(),
      onStuck: () => this.#end('a cancelled call did not end'),
      cancelGraceMs: CANCEL_GRACE_MS,
      machineStartedAt: Date.now() - uptime() * 1000,
    });
    this.#idle = new IdleClock(() => this.#onIdleDue());
  }

  /** True when a call would be sent at once. */
  get isReady(): boolean {
    return this.#container.isReady;
  }

  /** Container up, runner connected. */
  async provision(spec: SandboxSpec): Promise<void> {
    this.#keepSpec(spec);
    await this.#container.ensureReady(spec);
    this.#used();
  }

  run(call: ToolCall, options: CallOptions): Promise<ToolOutcome> {
    if (options.spec !== undefined) this.#keepSpec(options.spec);
    this.#lastUsedAt = performance.now();
    return this.#calls.run(call, options, this.#spec);
  }

  acknowledge(callId: string): void {
    this.#calls.acknowledge(callId);
  }

  /** Listens for the runner of a container found at start. */
  async attach(state: string): Promise<void> {
    if (state === 'paused' || state === 'running') {
      await this.#container.listen(state);
      this.#used();
    } else {
      await this.#container.listen('stopped');
    }
  }

  /** Removes container, volumes and everything on disk. */
  async release(): Promise<void> {
    this.#idle.disarm();
    await this.#container.remove();
    const { engine, directory, socketPath } = this.#deps;
    for (const name of volumeNames(this.#container.sandboxId)) await engine.removeVolume(name);
    rmSync(directory, { recursive: true, force: true });
    rmSync(dirname(socketPath), { recursive: true, force: true });
  }

  /** Stops listening and waiting; the container goes on. */
  close(): void {
    this.#idle.disarm();
    this.#container.close();
    this.#calls.abandon(new Error('this sandbox host is closing'));
  }

  /** Asked every few seconds: a runner that owes results must at least answer a ping. */
  checkAlive(): void {
    if (this.#calls.unfinished === 0 || !this.#container.isReady) {
      this.#pingSentAt = null;
    } else if (this.#pingSentAt === null) {
      this.#pingSentAt = performance.now();
      this.#container.send({ type: 'ping', n: ++this.#pings });
    } else if (performance.now() - this.#pingSentAt > RUNNER_SILENCE_MS) {
      this.#pingSentAt = null;
      this.#end('its runner stopped answering');
    }
  }

  #onReady(bootId: string): void {
    this.#pingSentAt = null;
    this.#calls.onReady(bootId);
    this.#used();
  }

  #onFrame(frame: RunnerFrame, bytes: number): void {
    if (frame.type === 'pong' && this.#pingSentAt !== null && frame.n === this.#pings) {
      this.#pingSentAt = null;
      return;
    }
    this.#calls.onFrame(frame, bytes);
  }

  #used(): void {
    this.#lastUsedAt = performance.now();
    this.#idle.arm(this.#deps.idle.pauseMs);
  }

  #onIdleDue(): number | null {
    const { idle, log } = this.#deps;
    // The end of the last call arms the clock again.
    if (this.#calls.unfinished > 0) return null;
    if (!this.#container.isReady && !this.#container.isPaused) return null;
    const state = this.#container.isPaused ? 'paused' : 'ready';
    const step = idleStep(state, performance.now() - this.#lastUsedAt, idle);
    const { sandboxId } = this.#container;
    if (step.action !== 'nothing') {
      const change = step.action === 'pause' ? this.#container.pause() : this.#container.stop();
      change.then(
        () => log.debug({ sandbox: sandboxId }, `idle: ${step.action}`),
        (error: unknown) =>
          log.warn({ err: error, sandbox: sandboxId }, `idle: ${step.action} failed`),
      );
    }
    return step.againMs;
  }

  #end(reason: string): void {
    this.#container.kill(reason).catch((error: unknown) => {
      const { log } = this.#deps;
      log.warn({ err: error, sandbox: this.#container.sandboxId }, 'a container was not ended');
    });
  }

  #keepSpec(spec: SandboxSpec): void {
    const kept = this.#spec;
    if (kept !== null && kept.network === spec.network && kept.image === spec.image) return;
    this.#spec = spec;
    mkdirSync(this.#deps.directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.#deps.directory, 'spec.json'), JSON.stringify(spec));
  }
}

function readSpec(path: string): SandboxSpec | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SandboxSpec;
  } catch {
    // Half-written at a crash: the next call brings the spec again.
    return null;
  }
}
