// Token counts without a tokenizer: four characters are a token. Prompt-cache counts are an
// estimate from the request alone: what stands before the last assistant message was in the request
// before this one, so where breakpoints cover it, it is read from the cache. Equal requests have
// equal counts, also after a restart or a retry, which keeps undisturbed and disturbed runs
// comparable.

import type Anthropic from '@anthropic-ai/sdk';
import { blocksOf } from './conversation.ts';
import type { MessagesRequest } from './request.ts';

export const CHARS_PER_TOKEN = 4;
/** An image or a document by reference counts as this many characters, about 1,500 tokens. */
const MEDIA_CHARS = 6000;

interface Breakpoint {
  /** characters of the prompt up to and with the marked block */
  chars: number;
  ttl: '5m' | '1h';
}

interface Prompt {
  chars: number;
  breakpoints: Breakpoint[];
  /** characters before the last assistant message: what an earlier request has sent already */
  sentBeforeChars: number;
}

/** Tokens of a text, at least one. */
export function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARS_PER_TOKEN));
}

/** Tokens of the whole prompt, cached or not. */
export function inputTokensOf(request: MessagesRequest): number {
  return toTokens(measure(request).chars);
}

/** Usage of a request as `message_start` shows it, one output token counted. */
export function usageOf(request: MessagesRequest): Anthropic.Usage {
  const { chars, breakpoints, sentBeforeChars } = measure(request);
  const last = breakpoints.at(-1);
  const written = last?.chars ?? 0;
  // A breakpoint behind the last assistant message moves along with the conversation: the request
  // before had it at its own end.
  const read =
    written > sentBeforeChars
      ? sentBeforeChars
      : (breakpoints.findLast((point) => point.chars <= sentBeforeChars)?.chars ?? 0);
  const total = toTokens(chars);
  const cacheRead = toTokens(read);
  const cacheCreation = toTokens(written) - cacheRead;
  const isLong = last?.ttl === '1h';
  return {
    input_tokens: total - cacheRead - cacheCreation,
    cache_creation_input_tokens: cacheCreation,
    cache_read_input_tokens: cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: isLong ? 0 : cacheCreation,
      ephemeral_1h_input_tokens: isLong ? cacheCreation : 0,
    },
    output_tokens: 1,
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    speed: 'standard',
    inference_geo: 'not_available',
  };
}

/** Measures in the order of the cache's hierarchy: tools, system, messages. */
function measure(request: MessagesRequest): Prompt {
  const prompt: Prompt = { chars: 0, breakpoints: [], sentBeforeChars: 0 };
  const add = (value: object, chars: number): void => {
    prompt.chars += chars;
    const { cache_control: control } = value as { cache_control?: Anthropic.CacheControlEphemeral };
    if (control != null) prompt.breakpoints.push({ chars: prompt.chars, ttl: control.ttl ?? '5m' });
  };
  for (const tool of request.tools ?? []) add(tool, charsOf(tool));
  const { system } = request;
  if (typeof system === 'string') prompt.chars += system.length;
  else for (const block of system ?? []) add(block, block.text.length);
  for (const message of request.messages) {
    if (message.role === 'assistant') prompt.sentBeforeChars = prompt.chars;
    for (const block of blocksOf(message)) add(block, charsOf(block));
  }
  const control = request.cache_control;
  if (control != null) prompt.breakpoints.push({ chars: prompt.chars, ttl: control.ttl ?? '5m' });
  return prompt;
}

/** Characters of everything a model reads in a JSON value; bytes of media count flat. */
function charsOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  let chars = 0;
  if (Array.isArray(value)) {
    for (const item of value) chars += charsOf(item);
    return chars;
  }
  const record = value as Record<string, unknown>;
  const type = record['type'];
  // Nearly all of a transcript is this, so it is worth its line.
  if (type === 'text' && typeof record['text'] === 'string') return record['text'].length;
  if (type === 'base64' || type === 'url' || type === 'file') return MEDIA_CHARS;
  // for-in makes no arrays; these are plain objects from JSON.
  for (const key in record) {
    if (key !== 'cache_control') chars += key.length + charsOf(record[key]);
  }
  return chars;
}

function toTokens(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}
