// Decides one reply: a request's conversation in, the plan of its content blocks out. Pure and
// without a clock, so the same request always gets the same plan; how a plan becomes bytes is in
// stream.ts.

import type Anthropic from '@anthropic-ai/sdk';
import {
  SCRIPTED_COMMAND_ECHO_CHARS_MAX,
  SCRIPTED_OUTPUT_ECHO_CHARS_MAX,
  TOOL_NAME_CHARS_MAX,
} from '../protocol/limits.ts';
import {
  summaryHead,
  yieldsToLaterText,
  type Conversation,
  type PendingDirective,
} from './conversation.ts';
import { writeDirectives, type CallDirective } from './directives.ts';

export type ReplyStep =
  | { kind: 'thinking'; text: string }
  | { kind: 'text'; deltas: string[]; deltaMs: number }
  | { kind: 'tool_use'; name: string; input: Record<string, unknown> }
  | { kind: 'wait'; ms: number }
  | { kind: 'fail'; status: number; retryAfterSeconds: number | undefined };

export interface ReplyPlan {
  steps: ReplyStep[];
  stopReason: 'end_turn' | 'tool_use' | 'max_tokens' | 'refusal';
}

export interface ReplyOptions {
  /** number of this attempt at the same reply, from 1 */
  attempt: number;
  /** names of the tools that the request offers */
  toolNames: readonly string[];
  /** whether the reply may think */
  isThinkingAllowed: boolean;
  /** whether the caller wants a summary that replaces these messages */
  isCompaction: boolean;
}

const CUT_TEXT = 'This reply was cut by its output limit, in the middle of a';
const WORDS = ['the', 'quiet', 'harbour', 'keeps', 'its', 'boats', 'through', 'every', 'storm'];

const GREETING = [
  'I am the scripted model of Holdfast: I do what the lines of your message say. ',
  'Send me something like this:\n\n',
  '$ uname -a\n= I am looking around.\n$& sleep 1; date\n$& sleep 1; date\n',
  '@write {"file_path": "notes.txt", "content": "hello"}\n\n',
  'A line with `$` runs a command, `$&` lines run side by side, `@tool {json}` calls any tool, ',
  '`=` says something. `# think`, `# wait 1000`, `# tokens 50`, `# fail 529 2`, `# refuse` and ',
  '`# max_tokens` do what they say. With a model key, a real model answers instead.',
];

/** Plans the reply that answers the first pending directives, up to the next call or the end. */
export function planReply(conversation: Conversation, options: ReplyOptions): ReplyPlan {
  if (options.isCompaction) return textPlan([summaryOf(conversation)]);
  const steps: ReplyStep[] = [];
  const pending = conversation.pending.filter(
    (line) => !line.isOvertaken || !yieldsToLaterText(line.directive),
  );
  let failures = 0;
  for (const [at, { directive }] of pending.entries()) {
    switch (directive.kind) {
      case 'call':
        steps.push(...callGroup(pending, at, options.toolNames));
        return { steps, stopReason: 'tool_use' };
      case 'say':
        steps.push({ kind: 'text', deltas: withLineEnds(directive.lines), deltaMs: 0 });
        break;
      case 'tokens':
        if (directive.words === 0) break;
        steps.push({ kind: 'text', deltas: words(directive.words), deltaMs: directive.wordMs });
        break;
      case 'think':
        if (options.isThinkingAllowed) steps.push({ kind: 'thinking', text: directive.text });
        break;
      case 'wait':
        steps.push({ kind: 'wait', ms: directive.ms });
        break;
      case 'fail': {
        failures += directive.times;
        if (options.attempt > failures) break;
        const { status, retryAfterSeconds } = directive;
        steps.push({ kind: 'fail', status, retryAfterSeconds });
        return { steps, stopReason: 'end_turn' };
      }
      case 'refuse':
        return { steps, stopReason: 'refusal' };
      case 'max_tokens':
        if (!hasText(steps)) steps.push({ kind: 'text', deltas: [CUT_TEXT], deltaMs: 0 });
        return { steps, stopReason: 'max_tokens' };
    }
  }
  if (!hasText(steps)) steps.push({ kind: 'text', deltas: closing(conversation), deltaMs: 0 });
  return { steps, stopReason: 'end_turn' };
}

