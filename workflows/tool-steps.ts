// The tool calls of one round, in parallel. A sandbox call first runs as a local activity with a
// short window, which costs no round trip through the engine; what is still running then, or lives
// on another machine, goes on as an ordinary activity on that machine's queue. Both send the same
// call id, so the hand-over re-attaches and nothing runs twice.

import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import { TimeoutType } from '@temporalio/common';
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
  const input: RunToolInput = { ...run.ref, callId: call.id };
  const name = call.name as ToolActivity;
  const summary = call.summary ?? call.name;
  let reason: AnswerCallsInput['reason'] = 'sandbox_failed';
  try {
    if (run.host() === null) await run.provision();
    const local = proxyLocalActivities<Activities>({ ...localToolOptions, summary });
    try {
      if ((await local[name](input)).isAnswered) return;
    } catch (error) {
      // Whatever went wrong with the short attempt, the ordinary one looks for itself.
      if (isCancellation(error)) throw error;
    }
    for (;;) {
      if (run.host() === null) await run.provision();
      const host = run.host()!;
      const ordinary = proxyActivities<Activities>({
        ...toolOptions,
        taskQueue: hostTaskQueue(host),
        summary,
      });
      try {
        await ordinary[name](input);
        return;
      } catch (error) {
        if (!isNobodyThere(error)) throw error;
        const { findHost } = proxyActivities<Activities>(commitOptions);
        if ((await findHost({ hostId: host })).isAlive) continue;
        run.forgetHost();
        reason = 'host_lost';
        break;
      }
    }
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
  const { answerCalls } = proxyActivities<Activities>(commitOptions);
  await answerCalls({ ...run.ref, calls: [{ id: call.id }], reason });
}

/** Type of the session.error that a model call which failed for good ends its turn with. */
export function modelErrorType(error: ActivityFailure): string {
  const { cause } = error;
  return cause instanceof ApplicationFailure && cause.type ? cause.type : 'unknown_error';
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
