// Decides one reply: a request's conversation in, the plan of its content blocks out. Pure and
// without a clock, so the same request always gets the same plan; how a plan becomes bytes is in
// output.ts and stream.ts.

import { TOOL_NAME_CHARS_MAX } from '../protocol/limits.ts';
import { describeBlocks } from './block-sizes.ts';
import { closing } from './closing.ts';
import type { UsageCounts } from './control-lines.ts';
import { yieldsToLaterText, type Conversation, type PendingDirective } from './conversation.ts';
import type { CallDirective, Directive } from './directives.ts';
import { writeSummary } from './markers.ts';

export type ReplyStep =
  | { kind: 'thinking'; text: string }
  | { kind: 'text'; deltas: string[]; deltaMs: number }
  | {
      kind: 'tool_use';
      name: string;
      input: Record<string, unknown>;
      /** whether it carries the id of the tool use before it */
      repeatsId: boolean;
    }
  | { kind: 'search'; query: string }
  | { kind: 'wait'; ms: number }
  /** the rest breaks off after so many deltas, or characters of a tool input */
  | { kind: 'cut'; after: number }
  | { kind: 'stall'; ms: number }
  | { kind: 'garbage' }
  | { kind: 'fail'; status: number; retryAfterSeconds: number | undefined };

export type ReplyStopReason =
  | 'end_turn'
  | 'tool_use'
  | 'max_tokens'
  | 'model_context_window_exceeded'
  | 'refusal';

export interface ReplyPlan {
  steps: ReplyStep[];
  stopReason: ReplyStopReason;
  /** counts that the reply reports instead of its own */
  usage: UsageCounts | undefined;
  /** web searches to report beside those of the steps */
  searches: number;
}

export interface ReplyOptions {
  /** number of this attempt at the same reply, from 1 */
  attempt: number;
  /** names of the tools that the request offers */
  toolNames: readonly string[];
  /** whether the request offers a web search that the server runs */
  hasWebSearch: boolean;
  /** whether the reply may think */
  isThinkingAllowed: boolean;
}

interface Draft extends Omit<ReplyPlan, 'stopReason'> {
  conversation: Conversation;
  options: ReplyOptions;
  /** attempts that the lines so far have spoilt */
  spoilt: number;
  repeatsId: boolean;
}

const CUT_TEXT = 'This reply was cut by its output limit, in the middle of a';
const BLANK_TEXT = '   ';
const WORDS = ['the', 'quiet', 'harbour', 'keeps', 'its', 'boats', 'through', 'every', 'storm'];

/** Plans the reply that answers the first pending directives, up to the next call or the end. */
export function planReply(conversation: Conversation, options: ReplyOptions): ReplyPlan {
  const draft: Draft = {
    conversation,
    options,
    steps: [],
    usage: undefined,
    searches: 0,
    spoilt: 0,
    repeatsId: false,
  };
  const pending = lasting(conversation);
  for (const [at, { directive }] of pending.entries()) {
    if (directive.kind === 'call') {
      addCalls(draft, pending.slice(at));
      return finished(draft, 'tool_use');
    }
    addContent(draft, directive);
    const stopReason = addEnding(draft, directive) ?? addSpoiling(draft, directive);
    if (stopReason !== undefined) return finished(draft, stopReason);
  }
  if (!hasText(draft)) addText(draft, closing(conversation, searchedIn(draft)));
  return finished(draft, 'end_turn');
}

/** Plans the summary that replaces the conversation. */
export function planSummary(conversation: Conversation): ReplyPlan {
  const left = lasting(conversation).map(({ directive }) => directive);
  const text = writeSummary({ ...conversation, left });
  const steps: ReplyStep[] = [{ kind: 'text', deltas: [text], deltaMs: 0 }];
  return { steps, stopReason: 'end_turn', usage: undefined, searches: 0 };
}

function lasting({ pending }: Conversation): PendingDirective[] {
  return pending.filter((line) => !line.isOvertaken || !yieldsToLaterText(line.directive));
}

