// One attempt of one model request, whatever it is for: reading its stream within bounds, and
// closing it when it has no reply. Promise: every span that was begun ends, a failure that will be
// tried again is announced, and what the endpoint said stays in the log.

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { appendEvents, type NewEvent, stepEvent } from '../store/events.ts';
import { countFailedRequests, findOpenSpans } from '../store/model-context.ts';
import { type ActivityDeps, isCancelRequested, redact } from './deps.ts';
import {
  modelFailure,
  modelFailureText,
  toApplicationFailure,
  workerStopping,
} from './failures.ts';
import type { SessionRef } from './messages.ts';
import {
  describeModelError,
  type ModelMessage,
  type ModelRequest,
  ModelSilenceError,
} from './model/anthropic.ts';
import type { PreviewWriter } from './model/preview-writer.ts';
import { spanEnd } from './model/reply-events.ts';
import { StreamedInputs } from './model/streamed-inputs.ts';

/** What names an attempt; `key` names what it generates, so that two never mix under one id. */
export interface ModelAttempt {
  input: SessionRef;
  turn: number;
  number: number;
  stepKey: string;
  key: string;
  spanStartId: string;
  modelId: string;
}

/** Reads one reply to its end; rejects when the stream breaks, falls silent or is cancelled. */
export async function readStream(
  deps: ActivityDeps,
  call: { body: ModelRequest; signal: AbortSignal; attempt: number; previews?: PreviewWriter },
): Promise<ModelMessage> {
  const silence = new AbortController();
  const signal = AbortSignal.any([call.signal, silence.signal]);
  const watch = setTimeout(() => silence.abort(), deps.modelSilenceMs);
  const inputs = new StreamedInputs();
  try {
    const stream = deps.model.stream(call.body, { signal, attempt: call.attempt });
    for await (const event of stream) {
      watch.refresh();
      inputs.take(event);
      call.previews?.take(event);
    }
    return inputs.settle(await stream.finalMessage());
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    const seconds = deps.modelSilenceMs / 1000;
    throw new ModelSilenceError(`the model endpoint said nothing for ${seconds} seconds`);
  } finally {
    clearTimeout(watch);
    call.previews?.close();
  }
}

/** Ends of the spans that attempts before this one left open. */
export async function closeOpenSpans(deps: ActivityDeps, input: SessionRef): Promise<NewEvent[]> {
  const open = await findOpenSpans(deps.sql, input.sessionId, input.threadId);
  return open.map((startId) => spanEnd({ ...input, startId }, true));
}

/** Another attempt was faster, which had lost touch with Temporal: this one's span ends as well. */
export async function closeSuperseded(deps: ActivityDeps, attempt: ModelAttempt): Promise<void> {
  const { sessionId, threadId } = attempt.input;
  await appendEvents(deps.sql, {
    sessionId,
    stepKey: `${attempt.key}.end`,
    events: [spanEnd({ sessionId, threadId, startId: attempt.spanStartId }, true)],
  });
}

/** Ends an attempt that no model can be asked in; the reason is what clients read. */
export async function refuseAttempt(
  deps: ActivityDeps,
  attempt: ModelAttempt,
  message: string,
): Promise<never> {
  const { sessionId, threadId } = attempt.input;
  const end = spanEnd({ sessionId, threadId, startId: attempt.spanStartId }, true);
  const error = { type: 'unknown_error', message };
  await appendEvents(deps.sql, {
    sessionId,
    stepKey: `${attempt.key}.end`,
    turn: attempt.turn,
    events: [{ ...end, private: { error } }],
  });
  throw ApplicationFailure.create({
    type: error.type,
    message: 'the session cannot go on as it is set up; the session.error event says why',
    nonRetryable: true,
  });
}

/**
 * Closes an attempt that has no reply: interrupted (the span ends, the step is over), overflowed
 * (the conversation is too long for the model), a worker going down (the next attempt closes the
 * span), or failed (the span ends as an error; a retryable failure is announced and the session
 * reschedules until the next attempt). The last two leave as errors.
 */
export async function closeAttempt(
  deps: ActivityDeps,
  attempt: ModelAttempt,
  error: unknown,
): Promise<{ kind: 'interrupted' } | { kind: 'overflowed' }> {
  const { input } = attempt;
  const span = {
    sessionId: input.sessionId,
    threadId: input.threadId,
    startId: attempt.spanStartId,
  };
  if (Context.current().cancellationSignal.aborted) {
    if (!isCancelRequested(Context.current())) throw workerStopping();
    await appendEvents(deps.sql, {
      sessionId: input.sessionId,
      stepKey: `${attempt.key}.end`,
      turn: attempt.turn,
      events: [spanEnd(span, null)],
    });
    return { kind: 'interrupted' };
  }
  const described = describeModelError(error);
  if (described.isOverflow) {
    // Told only where no compaction can make it fit.
    const error = { type: 'model_request_failed_error', message: OVERFLOW };
    const events = [{ ...spanEnd(span, true), private: { error } }];
    const { sessionId } = input;
    const stepKey = `${attempt.key}.end`;
    await appendEvents(deps.sql, { sessionId, stepKey, turn: attempt.turn, events });
    return { kind: 'overflowed' };
  }
  const failure = modelFailure(described);
  const text = modelFailureText(described, attempt.modelId);
  const clean = { ...failure, message: redact(text, deps.secrets) };
  deps.log.warn(
    { session: input.sessionId, attempt: attempt.number, type: clean.type, err: clean.message },
    'model request failed',
  );
  // Counted in the log, not by Temporal: an attempt that met an outage of ours asked no model.
  const failed = failure.isRetryable ? await countFailedRequests(deps.sql, input, attempt) : 0;
  const isLast = !failure.isRetryable || failed + 1 >= deps.modelAttemptsMax;
  await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: `${attempt.key}.end`,
    turn: attempt.turn,
    events: [
      { ...spanEnd(span, true), private: { error: { type: clean.type, message: clean.message } } },
      ...(isLast ? [] : retryingEvents(attempt, clean.type, clean.message)),
    ],
    ...(isLast ? {} : { status: 'rescheduling' as const }),
  });
  throw toApplicationFailure(failure, isLast);
}

const OVERFLOW =
  'The conversation does not fit the model, not even shortened to be summarised. ' +
  'Start a new session, or send less at once.';

function retryingEvents(attempt: ModelAttempt, type: string, message: string): NewEvent[] {
  const { input } = attempt;
  const step = { sessionId: input.sessionId, threadId: input.threadId, key: `${attempt.key}.end` };
  const error = { type, message, retry_status: { type: 'retrying' } };
  return [
    stepEvent(step, 0, { type: 'session.error', error }),
    stepEvent(step, 1, {
      type: 'session.thread_status_rescheduled',
      session_thread_id: input.threadId,
    }),
    stepEvent(step, 2, { type: 'session.status_rescheduled' }),
  ];
}
