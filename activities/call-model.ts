// One model call: the transcript from the log, one streamed request, the reply into the log, all or
// nothing. It appends twice: the span's start as it reads, everything else at the end, keyed by the
// step, so an attempt that finds the step done gives its answer and calls nobody.

import { Context } from '@temporalio/activity';
import type { SessionAgent } from '../protocol/sessions.ts';
import { webSettingsProblem } from '../protocol/web-settings.ts';
import { type Append, appendEvents, type NewEvent, stepEvent } from '../store/events.ts';
import { beginModelCall } from '../store/model-context.ts';
import type {
  CallModelInput,
  CallModelResult,
  InboxReport,
  PendingCall,
  SessionRef,
} from './messages.ts';
import { type ActivityDeps, redact, whileBeating } from './deps.ts';
import { idleOf, type IdleStop, runningEvents, waitingIdle } from './idle-events.ts';
import { mcpToolsOf } from './mcp-tools.ts';
import {
  closeAttempt,
  closeOpenSpans,
  closeSuperseded,
  type ModelAttempt,
  readStream,
  refuseAttempt,
} from './model-attempt.ts';
import { isOverflowReply, type ModelMessage, type ModelRequest } from './model/anthropic.ts';
import { isNearlyFull } from './model/compaction.ts';
import { judgeCalls, type Judged } from './model/judge.ts';
import { PreviewWriter } from './model/preview-writer.ts';
import { addUsage, pricedUsage } from './model/priced-usage.ts';
import { hasProviderTool, toolUseIds } from './model/reply-blocks.ts';
import { replyEvents, spanEnd } from './model/reply-events.ts';
import { modelRequest } from './model/request.ts';
import { type ToolBook, toolBook } from './model/tools.ts';
import { beginCall } from './run-tool.ts';

/** What the step row keeps: the small facts that the workflow needs. */
interface ReplyFacts {
  calls?: PendingCall[];
  consumedThrough?: number;
  tokens: [number, number];
  isFull?: true;
}

/** One attempt of one step, with what it read. */
interface Attempt extends ModelAttempt {
  agent: SessionAgent;
  tools: ToolBook;
  consumedThrough: number;
}

/** Names a model call; one that is made again after a compaction has a name of its own. */
function modelStepKey({ turn, round, compactions }: CallModelInput): string {
  return `t${turn}.r${round}${compactions === undefined ? '' : `.c${compactions}`}`;
}

/** Calls the model for a step. Retryable and final failures leave as documented error types. */
export async function callModel(
  deps: ActivityDeps,
  input: CallModelInput,
): Promise<CallModelResult> {
  const number = Context.current().info.attempt;
  const stepKey = modelStepKey(input);
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
    round: input.round,
    afterPosition: known.position,
    closing: number === 1 ? [] : await closeOpenSpans(deps, input),
    announcing: runningEvents(input, key),
    events: [spanStart],
  });
  if (begun.outcome === 'ended') return { kind: 'ended' };
  // Nobody waits for this attempt any more.
  if (begun.outcome === 'overtaken') return { kind: 'interrupted' };
  if (begun.outcome === 'nothing_new') return { kind: 'nothing_new', seq: begun.seq };
  if (begun.outcome === 'budget_reached' || begun.outcome === 'rounds_reached') {
    return { kind: begun.outcome };
  }
  if (begun.outcome === 'done') {
    return { kind: 'replied', ...(begun.result as never as ReplyFacts & InboxReport) };
  }
  const { agent, consumedThrough } = begun;
  const spanStartId = spanStart.id;
  const previews = new PreviewWriter(deps.previews, { sessionId, threadId, key }, begun.seq);
  const messages = deps.transcripts.extend(threadId, known, begun.rows);
  return whileBeating(async () => {
    const { turn } = input;
    const named = { input, turn, number, stepKey, key, spanStartId, modelId: agent.model.id };
    const of = { input, key, isTurnStart: input.round === 1 };
    const listed = await mcpToolsOf(deps, agent, of).catch((error: unknown) =>
      closeAttempt(deps, named, error),
    );
    if ('kind' in listed) return listed;
    const problem = webSettingsProblem(agent.tools);
    if (problem !== null) return refuseAttempt(deps, named, problem);
    const attempt = { ...named, agent, tools: toolBook(agent, listed), consumedThrough };
    return request(deps, attempt, modelRequest(agent, messages, deps.models, listed), previews);
  });
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
  const judged = await judgeCalls(deps, attempt, message).catch((error: unknown) => {
    // Only an interrupt or a worker going down comes through: what a judge cannot say is asked.
    return closeAttempt(deps, attempt, error);
  });
  if ('kind' in judged) return judged;
  const takenIds = toolUseIds(body.messages);
  const result = await appendReply(deps, attempt, { message, judged, takenIds });
  await deps.pausePoint?.('model-committed');
  return result;
}

