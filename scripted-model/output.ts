// Turns a plan into the message and stream events of the Messages API. Pure but for the random ids:
// pauses and failures are parts of the sequence, and whoever writes it to a socket obeys them.

import type Anthropic from '@anthropic-ai/sdk';
import { SCRIPTED_JSON_DELTA_CHARS_MAX } from '../protocol/limits.ts';
import { newModelId, newToolUseId, thinkingSignature } from './blocks.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';
import { outputUsage } from './usage.ts';
import { searchBlocks } from './web-search.ts';

export interface Reply {
  plan: ReplyPlan;
  model: string;
  /** usage of the request, before any output */
  usage: Anthropic.Usage;
  /** whether thinking comes back empty, signed only. sdk 1.11.0: ThinkingConfigAdaptive.display */
  isThinkingOmitted: boolean;
}

export type ReplyPart =
  | { kind: 'event'; event: Anthropic.RawMessageStreamEvent }
  | { kind: 'pause'; ms: number }
  | { kind: 'garbage' }
  | Extract<ReplyStep, { kind: 'fail' }>;

const CUT: ReplyPart = { kind: 'fail', status: 0, retryAfterSeconds: undefined };
const REFUSAL: Anthropic.RefusalStopDetails = {
  type: 'refusal',
  category: null,
  explanation: 'The script asked for a refusal.',
};

/** The whole message, for a request that does not stream. */
export function messageOf(reply: Reply): Anthropic.Message {
  const blocksOf = blockMaker(reply);
  const { stopReason, steps } = reply.plan;
  return {
    ...emptyMessage(reply),
    content: steps.flatMap((step) => blocksOf(step).map(({ block }) => block)),
    stop_reason: stopReason,
    stop_details: stopReason === 'refusal' ? REFUSAL : null,
    usage: { ...reply.usage, ...outputUsage(reply.plan) },
  };
}

/** The stream of a reply, in the upstream's order of events. */
export function* replyParts(reply: Reply): Generator<ReplyPart> {
  let cutAfter: number | undefined;
  for (const part of wholeParts(reply)) {
    if (part.kind === 'cut') {
      cutAfter = Math.min(part.after, cutAfter ?? part.after);
    } else if (cutAfter === undefined || part.kind !== 'event') {
      yield part;
    } else {
      const { event: kept, left } = cutEvent(part.event, cutAfter);
      if (kept !== undefined) yield event(kept);
      cutAfter = left;
    }
    if (cutAfter === 0) {
      yield CUT;
      return;
    }
  }
}

function* wholeParts(
  reply: Reply,
): Generator<ReplyPart | Extract<ReplyStep, { kind: 'cut' }>, undefined> {
  yield event({ type: 'message_start', message: emptyMessage(reply) });
  const blocksOf = blockMaker(reply);
  let index = 0;
  for (const step of reply.plan.steps) {
    if (step.kind === 'wait') yield { kind: 'pause', ms: step.ms };
    if (step.kind === 'cut') yield step;
    if (step.kind === 'stall') yield* [{ kind: 'pause', ms: step.ms } as const, CUT];
    if (step.kind === 'fail' || step.kind === 'garbage') yield step;
    if (ENDS.has(step.kind)) return;
    for (const planned of blocksOf(step)) {
      yield* blockParts(index, planned);
      index += 1;
    }
  }
  const { stopReason } = reply.plan;
  const stop_details = stopReason === 'refusal' ? REFUSAL : null;
  yield event({
    type: 'message_delta',
    delta: { container: null, stop_details, stop_reason: stopReason, stop_sequence: null },
    usage: {
      input_tokens: reply.usage.input_tokens,
      cache_creation_input_tokens: reply.usage.cache_creation_input_tokens,
      cache_read_input_tokens: reply.usage.cache_read_input_tokens,
      server_tool_use: reply.usage.server_tool_use,
      ...outputUsage(reply.plan),
    },
  });
  yield event({ type: 'message_stop' });
}

const ENDS: ReadonlySet<ReplyStep['kind']> = new Set(['stall', 'fail', 'garbage']);

