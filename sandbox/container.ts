// The life of one sandbox's container as the host drives it: create, start, wait for the runner,
// pause, stop, notice its death, bring it back. One change at a time; `isReady` is true exactly
// while a frame sent would reach a running runner. It knows nothing of calls but that they need it
// ready.
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { RUNNER_DIAL_MS, RUNNER_REDIAL_MS } from '../protocol/limits.ts';
import { Channel } from './channel.ts';
import {
  BRIDGE_NAME,
  BRIDGE_OPTIONS,
  containerName,
  containerSettings,
  LABEL_HOST,
  LABEL_IMAGE,
  LABEL_RUNTIME,
} from './container-settings.ts';
import type { ContainerFacts, Engine } from './docker.ts';
import type { HostFrame, RunnerFrame } from './runner/frames.ts';
import type { RuntimeFiles } from './runtime-files.ts';
import { EngineUnavailableError, SandboxFailedError, SandboxGoneError } from './sandbox.ts';
import type { SandboxLimits, SandboxSpec } from './sandbox.ts';

export interface ContainerDeps {
  engine: Engine;
  log: Logger;
  hostId: string;
  limits: SandboxLimits;
  runtime: RuntimeFiles;
  defaultImage: string;
  socketPath: string;
  socketDirectory: string;
  /** how long the engine may leave open whether a container lives whose runner hung up, `ms` */
  engineDoubtMs: number;
}

export interface ContainerEvents {
  /** the runner is reachable again under this boot; frames sent before may not have arrived */
  onReady(bootId: string): void;
  onFrame(frame: RunnerFrame, bytes: number): void;
  /** a call is unfinished: its result may come, and be large */
  expectsResult(): boolean;
  /** this life of the container is over; what ran in it is lost */
  onLost(reason: string): void;
}

type State =
  | 'unknown'
  | 'starting'
  | 'ready'
  | 'broken'
  | 'pausing'
  | 'paused'
  | 'stopped'
  | 'gone';

const POLL_MS = 50;
const ENGINE_AWAY_POLL_MS = 500;

export class Container {
  readonly sandboxId: string;
  readonly #name: string;
  readonly #deps: ContainerDeps;
  readonly #events: ContainerEvents;
  readonly #channel: Channel;
  #state: State = 'unknown';
  #bootId: string | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #hello: PromiseWithResolvers<void> = Promise.withResolvers();
  #isClosed = false;

