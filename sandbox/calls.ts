// The calls of one sandbox: each `callId` has one record, whoever asks for it and how often, and
// each record gets one outcome, kept until it is acknowledged. Together with the journal and the
// runner's memory this is what makes a call run once in a container's life and at most once across
// its loss.
import {
  RUNNER_SMALL_FRAME_BYTES_MAX,
  RUNNER_STRAY_FRAMES_MAX,
  SANDBOX_ACKNOWLEDGED_MAX,
  SANDBOX_CALLS_MAX,
  SANDBOX_OUTCOMES_MAX,
} from '../protocol/limits.ts';
import type { CallJournal } from './call-journal.ts';
import { FrameError } from './runner/frames.ts';
import type { HostFrame, RunnerFrame } from './runner/frames.ts';
import { SandboxFailedError } from './sandbox.ts';
import type { CallOptions, SandboxSpec, ToolCall, ToolOutcome } from './sandbox.ts';

export interface CallsDeps {
  journal: CallJournal;
  /** brings container and runner up where needed */
  ensureReady(spec: SandboxSpec | null): Promise<void>;
  /** the boot frames would reach right now; null while there is none */
  readyBoot(): string | null;
  send(frame: HostFrame): boolean;
  /** the last call ended; the container is unused from now on */
  onIdle(): void;
  /** a cancelled call does not end by itself */
  onStuck(callId: string): void;
  cancelGraceMs: number;
  /** when the machine was started, ms since 1970 */
  machineStartedAt: number;
}

interface CallRecord {
  call: ToolCall;
  askedAt: number;
  /** the outcome, or why it could not be sent */
  done: PromiseWithResolvers<ToolOutcome>;
  outcome: ToolOutcome | null;
  /** handed to the runner under the current boot */
  isSent: boolean;
  isStarted: boolean;
  isCancelled: boolean;
  isAcknowledged: boolean;
  onStarted: Set<() => void>;
}

