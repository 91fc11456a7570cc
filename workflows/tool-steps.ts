// The tool calls of one round, in parallel. A sandbox call first runs as a local activity with a
// short window, which costs no round trip through the engine; what is still running then, or lives
// on another machine, goes on as an ordinary activity on that machine's queue. Both send the same
// call id, so the hand-over re-attaches and nothing runs twice.

import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
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
import { commitOptions, localToolOptions, toolOptions } from './policies.ts';
import type { StepResult } from './session-state.ts';

/** What the tools need from the run they belong to. */
export interface ToolRun {
  ref: SessionRef;
  /** The machine that holds the sandbox; null before it is up */
  host(): string | null;
  /** Brings the sandbox up; rejects if that fails */
  provision(): Promise<void>;
  /** The machine is lost: the sandbox is to come up elsewhere */
  forgetHost(): void;
}

const MODEL_ERROR_TYPES: ReadonlySet<string> = new Set<ModelErrorType>([
  'model_overloaded_error',
  'model_rate_limited_error',
  'model_request_failed_error',
  'billing_error',
]);

type ToolActivity = 'bash' | 'read' | 'write' | 'edit' | 'glob' | 'grep';

/**
 * Runs the calls; each has its result in the log when this returns. Throws only on cancellation.
 */
export async function runTools(calls: PendingCall[], run: ToolRun): Promise<StepResult> {
  const [only, ...others] = calls;
  if (only !== undefined && others.length === 0) {
    await runTool(only, run);
    return { kind: 'tools_ran', answered: [only.id] };
  }
  // All of them, also when one is cancelled: each closes its own call first.
  const ends = await Promise.allSettled(calls.map((call) => runTool(call, run)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return { kind: 'tools_ran', answered: calls.map((call) => call.id) };
}

async function runTool(call: PendingCall, run: ToolRun): Promise<void> {
  let reason: AnswerCallsInput['reason'] = 'sandbox_failed';
  try {
    const isHostLost = await runInSandbox(call, run);
    if (!isHostLost) return;
    reason = 'host_lost';
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
  const { answerCalls } = proxyActivities<Activities>(commitOptions);
  await answerCalls({ ...run.ref, calls: [{ id: call.id }], reason });
}

/**
 * Resolves when the call has its result in the log, with false, or with true when its machine is
 * lost. A cancelled call that was stopped has a result as well.
 */
async function runInSandbox(call: PendingCall, run: ToolRun): Promise<boolean> {
  const input: RunToolInput = { ...run.ref, callId: call.id };
  const name = call.name as ToolActivity;
  const summary = call.summary ?? call.name;
  await provisioned(run);
  const local = proxyLocalActivities<Activities>({ ...localToolOptions, summary });
  try {
    if ((await local[name](input)).isAnswered) return false;
  } catch (error) {
    // Whatever went wrong with the short attempt, the ordinary one looks for itself.
    if (isCancellation(error)) throw error;
  }
  for (;;) {
    await provisioned(run);
    const host = run.host()!;
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
      run.forgetHost();
      return true;
    }
  }
}

/** Waits until the sandbox is up; an interrupt does not wait for an engine that is away. */
async function provisioned(run: ToolRun): Promise<void> {
  if (run.host() !== null) return;
  await Promise.race([run.provision(), CancellationScope.current().cancelRequested]);
}

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