function callGroup(
  pending: readonly PendingDirective[],
  first: number,
  toolNames: readonly string[],
): ReplyStep[] {
  const calls: CallDirective[] = [];
  for (const { directive } of pending.slice(first)) {
    if (directive.kind !== 'call' || (calls.length > 0 && !directive.joins)) break;
    calls.push(directive);
  }
  return calls.map(({ tool, input }) => ({
    kind: 'tool_use',
    name: offeredName(tool, toolNames),
    input,
  }));
}

/**
 * Name under which a tool is offered: as written, else the one MCP tool whose own name it is, else
 * as written all the same, so that a call of a tool nobody offers can be tried.
 */
function offeredName(tool: string, toolNames: readonly string[]): string {
  if (toolNames.includes(tool)) return tool;
  const candidates = toolNames.filter((name) => isMcpName(name, tool));
  return candidates.length === 1 ? candidates[0]! : tool.slice(0, TOOL_NAME_CHARS_MAX);
}

/** `mcp__<server>__<tool>`; long ones are cut and end in a hash instead. */
function isMcpName(name: string, tool: string): boolean {
  if (!name.startsWith('mcp__')) return false;
  if (name.endsWith(`__${tool}`)) return true;
  const cut = /^mcp__.+?__(.+)_[0-9a-f]{4,}$/.exec(name)?.[1];
  return cut !== undefined && tool.length > cut.length && tool.startsWith(cut);
}

function closing({ ran, lastResult, hasProgram }: Conversation): string[] {
  if (ran.length === 0) return hasProgram ? ['Done.'] : GREETING;
  const last = ran.at(-1)!;
  const names = [...new Set(ran.slice(-3).map(nameOf))].map((name) => `\`${name}\``);
  const what =
    ran.length <= 3
      ? `I ran ${names.join(', ')}. `
      : `I ran ${ran.length} calls, last ${names.at(-1)}. `;
  if (lastResult === undefined || lastResult.tool_use_id !== last.id) return [what];
  const output = resultText(lastResult).trim();
  const verb = lastResult.is_error === true ? 'It failed' : 'It answered';
  if (output === '') return [what, lastResult.is_error === true ? 'It failed.' : 'No output.'];
  return [what, `${verb}:\n\n${shortened(output, SCRIPTED_OUTPUT_ECHO_CHARS_MAX)}`];
}

function nameOf({ name, input }: Anthropic.ToolUseBlockParam): string {
  const { command } = (input ?? {}) as { command?: unknown };
  const label = name === 'bash' && typeof command === 'string' ? command : name;
  return shortened(label.split('\n')[0]!, SCRIPTED_COMMAND_ECHO_CHARS_MAX);
}

function resultText({ content }: Anthropic.ToolResultBlockParam): string {
  if (content === undefined || typeof content === 'string') return content ?? '';
  return content
    .map((block) => (block.type === 'text' ? block.text : `(${block.type})`))
    .join('\n');
}

/** What is left, in a text that is a program itself and goes on when it comes from a user. */
function summaryOf({ doneCount, pending }: Conversation): string {
  const rest = pending.map(({ directive }) => directive);
  const left = rest.length === 0 ? '' : ` Left to do:\n${writeDirectives(rest)}`;
  return summaryHead(doneCount) + left;
}

function textPlan(deltas: string[]): ReplyPlan {
  return { steps: [{ kind: 'text', deltas, deltaMs: 0 }], stopReason: 'end_turn' };
}

function hasText(steps: readonly ReplyStep[]): boolean {
  return steps.some(({ kind }) => kind === 'text');
}

function withLineEnds(lines: readonly string[]): string[] {
  return lines.map((line, at) => (at < lines.length - 1 ? `${line}\n` : line));
}

function words(count: number): string[] {
  return Array.from({ length: count }, (_, at) => {
    const word = WORDS[at % WORDS.length]!;
    return at < count - 1 ? `${word} ` : word;
  });
}

function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}