/**
 * What of an event still goes out before the cut, and how much may come after it: a delta of text
 * counts as one, one of a tool input by its characters. A reply that is shorter ends at the cut.
 */
function cutEvent(
  value: Anthropic.RawMessageStreamEvent,
  left: number,
): { event: Anthropic.RawMessageStreamEvent | undefined; left: number } {
  if (value.type === 'message_delta') return { event: undefined, left: 0 };
  if (value.type !== 'content_block_delta') return { event: value, left };
  const { delta } = value;
  if (delta.type === 'input_json_delta') {
    const partial_json = delta.partial_json.slice(0, left);
    return {
      event: { ...value, delta: { ...delta, partial_json } },
      left: left - partial_json.length,
    };
  }
  return { event: value, left: delta.type === 'signature_delta' ? left : left - 1 };
}

interface PlannedBlock {
  step: ReplyStep;
  block:
    | Anthropic.TextBlock
    | Anthropic.ThinkingBlock
    | Anthropic.ToolUseBlock
    | Anthropic.ServerToolUseBlock
    | Anthropic.WebSearchToolResultBlock;
}

/** Makes the blocks of one step after the other; ids depend on what stands before. */
function blockMaker({ isThinkingOmitted }: Reply): (step: ReplyStep) => PlannedBlock[] {
  let hasThought = false;
  let id = '';
  return (step) => {
    switch (step.kind) {
      case 'thinking': {
        hasThought = true;
        const thinking = isThinkingOmitted ? '' : step.text;
        const signature = thinkingSignature(thinking);
        return [{ step, block: { type: 'thinking', thinking, signature } }];
      }
      case 'text':
        return [{ step, block: { type: 'text', text: step.deltas.join(''), citations: null } }];
      case 'tool_use': {
        const { name, input } = step;
        if (!step.repeatsId) id = newToolUseId(hasThought);
        return [{ step, block: { type: 'tool_use', id, name, input, caller: { type: 'direct' } } }];
      }
      case 'search':
        return searchBlocks(step.query).map((block) => ({ step, block }));
      default:
        return [];
    }
  };
}

function* blockParts(index: number, { step, block }: PlannedBlock): Generator<ReplyPart> {
  const delta = (value: Anthropic.RawContentBlockDelta): ReplyPart =>
    event({ type: 'content_block_delta', index, delta: value });
  yield event({ type: 'content_block_start', index, content_block: emptied(block) });
  switch (block.type) {
    case 'thinking':
      if (block.thinking !== '') {
        yield delta({ type: 'thinking_delta', thinking: block.thinking });
      }
      yield delta({ type: 'signature_delta', signature: block.signature });
      break;
    case 'text': {
      const { deltas, deltaMs } = step as Extract<ReplyStep, { kind: 'text' }>;
      for (const text of deltas) {
        yield delta({ type: 'text_delta', text });
        if (deltaMs > 0) yield { kind: 'pause', ms: deltaMs };
      }
      break;
    }
    case 'tool_use':
    case 'server_tool_use': {
      const json = JSON.stringify(block.input);
      yield delta({ type: 'input_json_delta', partial_json: '' });
      for (let at = 0; at < json.length; at += SCRIPTED_JSON_DELTA_CHARS_MAX) {
        const partial_json = json.slice(at, at + SCRIPTED_JSON_DELTA_CHARS_MAX);
        yield delta({ type: 'input_json_delta', partial_json });
      }
      break;
    }
    case 'web_search_tool_result':
      break;
  }
  yield event({ type: 'content_block_stop', index });
}

function emptied(block: PlannedBlock['block']): PlannedBlock['block'] {
  switch (block.type) {
    case 'thinking':
      return { ...block, thinking: '', signature: '' };
    case 'text':
      return { ...block, text: '' };
    case 'tool_use':
    case 'server_tool_use':
      return { ...block, input: {} };
    case 'web_search_tool_result':
      return block;
  }
}

function emptyMessage({ model, usage }: Reply): Anthropic.Message {
  return {
    id: newModelId('msg_'),
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    container: null,
    diagnostics: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage,
  };
}

function event(value: Anthropic.RawMessageStreamEvent): ReplyPart {
  return { kind: 'event', event: value };
}
