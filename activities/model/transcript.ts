// Events as model messages: pure. Rows come in the order of processing; neighbours of one role
// become one message, so tool results stand together and a steering message follows the results it
// waited for. The provider's blocks are sent back exactly as they came, thinking signatures
// included.

import type Anthropic from '@anthropic-ai/sdk';
import type { TranscriptRow } from '../../store/model-context.ts';
import { summaryBlock } from './compaction.ts';

type Message = Anthropic.MessageParam;
type Block = Anthropic.ContentBlockParam;
type ResultBlock = Exclude<Anthropic.ToolResultBlockParam['content'], string | undefined>[number];

/** The conversation with some rows more; shares what it did not change with `messages`. */
export function extendTranscript(messages: readonly Message[], rows: TranscriptRow[]): Message[] {
  const extended = [...messages];
  for (const row of rows) {
    if (row.summary != null) {
      extended.length = 0;
      add(extended, 'user', [summaryBlock(row.summary)]);
    } else if (row.replyContent !== null) add(extended, 'assistant', row.replyContent as Block[]);
    else if (row.type === 'system.message') add(extended, 'system', row.content as Block[]);
    else if (row.type === 'user.message') add(extended, 'user', row.content as Block[]);
    else add(extended, 'user', [toolResult(row)]);
  }
  return extended;
}

/**
 * Adds blocks to the end. A system message stands between a user's turn and the reply to it, so
 * what the user says behind one goes before it.
 */
function add(messages: Message[], role: Message['role'], blocks: Block[]): void {
  let at = messages.length;
  while (role === 'user' && messages[at - 1]?.role === 'system') at -= 1;
  const last = messages[at - 1];
  if (last?.role === role) {
    messages[at - 1] = { role, content: [...(last.content as Block[]), ...blocks] } as Message;
  } else if (blocks.length > 0) messages.splice(at, 0, { role, content: blocks } as Message);
}

/**
 * Marks where the provider may cache: the end of the newest message and of the user message before
 * it, so that each request finds the prefix its predecessor wrote. Returns new outer arrays only.
 */
export function withCacheBreakpoints(messages: Message[]): Message[] {
  const marked = [...messages];
  let left = 2;
  for (let index = marked.length - 1; index >= 0 && left > 0; index -= 1) {
    const message = marked[index]!;
    if (message.role !== 'user' || typeof message.content === 'string') continue;
    const last = message.content.at(-1);
    if (last === undefined) continue;
    const content = [...message.content.slice(0, -1), { ...last, ...CACHED } as Block];
    marked[index] = { role: 'user', content };
    left -= 1;
  }
  return marked;
}

const CACHED = { cache_control: { type: 'ephemeral' } } as const;

function toolResult(row: TranscriptRow): Anthropic.ToolResultBlockParam {
  if (row.toolUseId === null)
    throw new Error(`the tool result at seq ${row.seq} names no tool use`);
  const blocks = (row.content ?? []) as ResultBlock[];
  // A tool may say nothing; the Messages API takes no text without words.
  const content = blocks.filter((block) => block.type !== 'text' || block.text.trim() !== '');
  const named = { type: 'tool_result' as const, tool_use_id: row.toolUseId };
  if (!row.isError) return { ...named, content };
  const texts = content.length > 0 ? content.map(asText) : [SILENCE];
  return { ...named, content: texts, is_error: true };
}

const SILENCE: ResultBlock = { type: 'text', text: '(no output)' };

/** The Messages API takes nothing but text in a result that is an error, and wants some. */
function asText(block: ResultBlock): ResultBlock {
  if (block.type === 'text') return block;
  const texts = block.type === 'search_result' ? block.content.map(({ text }) => text) : [];
  return { type: 'text', text: texts.join('\n') || `[${block.type}]` };
}
