// Reads a transcript once and says where the program stands: which directives are done, what is
// left, what ran in this turn. Pure, and the reason why the server can be stateless: the assistant
// messages in the request are the memory of what was answered already.

import type Anthropic from '@anthropic-ai/sdk';
import { parseDirectives, type Directive } from './directives.ts';

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
}

const SUMMARY_HEAD = /Summary by the scripted model: (\d+) directives are done\./;

interface Line {
  directive: Directive;
  text: number;
}

/** Walks checked messages; the texts of tool results and documents are no program. */
export function readConversation(messages: readonly MessageParam[]): Conversation {
  const program: Line[] = [];
  let done = 0;
  let text = 0;
  let turn = { ran: [] as Anthropic.ToolUseBlockParam[], hasProgram: false };
  let lastResult: Anthropic.ToolResultBlockParam | undefined;
  for (const message of messages) {
    if (message.role === 'system') continue;
    if (message.role === 'user') {
      for (const block of blocksOf(message)) {
        if (block.type === 'tool_result') lastResult = block;
        if (block.type !== 'text') continue;
        text += 1;
        for (const directive of parseDirectives(block.text)) program.push({ directive, text });
        turn.hasProgram ||= program.at(-1)?.text === text;
      }
      continue;
    }
    const uses = blocksOf(message).filter((block) => block.type === 'tool_use');
    done = afterAnswer(program, { done, text, useCount: uses.length });
    if (uses.length > 0) {
      turn.ran.push(...uses);
    } else {
      turn = { ran: [], hasProgram: done < program.length };
      lastResult = undefined;
    }
  }
  const pending = program
    .slice(done)
    .map((line) => ({ directive: line.directive, isOvertaken: line.text < text }));
  return { pending, doneCount: compactedCount(messages[0]) + done, ...turn, lastResult };
}

/** First words of the summary that a compaction request gets. */
export function summaryHead(doneCount: number): string {
  return `Summary by the scripted model: ${doneCount} directives are done.`;
}

function compactedCount(first: MessageParam | undefined): number {
  if (first === undefined) return 0;
  const text = blocksOf(first).find((block) => block.type === 'text')?.text ?? '';
  return Number(SUMMARY_HEAD.exec(text)?.[1] ?? 0);
}

/** Blocks of a message, a plain string being one text block. */
export function blocksOf(message: MessageParam): ContentBlockParam[] {
  const { content } = message;
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

/**
 * Says whether a line yields to a user text that came after it. Lines that stop or slow a reply do:
 * the reply they stood for was given up (retries spent, refused, interrupted), and to repeat it
 * would lock the session for ever.
 */
export function yieldsToLaterText({ kind }: Directive): boolean {
  return kind !== 'call' && kind !== 'say' && kind !== 'think';
}

/**
 * Position after one assistant message. With tool uses, as many calls are done and what stood
 * before them. Without, it was an ending: everything up to the line that ended it, or to the first
 * call if the message was cut short (output limit, interrupt).
 */
function afterAnswer(
  program: readonly Line[],
  answer: { done: number; text: number; useCount: number },
): number {
  let calls = 0;
  for (let at = answer.done; at < program.length; at += 1) {
    const { directive, text } = program[at]!;
    if (directive.kind === 'call') {
      if (answer.useCount === 0) return at;
      calls += 1;
      if (calls === answer.useCount) return at + 1;
    }
    const isEnd = directive.kind === 'refuse' || directive.kind === 'max_tokens';
    if (isEnd && answer.useCount === 0 && text === answer.text) return at + 1;
  }
  // More tool uses than calls: the transcript was not ours alone; what stood before them is done.
  return program.length;
}
