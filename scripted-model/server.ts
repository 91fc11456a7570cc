// The scripted model as a program: a Messages-API server on one port whose words come from the
// user's own lines (docs/scripted-model.md). Every reply follows from its request alone; the list
// of recent requests is for onlookers. Prints `{"port":N}` when it listens; ends on SIGTERM and
// SIGINT.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  REQUEST_BODY_BYTES_MAX,
  SCRIPTED_DELAY_MS,
  SCRIPTED_KEEP_ALIVE_MS,
  SCRIPTED_WAIT_MS_MAX,
} from '../protocol/limits.ts';
import { planAnswer } from './answer.ts';
import { newModelId } from './blocks.ts';
import { modelInfo, modelPage } from './models.ts';
import type { Reply } from './output.ts';
import { PromptCache } from './prompt-cache.ts';
import { readPrompt, toTokens } from './prompt.ts';
import { describeMessages, nowMs, RecentRequests, type RecentRequest } from './recent-requests.ts';
import { errorBody, RequestError } from './request-error.ts';
import { checkRequest } from './request.ts';
import { failureOf, sendFailure, sendJson, sendReply, streamReply } from './stream.ts';
import { usageOf } from './usage.ts';

export interface ScriptedModelOptions {
  /** time to the first token of a reply */
  delayMs: number;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  requestId: string;
  /** fires when the client hangs up */
  signal: AbortSignal;
}

/** What the server remembers of earlier requests; no word of a reply depends on it. */
interface Memory {
  recent: RecentRequests;
  cache: PromptCache;
}

/** Builds the server, not yet listening. */
export function createScriptedModel(options: ScriptedModelOptions): Server {
  const memory: Memory = { recent: new RecentRequests(), cache: new PromptCache() };
  const server = createServer({ keepAliveTimeout: SCRIPTED_KEEP_ALIVE_MS }, (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const requestId = newModelId('req_');
    response.setHeader('request-id', requestId);
    const exchange = { request, response, requestId, signal: gone.signal };
    route(exchange, memory, options).catch((error: unknown) => fail(exchange, error));
  });
  return server;
}

async function route(
  exchange: Exchange,
  memory: Memory,
  options: ScriptedModelOptions,
): Promise<void> {
  const { request, response } = exchange;
  const url = new URL(request.url ?? '/', 'http://localhost');
  const path = url.pathname;
  if (request.method === 'GET' && path === '/healthz') {
    return sendJson(response, 200, { status: 'ok' });
  }
  if (request.method === 'GET' && path === '/recent-requests') {
    const after = Number(url.searchParams.get('after') ?? 0);
    const data = memory.recent.list(after, url.searchParams.get('contains') ?? '');
    return sendJson(response, 200, { data });
  }
  checkHeaders(request);
  if (request.method === 'POST' && path === '/v1/messages') {
    const entry = memory.recent.begin(exchange.requestId);
    return answerMessages(exchange, entry, { ...options, cache: memory.cache });
  }
  if (request.method === 'POST' && path === '/v1/messages/count_tokens') {
    const counted = checkRequest(await readJson(request), true);
    return sendJson(response, 200, { input_tokens: toTokens(readPrompt(counted).chars) });
  }
  if (request.method === 'GET' && path === '/v1/models') {
    return sendJson(response, 200, modelPage());
  }
  const model = /^\/v1\/models\/([^/]+)$/.exec(path)?.[1];
  if (request.method === 'GET' && model !== undefined) {
    return sendJson(response, 200, modelInfo(decodeURIComponent(model)));
  }
  throw new RequestError(404, `${request.method} ${path}: no such route`);
}