  constructor(sandboxId: string, deps: ContainerDeps, events: ContainerEvents) {
    this.sandboxId = sandboxId;
    this.#name = containerName(sandboxId);
    this.#deps = deps;
    this.#events = events;
    this.#channel = new Channel(deps.socketPath, {
      onReady: (bootId) => this.#onHello(bootId),
      onFrame: (frame, bytes) => this.#events.onFrame(frame, bytes),
      onClosed: (violation) => this.#onClosed(violation),
      expectsResult: () => this.#events.expectsResult(),
    });
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  /** The runner's life that a frame would reach right now; null while there is none. */
  get readyBoot(): string | null {
    return this.#state === 'ready' ? this.#bootId : null;
  }

  /** Sends a frame to the runner; false where it is not connected. */
  send(frame: HostFrame): boolean {
    return this.#channel.send(frame);
  }

  /**
   * Makes the container run and its runner be connected, whatever it takes.
   * Throws `SandboxGoneError` where there is no container and no spec to make one.
   */
  async ensureReady(spec: SandboxSpec | null): Promise<void> {
    if (this.#state === 'ready') return;
    await this.#exclusive(async () => {
      if (this.#state !== 'ready') await this.#bringUp(spec);
    });
  }

  /** Listens for a runner that is believed to run; returns at once, `onReady` follows. */
  async listen(believed: 'running' | 'paused' | 'stopped'): Promise<void> {
    if (this.#state !== 'unknown') return;
    if (believed === 'stopped') {
      this.#state = 'stopped';
      return;
    }
    this.#state = believed === 'paused' ? 'paused' : 'broken';
    await this.#channel.listen();
  }

  /** Freezes a ready container; does nothing in any other state. */
  async pause(): Promise<void> {
    if (this.#state !== 'ready') return;
    this.#state = 'pausing';
    await this.#exclusive(async () => {
      if (this.#state !== 'pausing') return;
      try {
        await this.#deps.engine.pause(this.#name);
        this.#state = 'paused';
      } catch (error) {
        this.#state = this.#channel.isConnected ? 'ready' : 'broken';
        throw error;
      }
    });
  }

  /**
   * Ends the container's processes and keeps its files; does nothing unless it is ready or paused.
   */
  async stop(): Promise<void> {
    if (this.#state !== 'ready' && this.#state !== 'paused') return;
    const wasPaused = this.#state === 'paused';
    this.#state = 'pausing';
    await this.#exclusive(async () => {
      if (this.#state !== 'pausing') return;
      this.#state = 'stopped';
      // A frozen process cannot hear that it should end.
      if (wasPaused) await this.#deps.engine.unpause(this.#name).catch(() => {});
      await this.#deps.engine.stop(this.#name);
      this.#channel.disconnect();
    });
  }

  /**
   * Ends this life of the container at once; its calls are lost, the next call starts a new one.
   */
  async kill(reason: string): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#state === 'stopped' || this.#state === 'gone') return;
      await this.#endLife(reason);
    });
  }

  /** Removes the container; the object is of no further use. */
  async remove(): Promise<void> {
    this.#isClosed = true;
    await this.#exclusive(async () => {
      this.#state = 'gone';
      this.#channel.close();
      this.#events.onLost('the sandbox was removed');
      await this.#deps.engine.remove(this.#name);
    });
  }

  /** Stops listening; the container and what runs in it go on. */
  close(): void {
    this.#isClosed = true;
    this.#channel.close();
    if (this.#state !== 'gone') this.#state = 'unknown';
  }

  #exclusive<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(change);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #bringUp(spec: SandboxSpec | null): Promise<void> {
    if (this.#isClosed) throw new SandboxGoneError(`sandbox ${this.sandboxId} is closed here`);
    await this.#channel.listen();
    if (this.#state === 'paused' && (await this.#wake())) return;
    const facts = await this.#deps.engine.inspect(this.#name);
    if (facts !== null) this.#checkOwner(facts);
    if (facts?.state === 'running' || facts?.state === 'paused') {
      if (facts.state === 'paused') await this.#deps.engine.unpause(this.#name);
      if (await this.#heardHello(RUNNER_REDIAL_MS)) return;
      await this.#endLife('the runner did not answer');
    }
    this.#state = 'starting';
    try {
      await this.#startAgain(facts, spec);
    } catch (error) {
      this.#state = 'unknown';
      throw error;
    }
  }

  async #wake(): Promise<boolean> {
    try {
      await this.#deps.engine.unpause(this.#name);
    } catch (error) {
      if (error instanceof EngineUnavailableError) throw error;
      this.#deps.log.warn(
        { err: error, sandbox: this.sandboxId },
        'a paused container did not wake',
      );
      return false;
    }
    return this.#heardHello(RUNNER_REDIAL_MS);
  }

  async #startAgain(facts: ContainerFacts | null, spec: SandboxSpec | null): Promise<void> {
    const { engine, runtime, log } = this.#deps;
    const isCurrent =
      facts !== null &&
      facts.state !== 'dead' &&
      facts.labels[LABEL_RUNTIME] === runtime.version &&
      (spec === null || facts.labels[LABEL_IMAGE] === this.#imageOf(spec));
    const startedAt = performance.now();
    if (isCurrent) {
      try {
        await engine.start(this.#name);
      } catch (error) {
        if (spec === null || error instanceof EngineUnavailableError) throw error;
        log.warn(
          { err: error, sandbox: this.sandboxId },
          'a stopped container did not start: made anew',
        );
        await this.#makeAnew(spec);
      }
    } else {
      if (spec === null) {
        throw new SandboxGoneError(`there is no container for sandbox ${this.sandboxId}`);
      }
      await this.#makeAnew(spec);
    }
    await this.#awaitRunner();
    const ms = Math.round(performance.now() - startedAt);
    log.info({ sandbox: this.sandboxId, ms, isNew: !isCurrent }, 'sandbox started');
  }

  // Its files lie in volumes, so a container that does not fit any more is replaced.
  async #makeAnew(spec: SandboxSpec): Promise<void> {
    const { engine, hostId, limits, runtime, socketDirectory } = this.#deps;
    if (spec.network === 'unrestricted') await engine.ensureNetwork(BRIDGE_NAME, BRIDGE_OPTIONS);
    const image = this.#imageOf(spec);
    const settings = containerSettings({ spec, image, hostId, limits, runtime, socketDirectory });
    let created = await engine.create(settings);
    if (created === 'conflict') {
      await engine.remove(this.#name);
      created = await engine.create(settings);
    }
    if (created === 'no image') {
      throw new SandboxFailedError(
        `the sandbox image ${image} is not on this machine: run the set-up`,
      );
    }
    if (created === 'conflict') {
      throw new SandboxFailedError(
        `the container name ${this.#name} is taken by another container`,
      );
    }
    await engine.start(this.#name);
  }

  async #awaitRunner(): Promise<void> {
    if (await this.#heardHello(RUNNER_DIAL_MS)) return;
    const words = await this.#deps.engine.lastWords(this.#name);
    await this.#deps.engine.kill(this.#name);
    throw new SandboxFailedError(
      `the runner of sandbox ${this.sandboxId} did not start${words === '' ? '' : `: ${words}`}`,
    );
  }

  // Waits for the hello, but no longer than the container runs.
  async #heardHello(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!this.#channel.isConnected) {
      const late = new AbortController();
      const pollMs = Math.min(ENGINE_AWAY_POLL_MS, Math.max(1, deadline - performance.now()));
      await Promise.race([
        this.#hello.promise,
        wait(pollMs, undefined, { signal: late.signal }).catch(() => {}),
      ]);
      late.abort();
      if (this.#channel.isConnected) break;
      if (performance.now() >= deadline) return false;
      const facts = await this.#deps.engine.inspect(this.#name);
      if (facts?.state !== 'running') return false;
    }
    this.#state = 'ready';
    return true;
  }

  #imageOf(spec: SandboxSpec): string {
    return spec.image ?? this.#deps.defaultImage;
  }

  #checkOwner(facts: ContainerFacts): void {
    if (facts.labels[LABEL_HOST] === this.#deps.hostId) return;
    throw new SandboxFailedError(
      `the container ${this.#name} belongs to another Holdfast host of this engine`,
    );
  }

  #onHello(bootId: string): void {
    const isNewLife = this.#bootId !== null && this.#bootId !== bootId;
    if (isNewLife) this.#events.onLost('the container was restarted');
    this.#bootId = bootId;
    // A container believed paused or stopped becomes ready only by bringUp, which knows its state.
    if (this.#state === 'broken' || this.#state === 'starting') this.#state = 'ready';
    this.#hello.resolve();
    this.#hello = Promise.withResolvers();
    this.#events.onReady(bootId);
  }

  #onClosed(violation: string | null): void {
    if (this.#isClosed) return;
    if (violation !== null) {
      this.#deps.log.warn({ sandbox: this.sandboxId, violation }, 'a runner broke the protocol');
      if (this.#state === 'ready') this.#state = 'broken';
      this.kill(`its runner sent a malformed frame (${violation})`).catch((error: unknown) =>
        this.#deps.log.warn(
          { err: error, sandbox: this.sandboxId },
          'a broken container was not ended',
        ),
      );
      return;
    }
    if (this.#state !== 'ready' && this.#state !== 'paused') return;
    this.#state = 'broken';
    this.#exclusive(() => this.#investigate()).catch((error: unknown) =>
      this.#deps.log.warn(
        { err: error, sandbox: this.sandboxId },
        'a silent container was not ended',
      ),
    );
  }

  // The runner's connection ended by itself: either the container died, or the runner dials again.
  async #investigate(): Promise<void> {
    const { engine, engineDoubtMs } = this.#deps;
    const startedAt = performance.now();
    while (this.#state === 'broken' && !this.#isClosed) {
      const tookMs = performance.now() - startedAt;
      let facts: ContainerFacts | null;
      try {
        facts = await engine.inspect(this.#name);
      } catch {
        // The container may live on behind an engine that is away or confused, so nothing is lost
        // at once; but whoever waits for its calls must not wait for ever.
        if (tookMs > engineDoubtMs) return this.#endLife('the engine did not say if it lives');
        await wait(ENGINE_AWAY_POLL_MS, undefined, { ref: false });
        continue;
      }
      if (this.#state !== 'broken') return;
      if (facts?.state !== 'running' && facts?.state !== 'paused') {
        this.#state = 'stopped';
        this.#events.onLost(deathOf(facts));
        return;
      }
      if (tookMs > RUNNER_REDIAL_MS) return this.#endLife('its runner went silent');
      await wait(POLL_MS, undefined, { ref: false });
    }
  }

  async #endLife(reason: string): Promise<void> {
    this.#state = 'stopped';
    try {
      await this.#deps.engine.kill(this.#name);
    } finally {
      this.#channel.disconnect();
      this.#events.onLost(reason);
    }
  }
}

function deathOf(facts: ContainerFacts | null): string {
  if (facts === null) return 'its container was removed';
  if (facts.oomKilled) return 'its container ran out of memory';
  return `its container ended with code ${facts.exitCode}`;
}
