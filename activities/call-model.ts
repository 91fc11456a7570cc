// One model call: the transcript from the log, one streamed request, the reply into the log, all or
// nothing. It appends twice: the span's start beside the request, everything else at the end. Both
// are keyed by the step, so an attempt that finds the step done gives its answer and calls nobody.

import { ApplicationFailure, Context } from '@temporalio/activity';
import type { SessionAgent } from '../protocol/sessions.ts';
import { MODEL_SILENCE_MS } from '../protocol/limits.ts';
import { appendEvents, type NewEvent, stepEvent } from '../store/events.ts';
import { findOpenSpans, loadModelContext, type ModelContext } from '../store/model-context.ts';
import type { CallModelInput } from './messages.ts';
import type { CallModelResult, PendingCall } from './messages.ts';
import { type ActivityDeps, isCancelRequested, redact, whileBeating } from './deps.ts';
import { modelFailure, toApplicationFailure, workerStopping } from './failures.ts';
import { idleEvents, type IdleStop, runningEvents } from './idle-events.ts';
import { describeModelError, type ModelMessage, type ModelRequest } from './model/anthropic.ts';
import { PreviewWriter } from './model/preview-writer.ts';
import { replyEvents, spanEnd, tokenUsage } from './model/reply-events.ts';
import { modelRequest } from './model/request.ts';
import { enabledTools } from './model/tools.ts';

/** What the step row keeps: the small facts that the workflow needs. */
interface ReplyFacts {
  calls: PendingCall[];
  consumedThrough: number;
}

/** One attempt of one step, with everything it read. */
interface Attempt {
  input: CallModelInput;
  number: number;
  stepKey: string;
  /** Names generated content, so that two attempts never mix under one id */
  key: string;
  agent: SessionAgent;
  consumeThrough: number;
  /** No attempt before this one has started the turn */
  isTurnStart: boolean;
  /** The client is to be told that the session runs: at the start, and after a pause for retrying */
  isAnnounced: boolean;
  spanStart: NewEvent;
}

/** Calls the model for a step. Retryable and final failures leave as documented error types. */
export async function callModel(
  deps: ActivityDeps,
  input: CallModelInput,
): Promise<CallModelResult> {
  const stepKey = `t${input.turn}.r${input.round}`;
  const known = deps.transcripts.find(input.threadId);
  const afterPosition = known.position;
  const context = await loadModelContext(deps.sql, { ...input, stepKey, afterPosition });
  if (context === null || context.status === 'terminated') return { kind: 'ended' };
  if (context.done !== null) {
    return { kind: 'replied', ...(context.done as never as ReplyFacts & Inbox) };
  }
  const newestSeq = context.rows.reduce((max, row) => Math.max(max, row.seq), 0);
  const attempt = newAttempt(input, stepKey, context);
  if (attempt.isTurnStart && attempt.consumeThrough === 0) {
    return { kind: 'nothing_new', seq: newestSeq };
  }
  const messages = deps.transcripts.extend(input.threadId, known, context.rows);
  return whileBeating(() => request(deps, attempt, modelRequest(context.agent, messages)));
}

type Inbox = { idle: boolean; messagesThrough: number; interruptsThrough: number; seq: number };

function newAttempt(input: CallModelInput, stepKey: string, context: ModelContext): Attempt {
  const number = Context.current().info.attempt;
  const key = `${stepKey}.a${number}`;
  const step = { sessionId: input.sessionId, threadId: input.threadId, key };
  return {
    input,
    number,
    stepKey,
    key,
    agent: context.agent,
    isTurnStart: context.turn < input.turn,
    isAnnounced: context.turn < input.turn || context.status !== 'running',
    consumeThrough: context.rows.reduce((max, row) => (row.position === null ? row.seq : max), 0),
    spanStart: stepEvent(step, 0, { type: 'span.model_request_start' }),
  };
}

async function request(
  deps: ActivityDeps,
  attempt: Attempt,
  body: ModelRequest,
): Promise<CallModelResult> {
  const { input } = attempt;
  const stop = new AbortController();
  const signal = AbortSignal.any([Context.current().cancellationSignal, stop.signal]);
  const previews = new PreviewWriter(deps.previews, { ...input, key: attempt.key });
  const started = appendStart(deps, attempt).then((seq) => {
    if (seq === null) stop.abort();
    else previews.open(seq);
    return seq;
  });
  // Met below; without this a failed append would be unhandled while the stream is still open.
  started.catch(() => stop.abort());
  let message: ModelMessage;
  try {
    message = await readStream(deps, { body, signal, attempt: attempt.number, previews });
    if ((await started) === null) return { kind: 'ended' };
  } catch (error) {
    if ((await started) === null) return { kind: 'ended' };
    return await closeAttempt(deps, attempt, error);
  }
  await deps.pausePoint?.('model-replied');
  const result = await appendReply(deps, attempt, message);
  await deps.pausePoint?.('model-committed');
  return result;
}

/** Reads one reply to its end; rejects when the stream breaks, falls silent or is cancelled. */
async function readStream(
  deps: ActivityDeps,
  call: { body: ModelRequest; signal: AbortSignal; attempt: number; previews: PreviewWriter },
): Promise<ModelMessage> {
  const silence = new AbortController();
  const signal = AbortSignal.any([call.signal, silence.signal]);
  const watch = setTimeout(() => silence.abort(), MODEL_SILENCE_MS);
  try {
    const stream = deps.model.stream(call.body, { signal, attempt: call.attempt });
    for await (const event of stream) {
      watch.refresh();
      call.previews.take(event);
    }
    return await stream.finalMessage();
  } finally {
    clearTimeout(watch);
    call.previews.close();
  }
}

