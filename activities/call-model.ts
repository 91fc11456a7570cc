// One model call: the transcript from the log, one streamed request, the reply into the log, all or
// nothing. It appends twice: the span's start as it reads, everything else at the end, keyed by the
// step, so an attempt that finds the step done gives its answer and calls nobody.

import { Context } from '@temporalio/activity';
import type { SessionAgent } from '../protocol/sessions.ts';
import { MODEL_SILENCE_MS } from '../protocol/limits.ts';
import { type Append, appendEvents, type NewEvent, stepEvent } from '../store/events.ts';
import { beginModelCall, countFailedRequests, findOpenSpans } from '../store/model-context.ts';
import type {
  CallModelInput,
  CallModelResult,
  InboxReport,
  PendingCall,
  SessionRef,
} from './messages.ts';
import { type ActivityDeps, isCancelRequested, redact, whileBeating } from './deps.ts';
import { modelFailure, toApplicationFailure, workerStopping } from './failures.ts';
import { idleOf, type IdleStop, runningEvents, waitingIdle } from './idle-events.ts';
import { describeModelError, type ModelMessage, type ModelRequest } from './model/anthropic.ts';
import { PreviewWriter } from './model/preview-writer.ts';
import { pricedUsage } from './model/priced-usage.ts';
import { replyEvents, spanEnd } from './model/reply-events.ts';
import { modelRequest } from './model/request.ts';
import { type ToolBook, toolBook, type Verdict } from './model/tools.ts';
import { beginCall } from './run-tool.ts';

/** What the step row keeps: the small facts that the workflow needs. */
interface ReplyFacts {
  calls?: PendingCall[];
  consumedThrough?: number;
  tokens: [number, number];
}

/** One attempt of one step, with what it read. */
interface Attempt {
  input: CallModelInput;
  number: number;
  stepKey: string;
  /** Names generated content, so that two attempts never mix under one id */
  key: string;
  agent: SessionAgent;
  tools: ToolBook;
  consumedThrough: number;
  spanStartId: string;
}

/** Calls the model for a step. Retryable and final failures leave as documented error types. */
export async function callModel(
  deps: ActivityDeps,
  input: CallModelInput,
): Promise<CallModelResult> {
  const number = Context.current().info.attempt;
  const stepKey = `t${input.turn}.r${input.round}`;
  const key = `${stepKey}.a${number}`;
  const known = deps.transcripts.find(input.threadId);
  const { sessionId, threadId } = input;
  const spanStart = stepEvent({ sessionId, threadId, key }, 0, {
    type: 'span.model_request_start',
  });
  const begun = await beginModelCall(deps.sql, {
    sessionId,
    threadId,
    stepKey,
    turn: input.turn,
    afterPosition: known.position,
    closing: number === 1 ? [] : await closeOpenSpans(deps, input),
    announcing: runningEvents(input, key),
    events: [spanStart],
  });
  if (begun.outcome === 'ended') return { kind: 'ended' };
  if (begun.outcome === 'nothing_new') return { kind: 'nothing_new', seq: begun.seq };
  if (begun.outcome === 'budget_reached') return { kind: 'budget_reached' };
  if (begun.outcome === 'done') {
    return { kind: 'replied', ...(begun.result as never as ReplyFacts & InboxReport) };
  }
  const { agent, consumedThrough } = begun;
  const spanStartId = spanStart.id;
  const tools = toolBook(agent);
  const attempt = { input, number, stepKey, key, agent, tools, consumedThrough, spanStartId };
  const previews = new PreviewWriter(deps.previews, { sessionId, threadId, key }, begun.seq);
  const messages = deps.transcripts.extend(threadId, known, begun.rows);
  return whileBeating(() =>
    request(deps, attempt, modelRequest(agent, messages, deps.models), previews),
  );
}

