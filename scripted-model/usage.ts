// What a reply reports as its usage: the request's tokens and how the prompt cache served them, the
// output's tokens, web searches; or the counts that the script names instead.

import type Anthropic from '@anthropic-ai/sdk';
import type { CacheUse } from './prompt-cache.ts';
import { tokensOf, toTokens, type Prompt } from './prompt.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';

/** Usage as `message_start` shows it, one output token counted. */
export function usageOf(prompt: Prompt, cached: CacheUse, plan: ReplyPlan): Anthropic.Usage {
  return {
    ...inputUsage(prompt, cached, plan),
    output_tokens: 1,
    output_tokens_details: null,
    server_tool_use: searchUsage(plan),
    service_tier: 'standard',
    speed: 'standard',
    inference_geo: 'not_available',
  };
}

/** Output of a whole reply, thinking told apart. */
export function outputUsage({
  steps,
  usage,
}: ReplyPlan): Pick<Anthropic.Usage, 'output_tokens' | 'output_tokens_details'> {
  if (usage !== undefined) return { output_tokens: usage.output, output_tokens_details: null };
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

/** Output tokens of one step. */
export function stepTokens(step: ReplyStep): number {
  switch (step.kind) {
    case 'thinking':
      return tokensOf(step.text);
    case 'text':
      return tokensOf(step.deltas.join(''));
    case 'tool_use':
      return tokensOf(step.name + JSON.stringify(step.input));
    case 'search':
      return tokensOf(step.query);
    default:
      return 0;
  }
}

type InputUsage = Pick<
  Anthropic.Usage,
  'input_tokens' | 'cache_creation_input_tokens' | 'cache_read_input_tokens' | 'cache_creation'
>;

function inputUsage(prompt: Prompt, cached: CacheUse, { usage }: ReplyPlan): InputUsage {
  const { readChars, longChars, shortChars } = cached;
  // Ends are rounded, not lengths, so that the counts add up to the whole prompt.
  const read = toTokens(readChars);
  const long = toTokens(readChars + longChars) - read;
  const short = toTokens(readChars + longChars + shortChars) - read - long;
  const input = toTokens(prompt.chars) - read - long - short;
  return {
    input_tokens: usage?.input ?? input,
    cache_read_input_tokens: usage?.cache_read ?? read,
    cache_creation_input_tokens: (usage?.cache_5m ?? short) + (usage?.cache_1h ?? long),
    cache_creation: {
      ephemeral_5m_input_tokens: usage?.cache_5m ?? short,
      ephemeral_1h_input_tokens: usage?.cache_1h ?? long,
    },
  };
}

function searchUsage({ steps, searches }: ReplyPlan): Anthropic.ServerToolUsage | null {
  const count = searches + steps.filter(({ kind }) => kind === 'search').length;
  return count === 0 ? null : { web_search_requests: count, web_fetch_requests: 0 };
}
