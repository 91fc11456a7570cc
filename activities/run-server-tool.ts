// One call of a tool that this server runs itself: the web tools and those of MCP servers. Nobody
// keeps a journal of these calls, so one whose worker died is not made again unless repeating it is
// harmless (workflows/policies.ts); its result enters the log once, keyed by the call.

import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type * as z from 'zod';
import type { resultContent } from '../protocol/content.ts';
import { COMMIT_RETRY_MS, TOOL_OUTPUT_CHARS_MAX } from '../protocol/limits.ts';
import { KEPT_TEXT_BYTES_MAX, MCP_FINISH_MS } from '../protocol/server-tool-limits.ts';
import type { SessionAgent } from '../protocol/sessions.ts';
import { WEB_TOOLS } from '../protocol/tools.ts';
import { isConnectionLoss } from '../store/database.ts';
import { appendEvents } from '../store/events.ts';
import { loadOrigins, loadToolCall, type ToolCallRow } from '../store/model-context.ts';
import { type ActivityDeps, isCancelRequested, whileBeating } from './deps.ts';
import { workerStopping } from './failures.ts';
import type { RunToolInput, RunToolResult } from './messages.ts';
import { resultEvent } from './model/result-events.ts';
import { type UrlOrigin, urlTextOf } from './web/prior-urls.ts';
import { sandboxSpec } from './run-tool.ts';

/** A block of a tool's result; sdk 1.11.0: BetaManagedAgentsAgentToolResultEvent.content. */
type ResultBlock = z.infer<typeof resultContent>[number];

/** What such a tool answers: blocks as they go into a result. */
interface Outcome {
  content: readonly ResultBlock[];
  isError: boolean;
  /** Web searches made, for the bill */
  searches?: number;
}

/** Runs a call until its result is in the log. */
export async function runServerTool(
  deps: ActivityDeps,
  input: RunToolInput,
): Promise<RunToolResult> {
  const call = await loadToolCall(deps.sql, input.sessionId, input.callId);
  if (call === null || call.status === 'terminated' || call.isAnswered) return { isAnswered: true };
  return whileBeating(async () => {
    // Reading the web again does no harm; what another's tool did may not be done twice.
    const finishMs = call.type === 'agent.mcp_tool_use' ? MCP_FINISH_MS : 0;
    const outcome = await untilStopped((signal) => run(deps, input, { call, signal }), finishMs);
    await deps.pausePoint?.('tool-ended');
    await commit(deps, input, { call, outcome: await inBounds(deps, input, { call, outcome }) });
    return { isAnswered: true };
  });
}

interface Running {
  call: ToolCallRow;
  signal: AbortSignal;
}

function run(deps: ActivityDeps, input: RunToolInput, { call, signal }: Running): Promise<Outcome> {
  const { agent, name } = call;
  const session = { sessionId: input.sessionId };
  if (call.type === 'agent.mcp_tool_use') {
    const server = agent.mcp_servers.find((each) => each.name === call.server);
    if (server === undefined) return Promise.resolve(goneServer(call.server));
    return deps.mcp.call(session, { server, tool: name, input: call.input }, signal);
  }
  if (name !== 'web_fetch' && name !== 'web_search') throw new Error(`no server runs ${name}`);
  const settings = webSettings(agent, name);
  const origins = () => urlOrigins(deps, input);
  return deps.web.run({ name, input: call.input, settings, loadOrigins: origins }, signal);
}

/** Where a URL may have been shown: by users, by clients, by the web tools themselves. */
async function urlOrigins(deps: ActivityDeps, input: RunToolInput): Promise<UrlOrigin[]> {
  const texts = await loadOrigins(deps.sql, input.sessionId, input.threadId);
  return texts
    .filter(({ kind, tool }) => kind !== 'server_tool_results' || isWebTool(tool))
    .map(({ kind, tool, content }) => ({ kind, tool, text: urlTextOf(content) }));
}

function isWebTool(name: string | null): boolean {
  return WEB_TOOLS.some((each) => each === name);
}

/** The session's MCP servers were replaced after the model had asked for the call. */
function goneServer(server: string | null): Outcome {
  const text = `The MCP server ${server ?? ''} is no longer part of this session.`;
  return { content: [{ type: 'text', text }], isError: true };
}

/**
 * Passes on an interrupt. A worker that goes down gives a call `finishMs` to end; what then still
 * runs is left to whoever may repeat it.
 */
