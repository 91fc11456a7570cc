// The blocks of a reply that a conversation can go on from: pure. Whatever the next request could
// not hold is left out or mended here, once, before it enters the log: a conversation that a
// provider refuses would be refused for ever. What is in order goes back exactly as it came.

import type Anthropic from '@anthropic-ai/sdk';
import { TOOL_NAME_CHARS_MAX } from '../../protocol/limits.ts';
import { isOverflowReply, type ModelMessage } from './anthropic.ts';

export type ReplyBlock = ModelMessage['content'][number];

export interface UsableBlock {
  block: ReplyBlock;
  /** The same as later requests carry it */
  sent: ReplyBlock;
  /** Its index in the provider's reply, which previews know too */
  index: number;
}

/** Whether a text says anything: no request may hold one that is empty or blank. */
export function saysSomething(text: string): boolean {
  return /\S/.test(text);
}

/** Whether a value is an object with fields, which every tool's input has to be. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A refusal leaves nothing to go on from; a tool use cut by a token limit has no whole input; a
 * blank text says nothing. `taken` holds the ids of the tool uses before this reply.
 */
export function usableBlocks(message: ModelMessage, taken: ReadonlySet<string>): UsableBlock[] {
  if (message.stop_reason === 'refusal') return [];
  const said = message.content
    .map((block, index) => ({ block, index }))
    .filter(({ block }) => block.type !== 'text' || saysSomething(block.text));
  const isShort = message.stop_reason === 'max_tokens' || isOverflowReply(message);
  const isCut = isShort && said.at(-1)?.block.type === 'tool_use';
  const ids = new Set(taken);
  return (isCut ? said.slice(0, -1) : said).map(({ block, index }) => {
    return { block, sent: block.type === 'tool_use' ? mended(block, ids) : block, index };
  });
}

/** What later requests carry of a reply: its last block may not be thinking, nor the only one. */
export function contentToSend(usable: readonly UsableBlock[]): ReplyBlock[] {
  const end = usable.findLastIndex(({ block }) => !THINKING.has(block.type));
  return usable.slice(0, end + 1).map(({ sent }) => sent);
}

/** Ids of all tool uses in a conversation. */
export function toolUseIds(messages: readonly Anthropic.MessageParam[]): Set<string> {
  const ids = new Set<string>();
  for (const { role, content } of messages) {
    if (role !== 'assistant' || typeof content === 'string') continue;
    for (const block of content) if (block.type === 'tool_use') ids.add(block.id);
  }
  return ids;
}

/** Whether a tool of the provider's own is in a reply, which then may be paused in its midst. */
export function hasProviderTool({ content }: Pick<ModelMessage, 'content'>): boolean {
  return content.some(({ type }) => type === 'server_tool_use');
}

const THINKING: ReadonlySet<string> = new Set(['thinking', 'redacted_thinking']);

type ToolUse = Extract<ReplyBlock, { type: 'tool_use' }>;

/**
 * A tool use as a request may hold it: its id is nobody else's, its name and input have the form
 * that the Messages API asks for. Takes the id.
 */
function mended(block: ToolUse, taken: Set<string>): ToolUse {
  const id = ownId(block.id, taken);
  taken.add(id);
  const name = plain(block.name).slice(0, TOOL_NAME_CHARS_MAX) || 'unnamed';
  const input = isJsonObject(block.input) ? block.input : {};
  const isSame = id === block.id && name === block.name && input === block.input;
  return isSame ? block : { ...block, id, name, input };
}

function ownId(id: unknown, taken: ReadonlySet<string>): string {
  const start = plain(id) || 'toolu';
  let own = start;
  for (let number = 2; taken.has(own); number += 1) own = `${start}_${number}`;
  return own;
}

function plain(text: unknown): string {
  return typeof text === 'string' ? text.replaceAll(/[^a-zA-Z0-9_-]/g, '_') : '';
}
