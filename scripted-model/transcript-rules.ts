// The rules a transcript keeps, as the upstream enforces them: who speaks first and last, that
// every tool use has its one result in the message right after it, that thinking comes back
// unchanged, where a system message may stand. These are the checks that catch a transcript built
// wrongly after a crash, a retry or an interrupt.

import { isOwnSignature, isThoughtToolUse } from './blocks.ts';
import { checkResultContent, checkRichContent, isRichContent } from './content-rules.ts';
import { invalid, RequestError } from './request-error.ts';

type Block = Record<string, unknown>;

interface Message {
  role: 'user' | 'assistant' | 'system';
  blocks: Block[];
}

/** Where a block stands; its path is written for an error only, as blocks come by the thousand. */
interface Place {
  at: number;
  index: number;
}

interface Turn {
  role: 'user' | 'assistant';
  /** index of its first message in the request */
  at: number;
  blocks: Block[];
}

const TOOL_USE_ID = /^[a-zA-Z0-9_-]+$/;
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;
/** Fields of the blocks that we build ourselves; other types pass with any field. */
const BLOCK_FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  text: new Set(['type', 'text', 'cache_control', 'citations']),
  thinking: new Set(['type', 'thinking', 'signature']),
  redacted_thinking: new Set(['type', 'data']),
  tool_use: new Set(['type', 'id', 'name', 'input', 'caller', 'cache_control', 'toolset_name']),
  tool_result: new Set('type tool_use_id content is_error cache_control toolset_name'.split(' ')),
  server_tool_use: new Set(['type', 'id', 'name', 'input', 'caller', 'cache_control']),
  web_search_tool_result: new Set('type tool_use_id content caller cache_control'.split(' ')),
};
const ASSISTANT_ONLY = new Set(
  'tool_use thinking redacted_thinking server_tool_use web_search_tool_result'.split(' '),
);
const THINKING: ReadonlySet<unknown> = new Set(['thinking', 'redacted_thinking']);

/**
 * Checks the messages and returns their cache breakpoints in order; throws a `RequestError`.
 * `hasSystemRole` says whether the model takes system messages among them.
 */
export function checkTranscript(messages: readonly unknown[], hasSystemRole: boolean): unknown[] {
  const turns: Turn[] = [];
  const marks: unknown[] = [];
  for (const [at, message] of messages.entries()) {
    const { role, blocks } = checkMessage(message, at);
    let index = 0;
    for (const block of blocks) {
      checkBlock(block, role, { at, index });
      if (block['cache_control'] != null) marks.push(block['cache_control']);
      index += 1;
    }
    if (role === 'system') {
      checkSystemRole(messages, at, hasSystemRole);
      continue;
    }
    const last = turns.at(-1);
    // Neighbours of one role are one turn. sdk 1.11.0: MessageCreateParams.messages.
    if (last?.role === role) last.blocks = [...last.blocks, ...blocks];
    else turns.push({ role, at, blocks });
  }
  if (turns[0]?.role !== 'user') invalid('messages', 'the first message must be a user message');
  const last = turns.at(-1)!;
  if (last.role === 'assistant') {
    invalid('messages', 'the conversation must end with a user message, prefill is not supported');
  }
  checkToolPairs(turns);
  checkSearchPairs(turns);
  checkThinkingEnds(turns);
  checkLastThinking(turns.at(-2));
  return marks;
}

/** Says whether a value is an object with fields, not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkMessage(message: unknown, at: number): Message {
  if (!isRecord(message)) invalid(`messages.${at}`, 'an object is expected');
  for (const key in message) {
    if (key !== 'role' && key !== 'content') {
      invalid(`messages.${at}.${key}`, 'no such field is known');
    }
  }
  const { role, content } = message;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    invalid(`messages.${at}.role`, '"user", "assistant" or "system" is expected');
  }
  if (content === '') invalid(`messages.${at}`, 'a message may not be empty');
  if (typeof content === 'string') return { role, blocks: [{ type: 'text', text: content }] };
  if (!Array.isArray(content)) {
    invalid(`messages.${at}.content`, 'a string or an array is expected');
  }
  if (content.length === 0) invalid(`messages.${at}`, 'a message may not be empty');
  return { role, blocks: content as Block[] };
}

/** docs: build-with-claude/mid-conversation-system-messages, supported models and placement. */
function checkSystemRole(messages: readonly unknown[], at: number, hasSystemRole: boolean): void {
  if (!hasSystemRole) throw new RequestError(400, "role 'system' is not supported on this model");
  const path = `messages.${at}`;
  if (at === 0) invalid(path, "use the top-level 'system' parameter for the initial system prompt");
  const before = messages[at - 1];
  if (!isRecord(before) || (before['role'] !== 'user' && !endsInServerTool(before))) {
    invalid(path, "role 'system' must follow a user message or a server tool use");
  }
  const after = messages[at + 1];
  if (after !== undefined && (!isRecord(after) || after['role'] !== 'assistant')) {
    invalid(path, "role 'system' must precede an 'assistant' message or end the array");
  }
}

function endsInServerTool({ role, content }: Record<string, unknown>): boolean {
  const last: unknown = role === 'assistant' && Array.isArray(content) ? content.at(-1) : undefined;
  return isRecord(last) && SERVER_TOOL.has(last['type']);
}

const SERVER_TOOL: ReadonlySet<unknown> = new Set(['server_tool_use', 'web_search_tool_result']);