/** The start of the span, and of the turn where it begins one; the answer is the log's newest seq. */
async function appendStart(deps: ActivityDeps, attempt: Attempt): Promise<number | null> {
  const { input } = attempt;
  const dangling = attempt.number === 1 ? [] : await closeOpenSpans(deps, input);
  const events = [
    ...dangling,
    ...(attempt.isAnnounced ? runningEvents(input, attempt.key, attempt.agent.name) : []),
    attempt.spanStart,
  ];
  const answer = await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: `${attempt.key}.start`,
    events,
    consumeThrough: attempt.consumeThrough,
    status: 'running',
    turn: input.turn,
  });
  return answer.outcome === 'ended' ? null : answer.result.seq;
}

async function closeOpenSpans(deps: ActivityDeps, input: CallModelInput): Promise<NewEvent[]> {
  const open = await findOpenSpans(deps.sql, input.sessionId, input.threadId);
  return open.map((startId) => spanEnd({ ...input, startId }, true));
}

/** Everything a reply is, in one append; a reply without tool calls goes idle in the same one. */
async function appendReply(
  deps: ActivityDeps,
  attempt: Attempt,
  message: ModelMessage,
): Promise<CallModelResult> {
  const { input } = attempt;
  const names = { sessionId: input.sessionId, threadId: input.threadId };
  const { events, calls } = replyEvents(message, {
    ...names,
    key: attempt.key,
    enabledTools: enabledTools(attempt.agent),
    previews: input.previews,
  });
  for (const call of calls) {
    if (call.summary !== undefined) call.summary = redact(call.summary, deps.secrets);
  }
  const usage = tokenUsage(message.usage);
  const result: ReplyFacts = { calls, consumedThrough: attempt.consumeThrough };
  const stop = stopOf(message, events.some(isToolUse));
  const answer = await appendEvents<ReplyFacts>(deps.sql, {
    sessionId: input.sessionId,
    stepKey: attempt.stepKey,
    events: [...events, spanEnd({ ...names, startId: attempt.spanStart.id }, false, usage)],
    result: { ...result },
    usage,
    ...(stop === null
      ? {}
      : {
          idle: {
            unless_messages: true,
            flush: false,
            events: idleEvents({ ...names, key: attempt.stepKey }, attempt.agent.name, stop),
          },
        }),
  });
  if (answer.outcome === 'ended') return { kind: 'ended' };
  return { kind: 'replied', ...answer.result };
}

/** Why the turn ends with this reply, or null when it goes on. */
function stopOf(message: ModelMessage, hasToolUse: boolean): IdleStop | null {
  if (message.stop_reason === 'refusal') {
    const details = message.stop_details;
    return {
      stop_reason: { type: 'refusal' },
      stop_details: {
        type: 'refusal',
        category: details?.category ?? null,
        explanation: details?.explanation ?? null,
      },
    };
  }
  if (message.stop_reason === 'pause_turn' || hasToolUse) return null;
  return { stop_reason: { type: 'end_turn' }, stop_details: null };
}

function isToolUse(event: NewEvent): boolean {
  return event.body.type === 'agent.tool_use';
}

/**
 * Closes an attempt that has no reply: interrupted (the span ends, the step is over), a worker going
 * down (the next attempt closes the span), or failed (the span ends as an error; a retryable failure
 * is announced and the session reschedules until the next attempt).
 */
async function closeAttempt(
  deps: ActivityDeps,
  attempt: Attempt,
  error: unknown,
): Promise<CallModelResult> {
  const { input } = attempt;
  const span = {
    sessionId: input.sessionId,
    threadId: input.threadId,
    startId: attempt.spanStart.id,
  };
  if (Context.current().cancellationSignal.aborted) {
    if (!isCancelRequested(Context.current())) throw workerStopping();
    await appendEvents(deps.sql, {
      sessionId: input.sessionId,
      stepKey: `${attempt.key}.end`,
      events: [spanEnd(span, null)],
    });
    return { kind: 'interrupted' };
  }
  const failure = modelFailure(describeModelError(error));
  const clean = { ...failure, message: redact(failure.message, deps.secrets) };
  deps.log.warn(
    { session: input.sessionId, attempt: attempt.number, type: clean.type, err: clean.message },
    'model request failed',
  );
  const isLast = !failure.isRetryable || attempt.number >= input.attemptsMax;
  await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: `${attempt.key}.end`,
    events: [
      spanEnd(span, true),
      ...(isLast ? [] : retryingEvents(attempt, clean.type, clean.message)),
    ],
    ...(isLast ? {} : { status: 'rescheduling' as const }),
  });
  if (isLast) {
    throw ApplicationFailure.create({
      type: clean.type,
      message: clean.message,
      nonRetryable: true,
    });
  }
  throw toApplicationFailure(clean);
}

function retryingEvents(attempt: Attempt, type: string, message: string): NewEvent[] {
  const { input } = attempt;
  const step = { sessionId: input.sessionId, threadId: input.threadId, key: `${attempt.key}.end` };
  const error = { type, message, retry_status: { type: 'retrying' } };
  return [
    stepEvent(step, 0, { type: 'session.error', error }),
    stepEvent(step, 1, {
      type: 'session.thread_status_rescheduled',
      agent_name: attempt.agent.name,
      session_thread_id: input.threadId,
    }),
    stepEvent(step, 2, { type: 'session.status_rescheduled' }),
  ];
}
