// A request as the prompt that a model would read: its blocks in the order of the cache's hierarchy
// (tools, system, messages), each with where it ends, in characters. Without a tokenizer four
// characters count as one token.

import type Anthropic from '@anthropic-ai/sdk';
import { blocksOf } from './conversation.ts';
import type { MessagesRequest } from './request.ts';

export const CHARS_PER_TOKEN = 4;
/** An image or a document by reference counts as this many characters, about 1,500 tokens. */
const MEDIA_CHARS = 6000;

export type CacheTtl = '5m' | '1h';

export interface PromptBlock {
  section: 'tools' | 'instructions' | Anthropic.MessageParam['role'];
  value: object;
  /** characters of the prompt up to and with this block */
  endChars: number;
  /** lifetime that a cache breakpoint on it asks for */
  ttl: CacheTtl | undefined;
}

export interface Prompt {
  chars: number;
  blocks: PromptBlock[];
  /** settings that are part of the prompt before its first block, its system and its messages */
  settings: { model: string; system: string; messages: string };
}

/** Tokens of a text, at least one. */
export function tokensOf(text: string): number {
  return Math.max(1, toTokens(text.length));
}

export function toTokens(chars: number): number {
  return Math.ceil(chars / CHARS_PER_TOKEN);
}

/** Reads a checked request. */
export function readPrompt(request: MessagesRequest): Prompt {
  const blocks: PromptBlock[] = [];
  let chars = 0;
  const add = (section: PromptBlock['section'], value: object): void => {
    chars += charsOf(value);
    blocks.push({ section, value, endChars: chars, ttl: ttlOf(value) });
  };
  for (const tool of request.tools ?? []) add('tools', tool);
  const { system = [] } = request;
  const systemBlocks = typeof system === 'string' ? [{ type: 'text', text: system }] : system;
  for (const block of systemBlocks) add('instructions', block);
  for (const message of request.messages) {
    for (const block of blocksOf(message)) add(message.role, block);
  }
  // Automatic caching: the breakpoint of the request is one on its last block.
  const last = blocks.at(-1);
  if (last !== undefined) last.ttl ??= ttlOf(request);
  const { model, speed, thinking, tool_choice, output_config } = request;
  const settings = {
    model,
    system: JSON.stringify(speed ?? null),
    messages: JSON.stringify([thinking, tool_choice, output_config?.effort]),
  };
  return { chars, blocks, settings };
}

function ttlOf(value: object): CacheTtl | undefined {
  const { cache_control: control } = value as { cache_control?: { ttl?: CacheTtl } | null };
  return control == null ? undefined : (control.ttl ?? '5m');
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