async function untilStopped(
  work: (signal: AbortSignal) => Promise<Outcome>,
  finishMs: number,
): Promise<Outcome> {
  const context = Context.current();
  const { cancellationSignal: cancelled } = context;
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const whenCancelled = (): void => {
    timer = setTimeout(() => stop.abort(), isCancelRequested(context) ? 0 : finishMs);
  };
  if (cancelled.aborted) whenCancelled();
  else cancelled.addEventListener('abort', whenCancelled, { once: true });
  try {
    return await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw isCancelRequested(context) ? new CancelledFailure('interrupted') : workerStopping();
  } finally {
    cancelled.removeEventListener('abort', whenCancelled);
    clearTimeout(timer);
  }
}

/**
 * Text that is longer than a tool's output may be is kept whole in a file of the sandbox, where the
 * session has one here (behaviour 3.1); the first block with text then shows its start and end.
 */
async function inBounds(
  deps: ActivityDeps,
  input: RunToolInput,
  { call, outcome }: { call: ToolCallRow; outcome: Outcome },
): Promise<Outcome> {
  const holders = outcome.content.filter((block) => textOf(block) !== null);
  const text = holders.map(textOf).join('\n');
  if (text.length <= TOOL_OUTPUT_CHARS_MAX) return outcome;
  const shown = (await keptText(deps, input, { call, text })) ?? cut(text);
  const rest = outcome.content.filter((block) => textOf(block) === null);
  return { ...outcome, content: [withText(holders[0]!, shown), ...rest] };
}

/** What a block says: a text, or a document of text; null for any other. */
function textOf(block: ResultBlock): string | null {
  if (block.type === 'text') return block.text;
  return block.type === 'document' && block.source.type === 'text' ? block.source.data : null;
}

function withText(block: ResultBlock, text: string): ResultBlock {
  if (block.type !== 'document') return { type: 'text', text };
  return { ...block, source: { type: 'text', media_type: 'text/plain', data: text } };
}

/** What the runner shows of a text that it keeps; null where there is no sandbox, or no room. */
async function keptText(
  deps: ActivityDeps,
  input: RunToolInput,
  { call, text }: { call: ToolCallRow; text: string },
): Promise<string | null> {
  const { sandbox } = deps;
  if (sandbox?.has(input.sessionId) !== true) return null;
  if (Buffer.byteLength(JSON.stringify(text)) > KEPT_TEXT_BYTES_MAX) return null;
  const keep = { callId: `${input.callId}.kept`, tool: 'keep' as const, input: { text } };
  const spec = sandboxSpec(input.sessionId, call.environment);
  const outcome = await sandbox.call(input.sessionId, keep, { spec, askedAt: call.askedAt });
  sandbox.acknowledge(input.sessionId, keep.callId);
  if (outcome.status !== 'completed' || outcome.isError) return null;
  const [block] = outcome.content;
  return block?.type === 'text' ? block.text : null;
}

/** Without a file to look into, the model is shown as much as it may be. */
function cut(text: string): string {
  const left = text.length - TOOL_OUTPUT_CHARS_MAX;
  const note = `[output truncated: ${left} of ${text.length} characters are left out]`;
  return `${text.slice(0, TOOL_OUTPUT_CHARS_MAX)}\n\n${note}`.toWellFormed();
}

/** Waits for a database that is away: the call has been made, and its answer is nowhere else. */
async function commit(
  deps: ActivityDeps,
  input: RunToolInput,
  { call, outcome }: { call: ToolCallRow; outcome: Outcome },
): Promise<void> {
  const event = resultEvent(input, { id: input.callId, ...call }, outcome);
  const searches = outcome.searches ?? 0;
  for (;;) {
    try {
      await appendEvents(deps.sql, {
        sessionId: input.sessionId,
        stepKey: input.callId,
        events: [event],
        ...(searches === 0 ? {} : { searches }),
      });
      return;
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
    }
    await pause(COMMIT_RETRY_MS);
  }
}

function webSettings<N extends 'web_fetch' | 'web_search'>(agent: SessionAgent, name: N) {
  const toolset = agent.tools.find((tool) => tool.type === 'agent_toolset_20260401');
  const entry = toolset?.configs.find((config) => config.name === name);
  return entry?.name === 'web_fetch' || entry?.name === 'web_search' ? entry : undefined;
}