function finished({ steps, usage, searches }: Draft, stopReason: ReplyStopReason): ReplyPlan {
  return { steps, stopReason, usage, searches };
}

function addContent(draft: Draft, directive: Directive): void {
  const { steps, options, conversation } = draft;
  switch (directive.kind) {
    case 'say':
      addText(draft, withLineEnds(directive.lines));
      break;
    case 'say_blocks':
      addText(draft, [describeBlocks(conversation.newestBlocks)]);
      break;
    case 'tokens':
      if (directive.words > 0) addText(draft, words(directive.words), directive.wordMs);
      break;
    case 'think':
      if (options.isThinkingAllowed) steps.push({ kind: 'thinking', text: directive.text });
      break;
    case 'search':
      if (options.hasWebSearch) steps.push({ kind: 'search', query: directive.query });
      else addText(draft, [`No web search is offered to me: ${directive.query}`]);
      break;
    case 'wait':
      steps.push({ kind: 'wait', ms: directive.ms });
      break;
    case 'usage':
      draft.usage = directive.counts;
      break;
    case 'searches':
      draft.searches += directive.count;
      break;
    default:
      break;
  }
}

function addEnding(draft: Draft, { kind }: Directive): ReplyStopReason | undefined {
  if (kind === 'refuse') return 'refusal';
  if (kind !== 'max_tokens' && kind !== 'window_stop') return undefined;
  if (!hasText(draft)) addText(draft, [CUT_TEXT]);
  return kind === 'max_tokens' ? 'max_tokens' : 'model_context_window_exceeded';
}

/**
 * Adds what spoils a reply so often, counted by its attempts and one line after the other; what
 * ends the reply returns a reason.
 */
function addSpoiling(draft: Draft, directive: Directive): ReplyStopReason | undefined {
  if (!('times' in directive)) return undefined;
  const before = draft.spoilt;
  draft.spoilt += directive.times;
  const { attempt } = draft.options;
  if (attempt <= before || attempt > draft.spoilt) return undefined;
  const { steps } = draft;
  switch (directive.kind) {
    case 'fail': {
      const { status, retryAfterSeconds } = directive;
      steps.push({ kind: 'fail', status, retryAfterSeconds });
      return 'end_turn';
    }
    case 'garbage':
      steps.push({ kind: 'garbage' });
      return 'end_turn';
    case 'stall':
      steps.push({ kind: 'stall', ms: directive.ms });
      return 'end_turn';
    case 'empty':
      draft.steps = steps.filter(({ kind }) => kind === 'wait');
      return 'end_turn';
    case 'blank':
      draft.steps = steps.filter(({ kind }) => kind === 'wait');
      addText(draft, [BLANK_TEXT]);
      return 'end_turn';
    case 'cut':
      steps.push({ kind: 'cut', after: directive.after });
      return undefined;
    case 'repeat_id':
      draft.repeatsId = true;
      return undefined;
  }
}

function addCalls(draft: Draft, pending: readonly PendingDirective[]): void {
  const calls: CallDirective[] = [];
  for (const { directive } of pending) {
    if (directive.kind !== 'call' || (calls.length > 0 && !directive.joins)) break;
    calls.push(directive);
  }
  for (const [at, { tool, input }] of calls.entries()) {
    const name = offeredName(tool, draft.options.toolNames);
    draft.steps.push({ kind: 'tool_use', name, input, repeatsId: draft.repeatsId && at === 1 });
  }
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

function addText({ steps }: Draft, deltas: string[], deltaMs = 0): void {
  steps.push({ kind: 'text', deltas, deltaMs });
}

function hasText({ steps }: Draft): boolean {
  return steps.some(({ kind }) => kind === 'text');
}

function searchedIn({ steps }: Draft): string[] {
  return steps.flatMap((step) => (step.kind === 'search' ? [step.query] : []));
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
