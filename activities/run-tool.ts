// One tool call in the sandbox, local or ordinary: the same function serves both. The call id is
// the event's id, so a repeated attempt re-attaches to what is running and finds what has finished;
// the result enters the log once, keyed by the call.

import { Context } from '@temporalio/activity';
import { CANCEL_WAIT_MS, LOCAL_TOOL_WINDOW_MS } from '../protocol/limits.ts';
import type { Environment } from '../protocol/environments.ts';
import {
  SandboxGoneError,
  type SandboxHost,
  type SandboxSpec,
  type ToolCall,
  type ToolOutcome,
} from '../sandbox/sandbox.ts';
import { appendEvents } from '../store/events.ts';
import { loadToolCall } from '../store/model-context.ts';
import type {
  AnswerCallsInput,
  CancelCallsInput,
  RunToolInput,
  RunToolResult,
} from './messages.ts';
import { type ActivityDeps, isCancelRequested, whileBeating } from './deps.ts';
import type { FreshCall } from './fresh-calls.ts';
import { workerStopping } from './failures.ts';
import { errorResult, resultEvent } from './model/result-events.ts';

/** Runs a call until its result is in the log; a local attempt gives up after a short window. */
export async function runTool(deps: ActivityDeps, input: RunToolInput): Promise<RunToolResult> {
  const { isLocal } = Context.current().info;
  const fresh = deps.freshCalls.take(input.callId);
  if (fresh !== undefined && isLocal) return fresh.attempt ?? runLocally(deps, input, fresh);
  const call = await loadToolCall(deps.sql, input.sessionId, input.callId);
  if (call === null || call.status === 'terminated' || call.isAnswered) return { isAnswered: true };
  if (isLocal) return runLocally(deps, input, call);
  const { sandbox } = deps;
  if (sandbox === undefined) throw new Error('this worker runs no sandboxes');
  const outcome = await whileBeating(() =>
    unlessStopping((signal) =>
      sandbox.call(input.sessionId, toToolCall(input, call), {
        signal,
        spec: sandboxSpec(input.sessionId, call.environment),
        askedAt: call.askedAt,
      }),
    ),
  );
  await commitOutcome(deps, input, call, outcome);
  return { isAnswered: true };
}

/**
 * Begins a call that was committed this moment, where this machine holds the sandbox: it runs while
 * the engine makes its way to the call's own step, which then finds it running or done by its id,
 * like every repetition does (docs/decisions/0009). An interrupt finds it by the same id.
 */
export function beginCall(deps: ActivityDeps, input: RunToolInput, call: FreshCall): FreshCall {
  if (deps.sandbox?.has(input.sessionId) !== true) return call;
  const attempt = runLocally(deps, input, call);
  // Met by whoever takes the call; until then it must not end the process.
  attempt.catch(() => {});
  return { ...call, attempt };
}

/**
 * Passes a workflow's cancellation on to the command; a worker that goes down leaves the command
 * running and lets the next attempt re-attach.
 */
async function unlessStopping<T>(work: (cancel: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const { cancellationSignal } = context;
  const cancel = new AbortController();
  const stopping = new Promise<never>((_, reject) => {
    const onAbort = (): void => {
      if (isCancelRequested(context)) cancel.abort();
      else reject(workerStopping());
    };
    if (cancellationSignal.aborted) onAbort();
    else cancellationSignal.addEventListener('abort', onAbort, { once: true });
  });
  return Promise.race([work(cancel.signal), stopping]);
}

async function runLocally(
  deps: ActivityDeps,
  input: RunToolInput,
  call: FreshCall,
): Promise<RunToolResult> {
  if (deps.sandbox?.has(input.sessionId) !== true) return { isAnswered: false };
  const outcome = await deps.sandbox.call(input.sessionId, toToolCall(input, call), {
    waitMs: LOCAL_TOOL_WINDOW_MS,
    ...(call.askedAt === undefined ? {} : { askedAt: call.askedAt }),
  });
  if (outcome.status === 'running') return { isAnswered: false };
  await commitOutcome(deps, input, call, outcome);
  return { isAnswered: true };
}

async function commitOutcome(
  deps: ActivityDeps,
  input: RunToolInput,
  call: FreshCall,
  outcome: ToolOutcome,
): Promise<void> {
  if (outcome.status === 'running') throw new Error('the sandbox returned before the call ended');
  await deps.pausePoint?.('tool-ended');
  const event =
    outcome.status === 'lost'
      ? errorResult(input, { id: input.callId, ...call }, lostText(outcome.reason))
      : resultEvent(input, { id: input.callId, ...call }, outcome);
  await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: input.callId,
    events: [event],
  });
  deps.sandbox?.acknowledge(input.sessionId, input.callId);
  await deps.pausePoint?.('tool-committed');
}