/** Everything a reply is, in one append; a reply without tool calls goes idle in the same one. */
async function appendReply(
  deps: ActivityDeps,
  attempt: Attempt,
  {
    message,
    judged,
    takenIds,
  }: { message: ModelMessage; judged: Judged; takenIds: ReadonlySet<string> },
): Promise<CallModelResult> {
  const { input } = attempt;
  const names = { sessionId: input.sessionId, threadId: input.threadId };
  const { events, calls } = replyEvents(message, {
    ...names,
    key: attempt.key,
    tools: attempt.tools,
    verdicts: judged.verdicts,
    takenIds,
    redact: deps.showsCommands ? (text) => redact(text, deps.secrets) : null,
  });
  const { id } = attempt.agent.model;
  const own = pricedUsage(deps.models, id, message);
  const usage = addUsage(own, ...judged.usages);
  const { consumedThrough } = attempt;
  const read =
    own.input_tokens +
    own.cache_read_input_tokens +
    own.cache_creation_5m_tokens +
    own.cache_creation_1h_tokens;
  const result: ReplyFacts = {
    tokens: [read, own.output_tokens],
    ...(calls.length > 0 ? { calls } : {}),
    ...(consumedThrough > 0 ? { consumedThrough } : {}),
    ...(isNearlyFull(deps.models.find(id), own) || isOverflowReply(message)
      ? { isFull: true }
      : {}),
  };
  const stop = stopOf(message, events);
  const waiting = calls.filter((call) => call.needs !== undefined);
  const step = { ...names, key: attempt.stepKey };
  const answer = await appendEvents<ReplyFacts>(deps.sql, {
    sessionId: input.sessionId,
    stepKey: attempt.stepKey,
    turn: attempt.turn,
    events: [...events, spanEnd({ ...names, startId: attempt.spanStartId }, false, own)],
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
  if (answer.outcome === 'overtaken') return { kind: 'interrupted' };
  if (answer.outcome === 'repeated') await closeSuperseded(deps, attempt);
  if (answer.outcome === 'appended') {
    // An interrupt that waits already will stop the turn before its calls.
    const mayBegin = answer.result.interruptsThrough === undefined;
    handOver(deps, names, { calls, events, mayBegin });
  }
  return { kind: 'replied', ...answer.result };
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
function stopOf(message: ModelMessage, events: readonly NewEvent[]): IdleStop | null {
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
  if (events.some(isToolUse)) return null;
  // sdk 1.11.0: StopReason. Only a reply in the midst of a provider's own tool can be gone on with.
  const isPaused = message.stop_reason === 'pause_turn' && hasProviderTool(message);
  if (isPaused && events.length > 0) return null;
  // Cut for want of room: the turn goes on once there is some.
  if (isOverflowReply(message)) return null;
  return { stop_reason: { type: 'end_turn' }, stop_details: null };
}

function isToolUse(event: NewEvent): boolean {
  return TOOL_USES.includes(event.body.type);
}

const TOOL_USES = ['agent.tool_use', 'agent.mcp_tool_use', 'agent.custom_tool_use'];

function waitsOf(calls: PendingCall[]): Append['waits'] {
  return Object.fromEntries(calls.map(({ id, needs }) => [id, { for: needs! }]));
}
