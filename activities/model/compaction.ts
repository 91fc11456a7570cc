// Making room in a conversation: pure. When it is nearly as long as the model's window, all of it
// is summarised by the model itself, and the summary stands in its place from then on. What is to
// be summarised may be too long for that as well: then long texts lose their middle, and the oldest
// messages go, never a tool use without its result.

import type Anthropic from '@anthropic-ai/sdk';
import {
  COMPACT_AT_SHARE,
  COMPACTION_MARKER,
  COMPACTION_TEXT_CHARS_MAX,
  MODEL_OUTPUT_TOKENS_MAX,
  SUMMARY_MARKER,
} from '../../protocol/limits.ts';
import type { ModelEntry } from '../../protocol/models/model-catalog.ts';
import type { TokenUsage } from '../../store/events.ts';
import { saysSomething } from './reply-blocks.ts';

type Message = Anthropic.MessageParam;
type Block = Anthropic.ContentBlockParam;

/** Whether the next request might not fit; a window that nobody knows is found by its overflow. */
export function isNearlyFull(model: ModelEntry | undefined, used: TokenUsage): boolean {
  const window = model?.contextWindowTokens ?? null;
  if (window === null) return false;
  const tokens =
    used.input_tokens +
    used.cache_read_input_tokens +
    used.cache_creation_5m_tokens +
    used.cache_creation_1h_tokens +
    used.output_tokens;
  const room = Math.min(model?.outputTokensMax ?? Infinity, MODEL_OUTPUT_TOKENS_MAX);
  return tokens > Math.min(window * COMPACT_AT_SHARE, window - room);
}

/** The conversation with the request to summarise it at its end. */
export function withCompactionRequest(messages: readonly Message[]): Message[] {
  const asked: Block = { type: 'text', text: `${COMPACTION_MARKER}\n${INSTRUCTIONS}` };
  // A system message stands between what it follows and the reply, so nothing goes behind it.
  const at = messages.findLastIndex(({ role }) => role !== 'system');
  const last = messages[at];
  if (last?.role !== 'user') return [...messages, { role: 'user', content: [asked] }];
  return messages.with(at, { role: 'user', content: [...blocksOf(last), asked] });
}

/** What stands at the beginning of a conversation that was compacted. */
export function summaryBlock(summary: string): Block {
  return { type: 'text', text: `${SUMMARY_MARKER}\n${summary}` };
}

/**
 * The conversation in at most about so many characters, whole where it fits, else as much of its
 * end as does. A reply that would stand first is led by a mark for what is gone.
 */
export function shrunk(messages: readonly Message[], charsMax: number): Message[] {
  if (charsOf(messages) <= charsMax) return [...messages];
  const short = messages.map((message) => ({
    ...message,
    content: blocksOf(message).map(shortened),
  })) as Message[];
  let chars = charsOf(short);
  for (const [index, message] of short.entries()) {
    if (chars <= charsMax && canBegin(message)) {
      const isReply = message.role === 'assistant';
      return [...(isReply ? [OMITTED] : []), ...short.slice(index)];
    }
    chars -= charsOf([message]);
  }
  return [withoutCalls(short.at(-1)!)];
}

const OMITTED: Message = { role: 'user', content: [{ type: 'text', text: '[…]' }] };

/** Nothing else is left: the results of calls that are gone become plain text. */
function withoutCalls(message: Message): Message {
  const content = blocksOf(message).flatMap((block): Block[] =>
    block.type === 'tool_result' ? resultTexts(block) : [block],
  );
  return { role: 'user', content };
}

function resultTexts({ content }: Anthropic.ToolResultBlockParam): Block[] {
  const parts = Array.isArray(content) ? content : [];
  const texts = parts.flatMap((part) =>
    part.type === 'text' && saysSomething(part.text) ? [part] : [],
  );
  return texts.length > 0 ? texts : [{ type: 'text', text: '(no output)' }];
}

/** A message that needs nothing before it: a user's, or a reply. Results need their calls. */
function canBegin(message: Message): boolean {
  if (message.role !== 'user') return message.role === 'assistant';
  return !blocksOf(message).some(({ type }) => type === 'tool_result');
}

function shortened(block: Block): Block {
  if (block.type === 'text') return { ...block, text: middleCut(block.text) };
  if (block.type !== 'tool_result') return block;
  const content = Array.isArray(block.content) ? block.content : [];
  const parts = content.map((part) =>
    part.type === 'text'
      ? { ...part, text: middleCut(part.text) }
      : { type: 'text' as const, text: `[${part.type}]` },
  );
  return { ...block, content: parts };
}

function middleCut(text: string): string {
  if (text.length <= COMPACTION_TEXT_CHARS_MAX) return text;
  const part = COMPACTION_TEXT_CHARS_MAX / 2;
  return `${text.slice(0, part)}\n[…]\n${text.slice(-part)}`.toWellFormed();
}

function blocksOf({ content }: Message): Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

export function charsOf(messages: readonly Message[]): number {
  return JSON.stringify(messages).length;
}

const INSTRUCTIONS = [
  'This conversation is about to be replaced by a summary that you write now, because it no longer',
  'fits. Do not call a tool and do not answer the user. Write down everything that whoever goes on',
  'needs to know: what the user asked for, word for word where wording matters; what has been done',
  'and what came of it; decisions and their reasons; names of files, commands, identifiers,',
  'figures and error messages that are still of use; what is left to do and what comes next.',
].join(' ');
