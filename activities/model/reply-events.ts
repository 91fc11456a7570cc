// A finished reply as events: pure. Consecutive text blocks are one agent.message, each thinking
// block one agent.thinking, each tool use one agent.tool_use. Ids come from the step, the attempt
// and the provider's index of the first block that says something, so that a preview, which begins
// with the first words, has the same id.
// The provider's exact blocks ride, unserved, on the first event; the transcript reads them there.

import { generatedEventId } from '../../protocol/ids.ts';
import { CALL_SUMMARY_CHARS_MAX } from '../../protocol/limits.ts';
import { storableText } from '../../protocol/text.ts';
import { type NewEvent, stepEvent, type TokenUsage } from '../../store/events.ts';
import type { PermissionPolicy } from '../../protocol/tools.ts';
import type { PendingCall } from '../messages.ts';
import type { ModelMessage } from './anthropic.ts';
import {
  contentToSend,
  isJsonObject,
  type ReplyBlock,
  type UsableBlock,
  usableBlocks,
} from './reply-blocks.ts';
import { errorResult } from './result-events.ts';
import type { BookedTool, ToolBook, Verdict } from './tools.ts';

export interface AttemptKey {
  sessionId: string;
  threadId: string;
  /** Step and attempt */
  key: string;
}

export interface ReplyContext extends AttemptKey {
  /** Every tool the model was offered, by the name it knows */
  tools: ToolBook;
  /** What the judge said of calls whose policy is `auto`, by their index in the reply */
  verdicts: ReadonlyMap<number, Verdict>;
  /** Ids of the tool uses that the conversation has already */
  takenIds: ReadonlySet<string>;
  /** Takes known secrets out of a command summary; null: no summary may enter the history */
  redact: ((text: string) => string) | null;
}

export interface Reply {
  events: NewEvent[];
  calls: PendingCall[];
}

/** Id of the event whose first content block has this index in the reply. */
export function replyEventId(attempt: AttemptKey, type: string, blockIndex: number): string {
  return generatedEventId(attempt.sessionId, attempt.key, type, blockIndex);
}

/** Id of the end of a span, from its start: whoever closes it arrives at the same one. */
export function spanEndId(sessionId: string, startId: string): string {
  return generatedEventId(sessionId, startId, 'span.model_request_end');
}

/** The events of a reply in their order, and the calls it leaves to be run. */
export function replyEvents(message: ModelMessage, context: ReplyContext): Reply {
  const usable = usableBlocks(message, context.takenIds);
  const events: NewEvent[] = [];
  const calls: PendingCall[] = [];
  usable.forEach(({ block, sent, index }, at) => {
    switch (block.type) {
      case 'thinking':
      case 'redacted_thinking':
        events.push(stepEvent(context, index, { type: 'agent.thinking' }));
        return;
      case 'text':
        if (usable[at - 1]?.block.type !== 'text') {
          events.push(
            stepEvent(context, index, { type: 'agent.message', content: texts(usable, at) }),
          );
        }
        return;
      case 'tool_use': {
        const { id } = sent as typeof block;
        const { events: added, call } = toolUse({ ...block, id }, index, context);
        events.push(...added);
        if (call !== undefined) calls.push(call);
        return;
      }
      default:
    }
  });
  const first = events[0];
  const content = contentToSend(usable);
  if (first !== undefined && content.length > 0) {
    first.private = { ...(first.private as object | undefined), content };
  }
  return { events, calls };
}

/** sdk 1.11.0: BetaManagedAgentsSpanModelRequestEndEvent. */
export function spanEnd(
  span: { sessionId: string; threadId: string; startId: string },
  isError: boolean | null,
  usage?: TokenUsage,
): NewEvent {
  const id = spanEndId(span.sessionId, span.startId);
  return {
    id,
    thread_id: span.threadId,
    body: {
      id,
      type: 'span.model_request_end',
      is_error: isError,
      model_request_start_id: span.startId,
      model_usage: {
        cache_creation_input_tokens:
          (usage?.cache_creation_5m_tokens ?? 0) + (usage?.cache_creation_1h_tokens ?? 0),
        cache_read_input_tokens: usage?.cache_read_input_tokens ?? 0,
        input_tokens: usage?.input_tokens ?? 0,
        output_tokens: usage?.output_tokens ?? 0,
      },
    },
  };
}

type ToolUse = Extract<ReplyBlock, { type: 'tool_use' }>;

