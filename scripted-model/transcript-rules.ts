// The rules a transcript keeps, as the upstream enforces them: who speaks first and last, that every
// tool use has its one result in the message right after it, that thinking comes back unchanged. These
// are the checks that catch a transcript built wrongly after a crash, a retry or an interrupt.

import { isOwnSignature, isThoughtToolUse } from './blocks.ts';
import { invalid } from './request-error.ts';

type Block = Record<string, unknown>;

interface Message {
  role: 'user' | 'assistant' | 'system';
  blocks: Block[];
}

interface Turn {
  role: 'user' | 'assistant';
  /** index of its first message in the request */
  at: number;
  blocks: Block[];
}

const TOOL_USE_ID = /^[a-zA-Z0-9_-]+$/;
/** Fields of the blocks that we build ourselves; other types pass with any field. */
const BLOCK_FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'cache_control', 'citations']),
  thinking: new Set(['type', 'thinking', 'signature']),
  redacted_thinking: new Set(['type', 'data']),
  tool_use: new Set(['type', 'id', 'name', 'input', 'caller', 'cache_control', 'toolset_name']),
  tool_result: new Set([
    ...['type', 'tool_use_id', 'content', 'is_error', 'cache_control', 'toolset_name'],
  ]),
};
const ASSISTANT_ONLY = new Set(['tool_use', 'thinking', 'redacted_thinking']);

/** Checks the messages and returns how many cache breakpoints they hold; throws a `RequestError`. */
export function checkTranscript(messages: readonly unknown[]): number {
  const turns: Turn[] = [];
  let marked = 0;
  for (const [at, message] of messages.entries()) {
    const { role, blocks } = checkMessage(message, at);
    for (const [index, block] of blocks.entries()) {
      checkBlock(block, `messages.${at}.content.${index}`, role);
      if (block['cache_control'] != null) marked += 1;
    }
    if (role === 'system') continue;
    const last = turns.at(-1);
    // Neighbours of one role are one turn. sdk 1.11.0: MessageCreateParams.messages.
    if (last?.role === role) last.blocks.push(...blocks);
    else turns.push({ role, at, blocks: [...blocks] });
  }
  if (turns[0]?.role !== 'user') invalid('messages', 'the first message must be a user message');
  const last = turns.at(-1)!;
  if (last.role === 'assistant') {
    invalid('messages', 'the conversation must end with a user message, prefill is not supported');
  }
  checkToolPairs(turns);
  checkLastThinking(turns.at(-2));
  return marked;
}

