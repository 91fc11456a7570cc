// Turns a plan into the message and stream events of the Messages API. Pure but for the random ids:
// pauses and failures are parts of the sequence, and whoever writes it to a socket obeys them.

import type Anthropic from '@anthropic-ai/sdk';
import { SCRIPTED_JSON_DELTA_CHARS_MAX } from '../protocol/limits.ts';
import { newModelId, newToolUseId, thinkingSignature } from './blocks.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';
import { CHARS_PER_TOKEN, tokensOf } from './usage.ts';

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
  | Extract<ReplyStep, { kind: 'fail' }>;

const REFUSAL: Anthropic.RefusalStopDetails = {
  type: 'refusal',
  category: null,
  explanation: 'The script asked for a refusal.',
};

/** Drops what does not fit the output limit: text is cut, a call or a thought is left out whole. */
export function fitOutput(plan: ReplyPlan, outputTokensMax: number): ReplyPlan {
  let left = outputTokensMax;
  const steps: ReplyStep[] = [];
  for (const step of plan.steps) {
    const tokens = stepTokens(step);
    if (tokens <= left) {
      left -= tokens;
      steps.push(step);
      continue;
    }
    if (step.kind === 'text') steps.push(...cutText(step, left));
    return { steps, stopReason: 'max_tokens' };
  }
  return { ...plan, steps };
}

/** The whole message, for a request that does not stream. */
export function messageOf(reply: Reply): Anthropic.Message {
  const content: Anthropic.ContentBlock[] = [];
  for (const { block } of blocksOf(reply)) content.push(block);
  const { stopReason } = reply.plan;
  return {
    ...emptyMessage(reply),
    content,
    stop_reason: stopReason,
    stop_details: stopReason === 'refusal' ? REFUSAL : null,
    usage: { ...reply.usage, ...outputUsage(reply.plan) },
  };
}

/** The stream of a reply, in the upstream's order of events. */
export function* replyParts(reply: Reply): Generator<ReplyPart> {
  yield event({ type: 'message_start', message: emptyMessage(reply) });
  const blocks = blocksOf(reply);
  let index = 0;
  for (const step of reply.plan.steps) {
    if (step.kind === 'wait') yield { kind: 'pause', ms: step.ms };
    else if (step.kind === 'fail') {
      yield step;
      return;
    } else {
      yield* blockParts(index, blocks.next().value!);
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
      server_tool_use: null,
      ...outputUsage(reply.plan),
    },
  });
  yield event({ type: 'message_stop' });
}

interface PlannedBlock {
  step: Exclude<ReplyStep, { kind: 'wait' | 'fail' }>;
  block: Anthropic.TextBlock | Anthropic.ThinkingBlock | Anthropic.ToolUseBlock;
}

function* blocksOf({ plan, isThinkingOmitted }: Reply): Generator<PlannedBlock, undefined> {
  let hasThought = false;
  for (const step of plan.steps) {
    switch (step.kind) {
      case 'thinking': {
        hasThought = true;
        const thinking = isThinkingOmitted ? '' : step.text;
        const signature = thinkingSignature(thinking);
        yield { step, block: { type: 'thinking', thinking, signature } };
        break;
      }
      case 'text':
        yield { step, block: { type: 'text', text: step.deltas.join(''), citations: null } };
        break;
      case 'tool_use': {
        const { name, input } = step;
        const id = newToolUseId(hasThought);
        yield { step, block: { type: 'tool_use', id, name, input, caller: { type: 'direct' } } };
        break;
      }
      case 'wait':
      case 'fail':
        break;
    }
  }
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
    case 'tool_use': {
      const json = JSON.stringify(block.input);
      yield delta({ type: 'input_json_delta', partial_json: '' });
      for (let at = 0; at < json.length; at += SCRIPTED_JSON_DELTA_CHARS_MAX) {
        const partial_json = json.slice(at, at + SCRIPTED_JSON_DELTA_CHARS_MAX);
        yield delta({ type: 'input_json_delta', partial_json });
      }
      break;
    }
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
      return { ...block, input: {} };
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

function outputUsage({ steps }: ReplyPlan): {
  output_tokens: number;
  output_tokens_details: Anthropic.OutputTokensDetails | null;
} {
  let total = 0;
  let thinking = 0;
  for (const step of steps) {
    const tokens = stepTokens(step);
    total += tokens;
    if (step.kind === 'thinking') thinking += tokens;
  }
  const details = thinking === 0 ? null : { thinking_tokens: thinking };
  return { output_tokens: Math.max(1, total), output_tokens_details: details };
}

function stepTokens(step: ReplyStep): number {
  switch (step.kind) {
    case 'thinking':
      return tokensOf(step.text);
    case 'text':
      return tokensOf(step.deltas.join(''));
    case 'tool_use':
      return tokensOf(step.name + JSON.stringify(step.input));
    case 'wait':
    case 'fail':
      return 0;
  }
}

function cutText(step: Extract<ReplyStep, { kind: 'text' }>, tokens: number): ReplyStep[] {
  const deltas: string[] = [];
  let room = tokens * CHARS_PER_TOKEN;
  for (const delta of step.deltas) {
    if (room <= 0) break;
    deltas.push(delta.slice(0, room));
    room -= delta.length;
  }
  return deltas.join('').trim() === '' ? [] : [{ ...step, deltas }];
}