function texts(usable: UsableBlock[], from: number): { type: 'text'; text: string }[] {
  const group: { type: 'text'; text: string }[] = [];
  for (const { block } of usable.slice(from)) {
    if (block.type !== 'text') break;
    group.push({ type: 'text', text: block.text });
  }
  return group;
}

function toolUse(
  block: ToolUse,
  index: number,
  context: ReplyContext,
): { events: NewEvent[]; call?: PendingCall } {
  const tool = context.tools.get(block.name);
  const body = {
    ...kindOf(tool),
    name: tool?.name ?? block.name,
    input: isJsonObject(block.input) ? block.input : {},
  };
  const hidden = { tool_use_id: block.id };
  // Refused before any policy applied: no `evaluation` (behaviour 3.2), and the answer is ours.
  const refused = (text: string) => {
    const denied = tool?.runsIn === 'client' ? {} : { evaluated_permission: 'deny' };
    const event = stepEvent(context, index, { ...body, ...denied }, hidden);
    return answeredAtOnce(event, context, text);
  };
  if (tool === undefined) {
    return refused(`There is no tool named ${block.name} in this session.`);
  }
  if (!isJsonObject(block.input)) {
    return refused('The call was not made: its input is not a whole JSON object.');
  }
  const pending = {
    name: tool.name,
    answeredBy: tool.runsIn,
    ...(tool.isRepeatable === undefined ? {} : { isRepeatable: tool.isRepeatable }),
    ...summaryOf(body.input, tool, context),
  };
  if (tool.runsIn === 'client') {
    const event = stepEvent(context, index, body, hidden);
    return { events: [event], call: { id: event.id, ...pending, needs: 'result' } };
  }
  const permission = evaluate(tool.policy, context.verdicts.get(index));
  const event = stepEvent(context, index, { ...body, ...permission }, hidden);
  switch (permission.evaluated_permission) {
    case 'allow':
      return { events: [event], call: { id: event.id, ...pending } };
    case 'ask':
      return { events: [event], call: { id: event.id, ...pending, needs: 'confirmation' } };
    case 'deny':
      return answeredAtOnce(event, context, 'Permission to use this tool was denied.');
  }
}

/** The kind of event that a call of the tool is. */
function kindOf(tool: BookedTool | undefined) {
  switch (tool?.runsIn) {
    case 'client':
      return { type: 'agent.custom_tool_use' };
    case 'mcp':
      return { type: 'agent.mcp_tool_use', mcp_server_name: tool.server };
    default:
      return { type: 'agent.tool_use' };
  }
}

function answeredAtOnce(event: NewEvent, context: ReplyContext, text: string) {
  const { tool_use_id: toolUseId } = event.private as { tool_use_id: string };
  const call = { id: event.id, type: event.body.type, toolUseId };
  return { events: [event, errorResult(context, call, text)] };
}

type Permission =
  | { evaluated_permission: 'allow' | 'ask'; evaluation: { type: 'always_allow' | 'always_ask' } }
  | {
      evaluated_permission: 'allow' | 'ask' | 'deny';
      evaluation: { type: 'auto'; evaluated_permission: object };
    };

/** sdk 1.11.0: AgentToolEvaluation. Without a verdict `auto` asks, as if nobody could tell. */
function evaluate(
  policy: PermissionPolicy['type'],
  verdict: Verdict = { type: 'ask', reason: 'indeterminate' },
): Permission {
  if (policy === 'always_allow') {
    return { evaluated_permission: 'allow', evaluation: { type: policy } };
  }
  if (policy === 'always_ask') return { evaluated_permission: 'ask', evaluation: { type: policy } };
  const { type } = verdict;
  const judged = type === 'allow' ? { type } : { type, reason_code: verdict.reason };
  return { evaluated_permission: type, evaluation: { type: 'auto', evaluated_permission: judged } };
}

/**
 * What a person reads of a call in the history. Redacted before it is cut, or half a secret would
 * survive at the cut; storable, since the cut may halve a character and a command may hold a NUL.
 */
function summaryOf(
  input: Record<string, unknown>,
  tool: BookedTool,
  { redact }: ReplyContext,
): { summary?: string } {
  if (redact === null) return {};
  const main =
    input.command ??
    input.file_path ??
    input.path ??
    input.pattern ??
    input.url ??
    input.query ??
    '';
  const text = typeof main === 'string' ? redact(main).replaceAll(/\s+/g, ' ').trim() : '';
  const name = tool.server === undefined ? tool.name : `${tool.server} · ${tool.name}`;
  return { summary: storableText(`${name} · ${text}`.slice(0, CALL_SUMMARY_CHARS_MAX)) };
}