function checkBlock(block: Block, role: Message['role'], place: Place): void {
  if (!isRecord(block)) wrong(place, '', 'an object is expected');
  const { type } = block;
  if (typeof type !== 'string') wrong(place, 'type', 'the field is required');
  const fields = BLOCK_FIELDS[type];
  if (fields !== undefined) {
    for (const key in block) {
      if (!fields.has(key)) wrong(place, key, `no such field is known in ${type}`);
    }
  }
  if (ASSISTANT_ONLY.has(type) && role !== 'assistant') {
    wrong(place, '', `a ${type} block belongs into an assistant message`);
  }
  if (role === 'system' && type !== 'text') {
    wrong(place, '', 'a system message holds text alone');
  }
  if (isRichContent(type)) {
    if (role !== 'user') wrong(place, '', `a ${type} block belongs into a user message`);
    checkRichContent(block, (field, message) => wrong(place, field, message));
  }
  switch (type) {
    case 'text':
      checkText(block, place);
      break;
    case 'thinking':
      checkThinking(block, place);
      break;
    case 'tool_use':
    case 'server_tool_use':
      checkToolUse(block, place);
      break;
    case 'tool_result':
      if (role !== 'user') wrong(place, '', 'a tool_result block belongs into a user message');
      checkToolResult(block, place);
      break;
  }
}

function wrong({ at, index }: Place, field: string, message: string): never {
  invalid(`messages.${at}.content.${index}${field === '' ? '' : `.${field}`}`, message);
}

function checkText({ text }: Block, place: Place): void {
  if (typeof text !== 'string') wrong(place, 'text', 'a string is expected');
  if (!/\S/.test(text)) wrong(place, '', 'a text block may not be empty or blank');
}

function checkThinking({ thinking, signature }: Block, place: Place): void {
  if (typeof thinking !== 'string') wrong(place, 'thinking', 'a string is expected');
  if (typeof signature !== 'string') wrong(place, 'signature', 'a string is expected');
  if (!isOwnSignature(thinking, signature)) {
    wrong(place, '', 'the `signature` is not the one this `thinking` was sent with');
  }
}

function checkToolUse({ id, name, input }: Block, place: Place): void {
  if (typeof id !== 'string' || !TOOL_USE_ID.test(id)) {
    wrong(place, 'id', 'letters, digits, _ and - are expected');
  }
  if (typeof name !== 'string') wrong(place, 'name', 'the field is required');
  if (!TOOL_NAME.test(name)) {
    wrong(place, 'name', '1 to 128 letters, digits, _ and - are expected');
  }
  if (!isRecord(input)) wrong(place, 'input', 'an object is expected');
}

function checkToolResult(block: Block, place: Place): void {
  const { tool_use_id: id, content, is_error: isError } = block;
  if (typeof id !== 'string') wrong(place, 'tool_use_id', 'the field is required');
  if (content === undefined || typeof content === 'string') return;
  if (!Array.isArray(content)) wrong(place, 'content', 'a string or an array is expected');
  checkResultContent(content, isError === true, (field, message) => wrong(place, field, message));
}

/** Every tool use is answered once, in the very next message and before anything else in it. */
function checkToolPairs(turns: readonly Turn[]): void {
  const known = new Set<string>();
  const open = new Set<string>();
  for (const { role, at, blocks } of turns) {
    if (role === 'user') {
      checkResults(blocks, at, open);
      continue;
    }
    for (const { type, id } of blocks) {
      if (type !== 'tool_use') continue;
      const size = known.size;
      if (known.add(id as string).size === size) {
        invalid(`messages.${at}`, `tool_use ids must differ, ${id as string} is there twice`);
      }
      open.add(id as string);
    }
  }
}

/** Takes every answered id out of `open`, which must be empty then. */
function checkResults(blocks: readonly Block[], at: number, open: Set<string>): void {
  let isPastResults = false;
  for (const { type, tool_use_id: id } of blocks) {
    if (type !== 'tool_result') {
      isPastResults = true;
      continue;
    }
    if (!open.delete(id as string)) {
      const reason = 'the message before has no tool_use of this id that is still unanswered';
      invalid(`messages.${at}`, `tool_result of ${id as string}: ${reason}`);
    }
    if (isPastResults) {
      const reason = 'results must come first in a message';
      invalid(`messages.${at}`, `tool_result of ${id as string}: ${reason}`);
    }
  }
  if (open.size > 0) {
    const ids = [...open].join(', ');
    invalid(`messages.${at}`, `tool_use without a tool_result right after it: ${ids}`);
  }
}

/** What a search on the server's side found comes back behind the call of that search. */
function checkSearchPairs(turns: readonly Turn[]): void {
  for (const { at, blocks } of turns) {
    const asked = new Set<unknown>();
    for (const { type, id, tool_use_id: answers } of blocks) {
      if (type === 'server_tool_use') asked.add(id);
      if (type !== 'web_search_tool_result' || asked.delete(answers)) continue;
      const reason = 'no server_tool_use of this id stands before it';
      invalid(`messages.${at}`, `web_search_tool_result of ${String(answers)}: ${reason}`);
    }
  }
}

/** Thinking leads to something: a turn of the assistant that ends with it is refused. */
function checkThinkingEnds(turns: readonly Turn[]): void {
  for (const { role, at, blocks } of turns) {
    const type = blocks.at(-1)?.['type'];
    if (role !== 'assistant' || !THINKING.has(type)) continue;
    invalid(`messages.${at}`, `the last block of an assistant message may not be ${String(type)}`);
  }
}

/** Calls that thinking led to come back with that thinking while they are being answered. */
function checkLastThinking(turn: Turn | undefined): void {
  if (turn === undefined) return;
  const use = turn.blocks.find(
    ({ type, id }) => type === 'tool_use' && isThoughtToolUse(id as string),
  );
  if (use === undefined || turn.blocks.some(({ type }) => THINKING.has(type))) return;
  const path = `messages.${turn.at}`;
  invalid(path, `the thinking that led to tool_use ${use['id'] as string} is missing before it`);
}