/** Answers one Messages request and keeps its entry up to date. */
async function answerMessages(
  exchange: Exchange,
  entry: RecentRequest,
  { delayMs, cache }: ScriptedModelOptions & { cache: PromptCache },
): Promise<void> {
  const { request, response, requestId, signal } = exchange;
  const onCut = (): void => {
    entry.status = 0;
  };
  const context = { requestId, signal, onCut };
  response.once('close', () => {
    entry.is_aborted = !response.writableEnded && entry.status !== 0;
  });
  try {
    const asked = checkRequest(await readJson(request));
    entry.model = asked.model;
    entry.attempt = attemptOf(request);
    describeMessages(entry, asked.messages);
    const prompt = readPrompt(asked);
    const plan = planAnswer(asked, {
      promptTokens: toTokens(prompt.chars),
      attempt: entry.attempt,
    });
    const isStream = asked.stream === true;
    const failing = failureOf(plan, isStream);
    entry.status = failing?.failure.status ?? 200;
    if (failing !== undefined) {
      await sendFailure(response, failing, context);
      return;
    }
    entry.stop_reason = plan.stopReason;
    entry.tool_uses = plan.steps.flatMap((step) => (step.kind === 'tool_use' ? [step.name] : []));
    const reply: Reply = {
      plan,
      model: asked.model,
      usage: usageOf(prompt, cache.use(prompt, nowMs()), plan),
      isThinkingOmitted: asked.thinking?.display === 'omitted',
    };
    if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    if (isStream) await streamReply(response, reply, context);
    else await sendReply(response, reply, context);
  } catch (error) {
    if (error instanceof RequestError) entry.status = error.status;
    throw error;
  } finally {
    entry.ended_at_ms = nowMs();
  }
}

/** Our own header says it from 1 on, the official SDK's counts its own retries from 0. */
function attemptOf({ headers }: IncomingMessage): number {
  const own = Number(headers['x-holdfast-attempt']);
  if (Number.isInteger(own) && own >= 1) return own;
  const retries = Number(headers['x-stainless-retry-count'] ?? 0);
  return Number.isInteger(retries) && retries >= 0 ? retries + 1 : 1;
}

function checkHeaders({ headers }: IncomingMessage): void {
  if (headers['x-api-key'] === undefined && headers.authorization === undefined) {
    throw new RequestError(401, 'x-api-key: a key is required (any will do here)');
  }
  if (headers['anthropic-version'] === undefined) {
    throw new RequestError(400, 'anthropic-version: the header is required');
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > REQUEST_BODY_BYTES_MAX) {
      throw new RequestError(413, `body: at most ${REQUEST_BODY_BYTES_MAX} bytes are allowed`);
    }
    chunks.push(chunk);
  }
  const text = chunks.length === 1 ? chunks[0]!.toString() : Buffer.concat(chunks).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new RequestError(400, 'body: valid JSON is expected');
  }
}

/** The last resort of a request: a caller's mistake is an answer, a client that went is nothing. */
function fail({ response, requestId, signal }: Exchange, error: unknown): void {
  if (signal.aborted) return;
  const isExpected = error instanceof RequestError;
  if (!isExpected) console.error(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = isExpected ? error.status : 500;
  // What is left of a refused body is not read: the connection cannot serve another request.
  if (status === 413) response.setHeader('connection', 'close');
  const message = isExpected ? error.message : 'internal error of the scripted model';
  sendJson(response, status, errorBody(status, message, requestId));
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  console.error(`--${name}: a whole number from 0 to ${max} is expected, not "${text}"`);
  process.exit(2);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      host: { type: 'string', default: '127.0.0.1' },
      'delay-ms': { type: 'string', default: String(SCRIPTED_DELAY_MS) },
    },
  });
  const delayMs = wholeNumber('delay-ms', values['delay-ms'], SCRIPTED_WAIT_MS_MAX);
  const server = createScriptedModel({ delayMs });
  server.on('error', (error) => {
    console.error(`scripted model: ${error.message}`);
    process.exit(1);
  });
  server.listen(wholeNumber('port', values.port, 65_535), values.host, () => {
    console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => process.exit(0));
  }
}

if (import.meta.main) main();
