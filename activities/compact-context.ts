// Compacts a conversation: one model request that summarises everything up to here, and one event
// that the transcript begins with from then on. It happens between two steps, when no tool call is
// open, so no call is ever parted from its result.

import type Anthropic from '@anthropic-ai/sdk';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { appendEvents, stepEvent, type TokenUsage } from '../store/events.ts';
import { beginModelCall } from '../store/model-context.ts';
import { type ActivityDeps, whileBeating } from './deps.ts';
import { runningEvents } from './idle-events.ts';
import type { CallModelInput, CompactContextResult } from './messages.ts';
import { mcpToolsOf } from './mcp-tools.ts';
import {
  closeAttempt,
  closeOpenSpans,
  closeSuperseded,
  type ModelAttempt,
  readStream,
} from './model-attempt.ts';
import { describeModelError, type ModelMessage, type ModelRequest } from './model/anthropic.ts';
import { charsOf, shrunk, withCompactionRequest } from './model/compaction.ts';
import { pricedUsage } from './model/priced-usage.ts';
import { spanEnd } from './model/reply-events.ts';
import { modelRequest } from './model/request.ts';

/** Repeating it gives the first answer; its failures are those of any model request. */
export async function compactContext(
  deps: ActivityDeps,
  input: CallModelInput,
): Promise<CompactContextResult> {
  const number = Context.current().info.attempt;
  const { sessionId, threadId, turn, round } = input;
  const stepKey = `t${turn}.r${round}.compact${input.compactions ?? 0}`;
  const key = `${stepKey}.a${number}`;
  const names = { sessionId, threadId };
  const spanStart = stepEvent({ ...names, key }, 0, { type: 'span.model_request_start' });
  const begun = await beginModelCall(deps.sql, {
    ...names,
    stepKey,
    turn,
    round,
    isCompaction: true,
    afterPosition: 0,
    closing: number === 1 ? [] : await closeOpenSpans(deps, names),
    announcing: runningEvents(names, key),
    events: [spanStart],
  });
  if (begun.outcome === 'done') {
    return { kind: 'compacted', ...(begun.result as { tokens: [number, number] }) };
  }
  if (begun.outcome === 'budget_reached' || begun.outcome === 'ended') {
    return { kind: begun.outcome };
  }
  if (begun.outcome === 'overtaken') return { kind: 'interrupted' };
  if (begun.outcome !== 'begun') throw new Error(`no compaction can be ${begun.outcome}`);
  const modelId = begun.agent.model.id;
  const spanStartId = spanStart.id;
  const attempt = { input: names, turn, number, stepKey, key, spanStartId, modelId };
  const messages = deps.transcripts.read(begun.rows);
  return whileBeating(async () => {
    // The same tools as ever: the provider's cache knows the conversation with them.
    const of = { input: names, key, isTurnStart: false };
    const listed = await mcpToolsOf(deps, begun.agent, of).catch(() => []);
    return summarise(deps, attempt, {
      messages,
      requestFor: (asked) => modelRequest(begun.agent, asked, deps.models, listed),
    });
  });
}

/** Asks for the summary, of less each time the conversation does not fit. */
async function summarise(
  deps: ActivityDeps,
  attempt: ModelAttempt,
  of: {
    messages: Anthropic.MessageParam[];
    requestFor(messages: Anthropic.MessageParam[]): ModelRequest;
  },
): Promise<CompactContextResult> {
  const signal = Context.current().cancellationSignal;
  let { messages } = of;
  for (;;) {
    // With its own breakpoints: all that was sent before is read from the provider's cache.
    const body = of.requestFor(withCompactionRequest(messages));
    let said: { summary: string; usage: TokenUsage };
    try {
      const reply = await readStream(deps, { body, signal, attempt: attempt.number });
      said = { summary: summaryOf(reply), usage: pricedUsage(deps.models, body.model, reply) };
    } catch (error) {
      const shorter = shrunk(of.messages, Math.floor(charsOf(messages) / 2));
      if (describeModelError(error).isOverflow && charsOf(shorter) < charsOf(messages)) {
        messages = shorter;
        continue;
      }
      const closed = await closeAttempt(deps, attempt, error);
      if (closed.kind === 'interrupted') return closed;
      throw ApplicationFailure.create({
        type: 'model_request_failed_error',
        message: 'not even the request for a summary fits the model',
        nonRetryable: true,
      });
    }
    return appendSummary(deps, attempt, said);
  }
}

/** A model that called a tool instead, or said nothing: the next attempt may do better. */
function summaryOf(reply: ModelMessage): string {
  const texts = reply.content.map((block) => (block.type === 'text' ? block.text : ''));
  const summary = texts.join('\n').trim();
  if (summary === '') throw new Error('the model wrote no summary');
  return summary;
}

async function appendSummary(
  deps: ActivityDeps,
  attempt: ModelAttempt,
  { summary, usage }: { summary: string; usage: TokenUsage },
): Promise<CompactContextResult> {
  const tokens = [usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens];
  const step = { ...attempt.input, key: attempt.stepKey };
  const answer = await appendEvents<{ tokens: [number, number] }>(deps.sql, {
    sessionId: attempt.input.sessionId,
    stepKey: attempt.stepKey,
    turn: attempt.turn,
    events: [
      spanEnd({ ...attempt.input, startId: attempt.spanStartId }, false, usage),
      stepEvent(step, 0, { type: 'agent.thread_context_compacted' }, { summary }),
    ],
    isCompaction: true,
    result: { tokens },
    usage,
  });
  if (answer.outcome === 'ended') return { kind: 'ended' };
  if (answer.outcome === 'overtaken') return { kind: 'interrupted' };
  if (answer.outcome === 'repeated') await closeSuperseded(deps, attempt);
  return { kind: 'compacted', tokens: answer.result.tokens };
}