export class Calls {
  readonly #deps: CallsDeps;
  readonly #records = new Map<string, CallRecord>();
  /** ids of acknowledged calls: an attempt that was overtaken may still ask for one */
  readonly #acknowledged = new Set<string>();
  #unfinished = 0;
  #strayFrames = 0;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
  }

  /** Number of calls without an outcome. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Runs or re-attaches; see `SandboxHost.call`. */
  async run(call: ToolCall, options: CallOptions, spec: SandboxSpec | null): Promise<ToolOutcome> {
    if (this.#acknowledged.has(call.callId)) return { status: 'lost', reason: ACKNOWLEDGED };
    const record = this.#records.get(call.callId) ?? this.#begin(call, spec, options);
    const { onStarted, signal, waitMs } = options;
    if (onStarted !== undefined && record.outcome === null) {
      if (record.isStarted) onStarted();
      else record.onStarted.add(onStarted);
    }
    if (record.outcome !== null || (signal === undefined && waitMs === undefined)) {
      return record.done.promise;
    }
    return this.#await(record, options);
  }

  /**
   * Forgets a finished call's outcome everywhere; one that still runs is forgotten when it ends.
   */
  acknowledge(callId: string): void {
    const record = this.#records.get(callId);
    if (record !== undefined && record.outcome === null) {
      record.isAcknowledged = true;
      return;
    }
    this.#records.delete(callId);
    this.#acknowledged.add(callId);
    for (const oldest of this.#acknowledged) {
      if (this.#acknowledged.size <= SANDBOX_ACKNOWLEDGED_MAX) break;
      this.#acknowledged.delete(oldest);
    }
    this.#deps.journal.forget(callId);
    this.#deps.send({ type: 'acknowledge', callId });
  }

  /**
   * Takes a frame of the runner; throws `FrameError` when nobody asked for it and it is large, or
   * one too many.
   */
  onFrame(frame: RunnerFrame, bytes: number): void {
    if (frame.type === 'hello' || frame.type === 'pong') return this.#onStray(frame.type, bytes);
    const record = this.#records.get(frame.callId);
    if (record === undefined || !record.isSent || record.outcome !== null) {
      return this.#onStray(frame.type, bytes);
    }
    if (record.isStarted && frame.type === 'started') return this.#onStray(frame.type, bytes);
    this.#strayFrames = 0;
    if (frame.type === 'result') {
      const { content, isError } = frame;
      this.#settle(record, { status: 'completed', content, isError });
    } else if (frame.type === 'lost') {
      this.#settle(record, { status: 'lost', reason: frame.reason });
    } else {
      record.isStarted = true;
      for (const onStarted of record.onStarted) onStarted();
      record.onStarted.clear();
    }
  }

  /**
   * The runner is reachable under `bootId`: what it was sent may not have arrived, so send it
   * again.
   */
  onReady(bootId: string): void {
    for (const record of this.#records.values()) {
      if (record.outcome !== null || !record.isSent) continue;
      if (this.#deps.journal.bootOf(record.call.callId) !== bootId) {
        this.#settle(record, { status: 'lost', reason: RESTARTED });
        continue;
      }
      // It says `started` once more to a host that asks again.
      record.isStarted = false;
      this.#send(record);
    }
  }

  /** The container's life ended: every call handed to it is lost, unless it was being cancelled. */
  onLost(reason: string): void {
    for (const record of this.#records.values()) {
      if (record.outcome !== null || !record.isSent) continue;
      this.#settle(record, record.isCancelled ? INTERRUPTED : { status: 'lost', reason });
    }
  }

  /** Ends every wait with `error`; nothing is decided about the calls themselves. */
  abandon(error: Error): void {
    for (const record of this.#records.values()) {
      if (record.outcome === null) this.#fail(record, error);
    }
  }

  #begin(call: ToolCall, spec: SandboxSpec | null, options: CallOptions): CallRecord {
    const { signal, askedAt = Date.now() } = options;
    const record: CallRecord = {
      call,
      askedAt,
      done: Promise.withResolvers(),
      outcome: null,
      isSent: false,
      isStarted: false,
      isCancelled: false,
      isAcknowledged: false,
      onStarted: new Set(),
    };
    // Whoever waits sees the rejection; a call nobody waits for any more must not end the process.
    record.done.promise.catch(() => {});
    this.#records.set(call.callId, record);
    this.#unfinished++;
    if (this.#unfinished > SANDBOX_CALLS_MAX) {
      this.#settle(record, errorOutcome(`more than ${SANDBOX_CALLS_MAX} calls at once`));
    } else if (signal?.aborted === true && this.#deps.journal.bootOf(call.callId) === undefined) {
      this.#settle(record, INTERRUPTED);
    } else {
      void this.#handOver(record, spec);
    }
    return record;
  }

  async #handOver(record: CallRecord, spec: SandboxSpec | null): Promise<void> {
    const { callId } = record.call;
    try {
      const bootId = await this.#readyBoot(spec);
      if (record.outcome !== null) return;
      const journaled = this.#deps.journal.bootOf(callId);
      if (journaled !== undefined && journaled !== bootId) {
        const lost: ToolOutcome = { status: 'lost', reason: RESTARTED };
        return this.#settle(record, record.isCancelled ? INTERRUPTED : lost);
      }
      if (record.isCancelled && journaled === undefined) return this.#settle(record, INTERRUPTED);
      if (journaled === undefined && record.askedAt < this.#deps.machineStartedAt) {
        return this.#settle(record, { status: 'lost', reason: RESTARTED });
      }
      this.#deps.journal.begin(callId, bootId);
      record.isSent = true;
      this.#send(record);
    } catch (error) {
      if (record.outcome !== null) return;
      if (error instanceof FrameError) {
        return this.#settle(record, errorOutcome(`the input is too large: ${error.message}`));
      }
      this.#fail(record, error instanceof Error ? error : new Error(String(error)));
    }
  }

  // A container may end between being ready and the next line of the one who waited for it.
  async #readyBoot(spec: SandboxSpec | null): Promise<string> {
    for (let attempt = 0; attempt < READY_ATTEMPTS_MAX; attempt++) {
      const ready = this.#deps.readyBoot();
      if (ready !== null) return ready;
      await this.#deps.ensureReady(spec);
    }
    throw new SandboxFailedError('the container ends as soon as it is ready');
  }

  // Where the runner is just gone, nothing is sent: it comes back and `onReady` sends, or `onLost`
  // settles the call.
  #send(record: CallRecord): void {
    this.#deps.send({ type: 'call', ...record.call });
    if (record.isCancelled) this.#sendCancel(record);
  }

  #sendCancel(record: CallRecord): void {
    const { callId } = record.call;
    this.#deps.send({ type: 'cancel', callId });
    setTimeout(() => {
      if (record.outcome === null) this.#deps.onStuck(callId);
    }, this.#deps.cancelGraceMs).unref();
  }

  async #await(record: CallRecord, options: CallOptions): Promise<ToolOutcome> {
    const { signal, waitMs, onStarted } = options;
    const late = Promise.withResolvers<ToolOutcome>();
    const timer =
      waitMs === undefined
        ? undefined
        : setTimeout(() => late.resolve({ status: 'running' }), waitMs);
    const onAbort = () => this.#cancel(record);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    try {
      return await Promise.race([record.done.promise, late.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (onStarted !== undefined) record.onStarted.delete(onStarted);
    }
  }

  #cancel(record: CallRecord): void {
    if (record.isCancelled || record.outcome !== null) return;
    record.isCancelled = true;
    if (!record.isSent) {
      // Never handed over, as far as the journal knows: it ends here. Else the runner has to stop
      // it.
      const wasHandedOver = this.#deps.journal.bootOf(record.call.callId) !== undefined;
      if (!wasHandedOver) this.#settle(record, INTERRUPTED);
      return;
    }
    this.#sendCancel(record);
  }

  #settle(record: CallRecord, outcome: ToolOutcome): void {
    if (record.outcome !== null) return;
    record.outcome = outcome;
    record.done.resolve(outcome);
    record.onStarted.clear();
    if (record.isAcknowledged) this.acknowledge(record.call.callId);
    this.#evictOutcomes();
    this.#ended();
  }

  // Without an outcome the record goes, so that the same call may be sent again.
  #fail(record: CallRecord, error: Error): void {
    this.#records.delete(record.call.callId);
    record.outcome = { status: 'lost', reason: error.message };
    record.done.reject(error);
    this.#ended();
  }

  #ended(): void {
    this.#unfinished--;
    if (this.#unfinished === 0) this.#deps.onIdle();
  }

  // The runner keeps results as well; a host that dropped one asks it again.
  #evictOutcomes(): void {
    if (this.#records.size - this.#unfinished <= SANDBOX_OUTCOMES_MAX) return;
    for (const [callId, record] of this.#records) {
      if (record.outcome === null) continue;
      this.#records.delete(callId);
      return;
    }
  }

  #onStray(type: string, bytes: number): void {
    this.#strayFrames++;
    if (bytes > RUNNER_SMALL_FRAME_BYTES_MAX) {
      throw new FrameError(`a large frame that nobody asked for, a ${type}`);
    }
    if (this.#strayFrames > RUNNER_STRAY_FRAMES_MAX) {
      throw new FrameError(`too many frames that nobody asked for, the last one ${type}`);
    }
  }
}

function errorOutcome(text: string): ToolOutcome {
  return { status: 'completed', content: [{ type: 'text', text }], isError: true };
}

const ACKNOWLEDGED = 'its result was acknowledged before and is no longer kept';
const RESTARTED = 'its container was restarted since it was sent';
const READY_ATTEMPTS_MAX = 3;
const INTERRUPTED: ToolOutcome = errorOutcome('interrupted: the call was stopped on request');