async function request(
  deps: ActivityDeps,
  attempt: Attempt,
  body: ModelRequest,
  previews: PreviewWriter,
): Promise<CallModelResult> {
  const signal = Context.current().cancellationSignal;
  let message: ModelMessage;
  try {
    message = await readStream(deps, { body, signal, attempt: attempt.number, previews });
  } catch (error) {
    return await closeAttempt(deps, attempt, error);
  }
  await deps.pausePoint?.('model-replied');
  const result = await appendReply(deps, attempt, { message, verdicts: new Map() });
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

async function closeOpenSpans(deps: ActivityDeps, input: CallModelInput): Promise<NewEvent[]> {
  const open = await findOpenSpans(deps.sql, input.sessionId, input.threadId);
  return open.map((startId) => spanEnd({ ...input, startId }, true));
}

/** Everything a reply is, in one append; a reply without tool calls goes idle in the same one. */
async function appendReply(
  deps: ActivityDeps,
  attempt: Attempt,
  { message, verdicts }: { message: ModelMessage; verdicts: ReadonlyMap<number, Verdict> },
): Promise<CallModelResult> {
  const { input } = attempt;
  const names = { sessionId: input.sessionId, threadId: input.threadId };
  const { events, calls } = replyEvents(message, {
    ...names,
    key: attempt.key,
    tools: attempt.tools,
    verdicts,
    redact: deps.showsCommands ? (text) => redact(text, deps.secrets) : null,
  });
  const usage = pricedUsage(deps.models, attempt.agent.model.id, message);
  const { consumedThrough } = attempt;
  const read =
    usage.input_tokens +
    usage.cache_read_input_tokens +
    usage.cache_creation_5m_tokens +
    usage.cache_creation_1h_tokens;
  const result: ReplyFacts = {
    tokens: [read, usage.output_tokens],
    ...(calls.length > 0 ? { calls } : {}),
    ...(consumedThrough > 0 ? { consumedThrough } : {}),
  };
  const stop = stopOf(message, events.some(isToolUse));
  const waiting = calls.filter((call) => call.needs !== undefined);
  const step = { ...names, key: attempt.stepKey };
  const answer = await appendEvents<ReplyFacts>(deps.sql, {
    sessionId: input.sessionId,
    stepKey: attempt.stepKey,
    events: [...events, spanEnd({ ...names, startId: attempt.spanStartId }, false, usage)],
    result: { ...result },
    usage,
    ...(waiting.length > 0 ? { waits: waitsOf(waiting) } : {}),
    // Nothing can go on without a client: it is told at once.
    ...(waiting.length > 0 && waiting.length === calls.length ? { idle: waitingIdle(step) } : {}),
    ...(stop === null
      ? {}
      : { idle: { ...idleOf(step, stop), unless_messages: true, flush: false } }),
  });
  if (answer.outcome === 'ended') return { kind: 'ended' };
  if (answer.outcome === 'repeated') await closeSuperseded(deps, attempt);
  if (answer.outcome === 'appended') {
    // An interrupt that waits already will stop the turn before its calls.
    const mayBegin = answer.result.interruptsThrough === undefined;
    handOver(deps, names, { calls, events, mayBegin });
  }
  return { kind: 'replied', ...answer.result };
}

/** Another attempt was faster, which had lost touch with Temporal: this one's span ends as well. */
async function closeSuperseded(deps: ActivityDeps, attempt: Attempt): Promise<void> {
  const { sessionId, threadId } = attempt.input;
  await appendEvents(deps.sql, {
    sessionId,
    stepKey: `${attempt.key}.end`,
    events: [spanEnd({ sessionId, threadId, startId: attempt.spanStartId }, true)],
  });
}

/** Keeps the calls for the step that runs them, and lets them begin. */
function handOver(
  deps: ActivityDeps,
  session: SessionRef,
  { calls, events, mayBegin }: { calls: PendingCall[]; events: NewEvent[]; mayBegin: boolean },
): void {
  for (const { id, answeredBy, needs } of calls) {
    if (answeredBy !== 'sandbox' || needs !== undefined) continue;
    const event = events.find((one) => one.id === id)!;
    const { name, input } = event.body as unknown as { name: string; input: never };
    const { tool_use_id: toolUseId } = event.private as { tool_use_id: string };
    const call = { name, input, toolUseId };
    const begun = mayBegin ? beginCall(deps, { ...session, callId: id }, call) : call;
    deps.freshCalls.add(id, begun);
  }
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
  return TOOL_USES.includes(event.body.type);
}

const TOOL_USES = ['agent.tool_use', 'agent.mcp_tool_use', 'agent.custom_tool_use'];

function waitsOf(calls: PendingCall[]): Append['waits'] {
  return Object.fromEntries(calls.map(({ id, needs }) => [id, { for: needs! }]));
}

/**
 * Closes an attempt that has no reply: interrupted (the span ends, the step is over), a worker
 * going down (the next attempt closes the span), or failed (the span ends as an error; a retryable
 * failure is announced and the session reschedules until the next attempt).
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
    startId: attempt.spanStartId,
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
  // Counted in the log, not by Temporal: an attempt that met an outage of ours asked no model.
  const failed = failure.isRetryable ? await countFailedRequests(deps.sql, input, attempt) : 0;
  const isLast = !failure.isRetryable || failed + 1 >= deps.modelAttemptsMax;
  await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: `${attempt.key}.end`,
    events: [
      { ...spanEnd(span, true), private: { error: { type: clean.type, message: clean.message } } },
      ...(isLast ? [] : retryingEvents(attempt, clean.type, clean.message)),
    ],
    ...(isLast ? {} : { status: 'rescheduling' as const }),
  });
  throw toApplicationFailure(failure, isLast);
}

function retryingEvents(attempt: Attempt, type: string, message: string): NewEvent[] {
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
