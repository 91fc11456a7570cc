// Reads a transcript once and says where the program stands: which directives are done, what is
// left, what ran in this turn. Pure, and the reason why the server can be stateless: the assistant
// messages in the request are the memory of what was answered already.

import type Anthropic from '@anthropic-ai/sdk';
import { COMPACTION_MARKER } from '../protocol/limits.ts';
import { parseDirectives, type Directive } from './directives.ts';
import { belowMarker, summarisedCount } from './markers.ts';

type MessageParam = Anthropic.MessageParam;
type ContentBlockParam = Anthropic.ContentBlockParam;

export interface PendingDirective {
  directive: Directive;
  /** whether a later user text stands behind the one it came with */
  isOvertaken: boolean;
}

export interface Conversation {
  /** directives that no assistant message has answered yet, in order */
  pending: PendingDirective[];
  /** directives that were answered, those of a compacted past included */
  doneCount: number;
  /** tool uses since the last assistant message without one */
  ran: Anthropic.ToolUseBlockParam[];
  /** last tool result of that time */
  lastResult: Anthropic.ToolResultBlockParam | undefined;
  /** whether this turn has or had any directive */
  hasProgram: boolean;
  /** context window that the newest `# window` sets, in tokens */
  windowTokens: number | undefined;
  /** text of the newest system message among the messages */
  systemText: string | undefined;
  /** content of the newest user message */
  newestBlocks: readonly ContentBlockParam[];
}

interface Line {
  directive: Directive;
  text: number;
}

/** The part of a reading that grows with every message. */
interface Reading {
  program: Line[];
  /** directives done in these messages, and those that a summary counts */
  done: number;
  summarised: number;
  /** number of the newest user text */
  text: number;
  ran: Anthropic.ToolUseBlockParam[];
  lastResult: Anthropic.ToolResultBlockParam | undefined;
  hasProgram: boolean;
  windowTokens: number | undefined;
}

/** Walks checked messages; the texts of tool results and documents are no program. */
export function readConversation(messages: readonly MessageParam[]): Conversation {
  const reading: Reading = {
    program: [],
    done: 0,
    summarised: 0,
    text: 0,
    ran: [],
    lastResult: undefined,
    hasProgram: false,
    windowTokens: undefined,
  };
  for (const message of messages) {
    if (message.role === 'user') readUser(reading, message);
    if (message.role === 'assistant') readAssistant(reading, message);
  }
  const { program, done, summarised, text, ran, lastResult, hasProgram, windowTokens } = reading;
  const pending = program
    .slice(done)
    .map((line) => ({ directive: line.directive, isOvertaken: line.text < text }));
  const newest = messages.findLast(({ role }) => role === 'user');
  return {
    pending,
    doneCount: summarised + done,
    ran,
    lastResult,
    hasProgram,
    windowTokens,
    systemText: systemTextOf(messages),
    newestBlocks: newest === undefined ? [] : blocksOf(newest),
  };
}

/** Blocks of a message, a plain string being one text block. */
export function blocksOf(message: MessageParam): ContentBlockParam[] {
  const { content } = message;
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

/**
 * Says whether a line yields to a user text that came after it. Lines that stop, slow or spoil a
 * reply do: the reply they stood for was given up (retries spent, refused, interrupted), and to
 * repeat it would lock the session for ever.
 */
export function yieldsToLaterText({ kind }: Directive): boolean {
  return !LASTING.has(kind);
}

const LASTING: ReadonlySet<string> = new Set(['call', 'say', 'think', 'search', 'say_blocks']);
const ENDINGS: ReadonlySet<string> = new Set(['refuse', 'max_tokens', 'window_stop']);

function readUser(reading: Reading, message: MessageParam): void {
  for (const block of blocksOf(message)) {
    if (block.type === 'tool_result') reading.lastResult = block;
    if (block.type !== 'text') continue;
    // The instructions for a summary are none of the conversation that is to be summarised.
    if (belowMarker(block.text, COMPACTION_MARKER) !== undefined) continue;
    reading.text += 1;
    const summarised = summarisedCount(block.text);
    if (summarised !== undefined) {
      reading.summarised = summarised;
      reading.hasProgram ||= summarised > 0;
    }
    for (const directive of parseDirectives(block.text)) {
      reading.hasProgram = true;
      if (directive.kind === 'window') reading.windowTokens = directive.tokens;
      else reading.program.push({ directive, text: reading.text });
    }
  }
}

function readAssistant(reading: Reading, message: MessageParam): void {
  const uses = blocksOf(message).filter((block) => block.type === 'tool_use');
  reading.done = afterAnswer(reading, uses.length);
  if (uses.length > 0) {
    reading.ran.push(...uses);
  } else {
    reading.ran = [];
    reading.hasProgram = reading.done < reading.program.length;
    reading.lastResult = undefined;
  }
}

/**
 * Position after one assistant message. With tool uses, as many calls are done and what stood
 * before them. Without, it was an ending: everything up to the line that ended it, or to the first
 * call if the message was cut short (output limit, interrupt). `# empty` and `# blank` are no such
 * lines: what they end is never in a transcript.
 */
function afterAnswer({ program, done, text: newest }: Reading, useCount: number): number {
  let calls = 0;
  for (let at = done; at < program.length; at += 1) {
    const { directive, text } = program[at]!;
    if (directive.kind === 'call') {
      if (useCount === 0) return at;
      calls += 1;
      if (calls === useCount) return at + 1;
    }
    if (ENDINGS.has(directive.kind) && useCount === 0 && text === newest) return at + 1;
  }
  // More tool uses than calls: the transcript was not ours alone; what stood before them is done.
  return program.length;
}

function systemTextOf(messages: readonly MessageParam[]): string | undefined {
  const newest = messages.findLast(({ role }) => role === 'system');
  if (newest === undefined) return undefined;
  return blocksOf(newest)
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('\n');
}
