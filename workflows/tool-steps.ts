// The tool calls of one round, in parallel. A sandbox call first runs as a local activity with a
// short window, which costs no round trip through the engine; what is still running then, or lives
// on another machine, goes on as an ordinary activity on that machine's queue. Both send the same
// call id, so the hand-over re-attaches and nothing runs twice.

import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import { TimeoutType } from '@temporalio/common';
import type { ModelErrorType } from '../activities/failures.ts';
import type { Activities } from '../activities/index.ts';
import type {
  AnswerCallsInput,
  PendingCall,
  RunToolInput,
  SessionRef,
} from '../activities/messages.ts';
import { hostTaskQueue } from './messages.ts';
import {
  commitOptions,
  localToolOptions,
  repeatableToolOptions,
  serverToolOptions,
  toolOptions,
} from './policies.ts';
import type { SessionSandbox } from './session-sandbox.ts';
import type { StepResult } from './session-state.ts';

const MODEL_ERROR_TYPES: ReadonlySet<string> = new Set<ModelErrorType>([
  'model_overloaded_error',
  'model_rate_limited_error',
  'model_request_failed_error',
  'billing_error',
]);

/** The calls of the current round, and which of them are running. */
export class ToolCalls {
  readonly #ref: SessionRef;
  readonly #sandbox: SessionSandbox;
  /** Calls begun by runUntil() whose result is not in the log yet */
  readonly #running = new Map<string, Promise<void>>();
  #ended: string[] = [];
  #failure: unknown;

  constructor(ref: SessionRef, sandbox: SessionSandbox) {
    this.#ref = ref;
    this.#sandbox = sandbox;
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Runs the calls; each has its result in the log when this returns. Throws only on cancel. */
  async run(calls: PendingCall[]): Promise<StepResult> {
    const [only, ...others] = calls;
    if (only !== undefined && others.length === 0) {
      await this.#runOne(only);
      return { kind: 'tools_ran', answered: [only.id] };
    }
    // All of them, also when one is cancelled: each closes its own call first.
    const ends = await Promise.allSettled(calls.map((call) => this.#runOne(call)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return { kind: 'tools_ran', answered: calls.map((call) => call.id) };
  }

  /**
   * Begins those calls that are not running yet and waits for all, or until `isNews`: then the rest
   * go on behind the next step, in the scope they were begun in.
   */
  async runUntil(calls: PendingCall[], isNews: () => boolean): Promise<StepResult> {
    for (const call of calls) {
      if (this.#running.has(call.id)) continue;
      const run = this.#runOne(call)
        .then(() => void this.#ended.push(call.id))
        .catch((error: unknown) => (this.#failure = error))
        .then(() => void this.#running.delete(call.id));
      this.#running.set(call.id, run);
    }
    await condition(() => !this.isBusy || isNews());
    const answered = this.#ended;
    this.#ended = [];
    if (answered.length === 0 && this.#failure !== undefined) throw this.#takeFailure();
    return { kind: 'tools_ran', answered };
  }

  /** Waits for calls that a cancelled or an overtaken step left running. */
  async ended(): Promise<void> {
    if (!this.isBusy) return;
    await Promise.all(this.#running.values());
    this.#ended = [];
    this.#takeFailure();
  }

  #takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  async #runOne(call: PendingCall): Promise<void> {
    const isOurs = call.answeredBy === 'web' || call.answeredBy === 'mcp';
    let reason: AnswerCallsInput['reason'] = isOurs ? 'call_lost' : 'sandbox_failed';
    try {
      if (isOurs) return await this.#runOnServer(call);
      const isHostLost = await this.#runInSandbox(call);
      if (!isHostLost) return;
      reason = 'host_lost';
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
    const { answerCalls } = proxyActivities<Activities>(commitOptions);
    await answerCalls({ ...this.#ref, calls: [{ id: call.id }], reason });
  }

  /** Beside the sandbox where there is one: a result too long for the model is kept in it. */
  async #runOnServer(call: PendingCall): Promise<void> {
    const { host } = this.#sandbox;
    const server = proxyActivities<Activities>({
      ...(call.isRepeatable === true ? repeatableToolOptions : serverToolOptions),
      ...(host === null ? {} : { taskQueue: hostTaskQueue(host) }),
      summary: call.summary ?? call.name,
    });
    const name = call.answeredBy === 'mcp' ? 'mcp' : (call.name as 'web_fetch' | 'web_search');
    await server[name]({ ...this.#ref, callId: call.id });
  }

  /**
   * Resolves when the call has its result in the log, with false, or with true when its machine is
   * lost. A cancelled call that was stopped has a result as well.
   */
  async #runInSandbox(call: PendingCall): Promise<boolean> {
    const input: RunToolInput = { ...this.#ref, callId: call.id };
    const name = call.name as SandboxActivity;
    const summary = call.summary ?? call.name;
    await this.#provisioned();
    const local = proxyLocalActivities<Activities>({ ...localToolOptions, summary });
    try {
      if ((await local[name](input)).isAnswered) return false;
    } catch (error) {
      // Whatever went wrong with the short attempt, the ordinary one looks for itself.
      if (isCancellation(error)) throw error;
    }
    for (;;) {
      await this.#provisioned();
      const host = this.#sandbox.host!;
      const ordinary = proxyActivities<Activities>({
        ...toolOptions,
        taskQueue: hostTaskQueue(host),
        summary,
      });
      try {
        await ordinary[name](input);
        return false;
      } catch (error) {
        if (!isNobodyThere(error)) throw error;
        const { findHost } = proxyActivities<Activities>(commitOptions);
        if ((await findHost({ hostId: host })).isAlive) continue;
        this.#sandbox.forget();
        return true;
      }
    }
  }

  /** Waits until the sandbox is up; an interrupt does not wait for an engine that is away. */
  async #provisioned(): Promise<void> {
    if (this.#sandbox.host !== null) return;
    await Promise.race([this.#sandbox.provision(), CancellationScope.current().cancelRequested]);
  }
}

type SandboxActivity = 'bash' | 'read' | 'write' | 'edit' | 'glob' | 'grep';

/**
 * Type of the session.error that a model call which failed for good ends its turn with; what is no
 * failure of the model has no name of its own there (sdk 1.11.0: UnknownErrorObject).
 */
export function modelErrorType(error: ActivityFailure): string {
  const type = error.cause instanceof ApplicationFailure ? error.cause.type : null;
  return type != null && MODEL_ERROR_TYPES.has(type) ? type : 'unknown_error';
}

/**
 * Nobody took the call from the machine's queue in time; no retry policy covers that (measured).
 */
function isNobodyThere(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    error.cause.timeoutType === TimeoutType.SCHEDULE_TO_START
  );
}