/**
 * Stops calls that nobody waits for any more, if this machine holds the sandbox: the answer says
 * whether all of them are known to be gone. What was never handed over is not begun, what has ended
 * stays as it is. Their results are given by whoever interrupted.
 */
export async function cancelCalls(deps: ActivityDeps, input: CancelCallsInput): Promise<boolean> {
  const { sandbox } = deps;
  if (sandbox === undefined) return false;
  const stopped = await Promise.all(
    input.calls.map(({ id }) => cancelCall(deps, sandbox, { ...input, callId: id })),
  );
  return stopped.every((isStopped) => isStopped);
}

async function cancelCall(
  deps: ActivityDeps,
  sandbox: SandboxHost,
  input: RunToolInput,
): Promise<boolean> {
  const call = await loadToolCall(deps.sql, input.sessionId, input.callId);
  if (call === null) return true;
  const options = { signal: AbortSignal.abort(), waitMs: CANCEL_WAIT_MS };
  try {
    const outcome = await sandbox.call(input.sessionId, toToolCall(input, call), options);
    sandbox.acknowledge(input.sessionId, input.callId);
    return outcome.status !== 'running';
  } catch (error) {
    if (error instanceof SandboxGoneError) return false;
    throw error;
  }
}

/** Gives every call that has no result yet an error result; harmless to repeat. */
export async function answerCalls(deps: ActivityDeps, input: AnswerCallsInput): Promise<void> {
  for (const { id } of input.calls) {
    const call = await loadToolCall(deps.sql, input.sessionId, id);
    if (call === null || call.isAnswered) continue;
    await appendEvents(deps.sql, {
      sessionId: input.sessionId,
      stepKey: id,
      events: [errorResult(input, { id, ...call }, ANSWERS[input.reason])],
    });
  }
}

const ANSWERS: Record<AnswerCallsInput['reason'], string> = {
  interrupted:
    'The user interrupted the session before this call ended. It may have run in part; try it ' +
    'again if it is still wanted.',
  call_lost:
    'The server that made this call stopped before it had the answer. The call may have been made.',
  host_lost:
    'The machine that ran the sandbox is gone. The command may have run; the files of this ' +
    'session are lost, and the next call starts with an empty sandbox.',
  sandbox_failed:
    'The sandbox could not answer. The command may have run; the next call may work again.',
};

/** The sandbox of a session, from the environment it started with. */
export function sandboxSpec(sessionId: string, config: Environment['config']): SandboxSpec {
  const isLimited = config.type === 'cloud' && config.networking.type === 'limited';
  return { sandboxId: sessionId, network: isLimited ? 'none' : 'unrestricted' };
}

function toToolCall(input: RunToolInput, call: FreshCall): ToolCall {
  return { callId: input.callId, tool: call.name as ToolCall['tool'], input: call.input };
}

function lostText(reason: string): string {
  return (
    `The container ended before this call gave its result (${reason}). The command may have run, ` +
    'wholly or in part. Files are kept; the shell and its background processes are gone.'
  );
}
