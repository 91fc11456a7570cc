// Writes a reply to an HTTP response, as server-sent events or as one JSON body. Keeps the pace of
// the plan, stops at once when the client hangs up, and cuts or fails where the plan says so.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, replyParts, type Reply } from './output.ts';
import { errorBody } from './request-error.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';

type Failure = Extract<ReplyStep, { kind: 'fail' }>;

const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
};
const JSON_HEADERS = { 'content-type': 'application/json' };
const PING = frame({ type: 'ping' });
const GARBAGE = 'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n';
const GARBAGE_BODY = '{"type":"message","content":[{';

export interface SendContext {
  requestId: string;
  /** fires when the client hangs up */
  signal: AbortSignal;
  /** called right before the connection is cut on purpose */
  onCut: () => void;
}

/** Streams a reply; rejects with an `AbortError` when the signal fires first. */
export async function streamReply(
  response: ServerResponse,
  reply: Reply,
  context: SendContext,
): Promise<void> {
  response.writeHead(200, STREAM_HEADERS);
  let buffer = '';
  const flush = async (): Promise<void> => {
    const text = buffer;
    buffer = '';
    if (text !== '' && !response.write(text)) {
      await once(response, 'drain', { signal: context.signal });
    }
  };
  // Pauses are kept by due time: a late timer shortens the next one, so a thousand words stay on
  // pace.
  let dueMs = performance.now();
  for (const part of replyParts(reply)) {
    if (part.kind === 'event') {
      buffer += frame(part.event);
      if (part.event.type === 'message_start') buffer += PING;
    } else if (part.kind === 'pause') {
      dueMs = Math.max(dueMs + part.ms, performance.now() - part.ms);
      const waitMs = dueMs - performance.now();
      if (waitMs < 1) continue;
      await flush();
      await sleep(waitMs, undefined, { signal: context.signal });
    } else if (part.kind === 'garbage') {
      buffer += GARBAGE;
    } else if (part.status === 0) {
      await cutConnection(response, buffer, context);
      return;
    } else {
      buffer += frame(errorBody(part.status, failureMessage(part), context.requestId));
    }
  }
  response.end(buffer);
}

/** Answers with the whole message after as long as streaming it would have taken. */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  context: SendContext,
): Promise<void> {
  const { steps } = reply.plan;
  const at = steps.findIndex(({ kind }) => SPOILING.has(kind));
  const ms = durationMs(at < 0 ? steps : steps.slice(0, at + 1));
  if (ms > 0) await sleep(ms, undefined, { signal: context.signal });
  if (at < 0) return sendJson(response, 200, messageOf(reply));
  if (steps[at]?.kind !== 'garbage') return cutConnection(response, '', context);
  response.writeHead(200, JSON_HEADERS);
  response.end(GARBAGE_BODY);
}

const SPOILING: ReadonlySet<ReplyStep['kind']> = new Set(['cut', 'stall', 'garbage']);

/**
 * The failure that answers the whole request, with the pause before it: one that comes before
 * anything was said, or any in a reply that does not stream.
 */
export function failureOf(
  plan: ReplyPlan,
  isStream: boolean,
): { failure: Failure; afterMs: number } | undefined {
  const at = plan.steps.findIndex(({ kind }) => kind === 'fail');
  if (at < 0) return undefined;
  const before = plan.steps.slice(0, at);
  if (isStream && before.some(({ kind }) => kind !== 'wait')) return undefined;
  return { failure: plan.steps[at] as Failure, afterMs: durationMs(before) };
}

/** Answers a whole request with a scripted failure, after its pause. */
export async function sendFailure(
  response: ServerResponse,
  { failure, afterMs }: { failure: Failure; afterMs: number },
  context: SendContext,
): Promise<void> {
  if (afterMs > 0) await sleep(afterMs, undefined, { signal: context.signal });
  if (failure.status === 0) {
    await cutConnection(response, '', context);
    return;
  }
  if (failure.retryAfterSeconds !== undefined) {
    response.setHeader('retry-after', String(failure.retryAfterSeconds));
  }
  const body = errorBody(failure.status, failureMessage(failure), context.requestId);
  sendJson(response, failure.status, body);
}

/** Answers with a JSON body. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, JSON_HEADERS);
  response.end(JSON.stringify(body));
}

function frame(event: { type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function failureMessage({ status }: Failure): string {
  return `The script asked for a failure with status ${status}.`;
}

/** Sends what there is, then drops the socket without an end of the body. */
async function cutConnection(
  response: ServerResponse,
  rest: string,
  { onCut }: SendContext,
): Promise<void> {
  onCut();
  if (rest !== '') await new Promise((resolve) => response.write(rest, resolve));
  response.destroy();
}

function durationMs(steps: readonly ReplyStep[]): number {
  let ms = 0;
  for (const step of steps) {
    if (step.kind === 'wait' || step.kind === 'stall') ms += step.ms;
    if (step.kind === 'text') ms += step.deltaMs * step.deltas.length;
  }
  return ms;
}