/** Says whether a value is an object with fields, not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkMessage(message: unknown, at: number): Message {
  const path = `messages.${at}`;
  if (!isRecord(message)) invalid(path, 'an object is expected');
  for (const key of Object.keys(message)) {
    if (key !== 'role' && key !== 'content') invalid(`${path}.${key}`, 'no such field is known');
  }
  const { role, content } = message;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    invalid(`${path}.role`, '"user", "assistant" or "system" is expected');
  }
  if (typeof content === 'string') {
    if (content === '') invalid(path, 'a message may not be empty');
    return { role, blocks: [{ type: 'text', text: content }] };
  }
  if (!Array.isArray(content)) invalid(`${path}.content`, 'a string or an array is expected');
  if (content.length === 0) invalid(path, 'a message may not be empty');
  const strange = content.findIndex((block) => !isRecord(block));
  if (strange >= 0) invalid(`${path}.content.${strange}`, 'an object is expected');
  return { role, blocks: content as Block[] };
}

function checkBlock(block: Block, path: string, role: string): void {
  const { type } = block;
  if (typeof type !== 'string') invalid(`${path}.type`, 'the field is required');
  const fields = BLOCK_FIELDS[type];
  if (fields !== undefined) {
    for (const key of Object.keys(block)) {
      if (!fields.has(key)) invalid(`${path}.${key}`, `no such field is known in ${type}`);
    }
  }
  if (ASSISTANT_ONLY.has(type) && role !== 'assistant') {
    invalid(path, `a ${type} block belongs into an assistant message`);
  }
  switch (type) {
    case 'text':
      checkText(block, path);
      break;
    case 'thinking':
      checkThinking(block, path);
      break;
    case 'tool_use':
      checkToolUse(block, path);
      break;
    case 'tool_result':
      if (role !== 'user') invalid(path, 'a tool_result block belongs into a user message');
      checkToolResult(block, path);
      break;
  }
}

function checkText({ text, cache_control: control }: Block, path: string): void {
  if (typeof text !== 'string') invalid(`${path}.text`, 'a string is expected');
  if (text === '') {
    invalid(
      path,
      `a text block may not be empty${control == null ? '' : ', less so a cached one'}`,
    );
  }
  if (text.trim() === '') invalid(path, 'a text block may not be blank');
}

function checkThinking({ thinking, signature }: Block, path: string): void {
  if (typeof thinking !== 'string') invalid(`${path}.thinking`, 'a string is expected');
  if (typeof signature !== 'string') invalid(`${path}.signature`, 'a string is expected');
  if (!isOwnSignature(thinking, signature)) {
    invalid(path, 'the `signature` is not the one this `thinking` was sent with');
  }
}

function checkToolUse({ id, name, input }: Block, path: string): void {
  if (typeof id !== 'string' || !TOOL_USE_ID.test(id)) {
    invalid(`${path}.id`, 'letters, digits, _ and - are expected');
  }
  if (typeof name !== 'string' || name === '') invalid(`${path}.name`, 'the field is required');
  if (!isRecord(input)) invalid(`${path}.input`, 'an object is expected');
}

function checkToolResult({ tool_use_id: id, content }: Block, path: string): void {
  if (typeof id !== 'string') invalid(`${path}.tool_use_id`, 'the field is required');
  if (content === undefined || typeof content === 'string') return;
  if (!Array.isArray(content)) invalid(`${path}.content`, 'a string or an array is expected');
  for (const [at, block] of content.entries()) {
    const inner = `${path}.content.${at}`;
    if (!isRecord(block)) invalid(inner, 'an object is expected');
    if (block['type'] === 'text' && block['text'] === '') {
      invalid(inner, 'a text block may not be empty');
    }
  }
}

/** Every tool use is answered once, in the very next message and before anything else in it. */
function checkToolPairs(turns: readonly Turn[]): void {
  const known = new Set<string>();
  let open = new Set<string>();
  for (const { role, at, blocks } of turns) {
    const path = `messages.${at}`;
    if (role === 'user') {
      checkResults(blocks, path, open);
      open = new Set();
      continue;
    }
    for (const block of blocks) {
      if (block['type'] !== 'tool_use') continue;
      const id = block['id'] as string;
      if (known.has(id)) invalid(path, `tool_use ids must differ, ${id} is there twice`);
      known.add(id);
      open.add(id);
    }
  }
}

function checkResults(blocks: readonly Block[], path: string, open: ReadonlySet<string>): void {
  const unanswered = new Set(open);
  let isPastResults = false;
  for (const block of blocks) {
    if (block['type'] !== 'tool_result') {
      isPastResults = true;
      continue;
    }
    const id = block['tool_use_id'] as string;
    if (!open.has(id)) {
      invalid(path, `tool_result of ${id}: the message before has no tool_use of this id`);
    }
    if (!unanswered.delete(id)) invalid(path, `tool_use ${id} has more than one tool_result`);
    if (isPastResults) invalid(path, `tool_result of ${id}: results must come first in a message`);
  }
  if (unanswered.size > 0) {
    const ids = [...unanswered].join(', ');
    invalid(path, `tool_use without a tool_result right after it: ${ids}`);
  }
}

/** Calls that thinking led to come back with that thinking while they are being answered. */
function checkLastThinking(turn: Turn | undefined): void {
  if (turn === undefined) return;
  const use = turn.blocks.find(
    ({ type, id }) => type === 'tool_use' && isThoughtToolUse(id as string),
  );
  if (use === undefined || turn.blocks.some(({ type }) => ASSISTANT_THINKING.has(type))) return;
  const path = `messages.${turn.at}`;
  invalid(path, `the thinking that led to tool_use ${use['id'] as string} is missing before it`);
}

const ASSISTANT_THINKING: ReadonlySet<unknown> = new Set(['thinking', 'redacted_thinking']);
