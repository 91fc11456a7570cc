// The HTTP of one connection to an MCP server: whatever the SDK's transports send and receive
// passes here. It adds the credentials, bounds what comes back, turns refusals into typed errors,
// and sees to it that every request ends: the transports wait for ever where an answer's stream
// breaks off.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type JSONRPCMessage,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js';
import {
  MCP_ANSWERS_OPEN_MAX,
  MCP_NOTICE_MS,
  MCP_REOPEN_ATTEMPTS_MAX,
  MCP_REOPEN_PAUSE_MS,
  MCP_RESPONSE_BYTES_MAX,
  MCP_RESPONSES_SAVED_MAX,
  MCP_SETTLE_MS,
} from '../../protocol/server-tool-limits.ts';
import {
  LostAnswer,
  McpCredentialsError,
  McpEndedError,
  McpFloodError,
  McpHttpError,
} from './trouble.ts';
import { isEventStream, watchedBody } from './watched-body.ts';

export interface WireOptions {
  url: URL;
  kind: 'streamable' | 'sse';
  fetch: (url: URL, init: RequestInit) => Promise<Response>;
  /** Request headers that authenticate, asked for at every request, so that a rotation is seen */
  headers: () => Promise<Record<string, string> | null>;
}

/** A request of ours without its answer. */
interface OpenRequest {
  id: RequestId;
  /** Ends its HTTP requests, once nobody waits for the answer */
  abort: AbortController;
  /** Attempts in a row to take its stream up again that failed */
  failedReopens: number;
  /** The transport has its result, and looks for it no more */
  hasResult: boolean;
}

/** Values shorter than this are no secrets, and would blank out honest text. */
const SECRET_CHARS_MIN = 8;

export class McpWire {
  readonly #options: WireOptions;
  readonly #open = new Map<RequestId, OpenRequest>();
  readonly #secrets = new Set<string>();
  #deliver: (message: JSONRPCMessage) => void = () => {};
  #bytesLeft = MCP_RESPONSE_BYTES_MAX;
  #answersUnderWay = 0;
  #streamOpenedAt = -Infinity;
  /** The stream that belongs to no request is open */
  #hasPlainStream = false;
  /** Requests whose stream broke off, by the last event id on it: the transport resumes by that */
  readonly #resumable = new Map<string, OpenRequest>();
  /** Why nothing goes over this wire any more */
  #end: Error | undefined;
  /** The HTTP answer that ended the first event stream; the SSE transport loses its status */
  streamRefusal: McpHttpError | undefined;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Credentials that were sent, to be kept out of what is shown. */
  get secrets(): readonly string[] {
    return [...this.#secrets];
  }

  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Listens to what a transport delivers; must be called before it is connected. */
  watch(transport: Transport): void {
    transport.onmessage = (message) => {
      const isResult = isJSONRPCResultResponse(message);
      if (!isResult && !isJSONRPCErrorResponse(message)) return;
      const request = message.id === undefined ? undefined : this.#open.get(message.id);
      if (request === undefined) return;
      request.hasResult = isResult;
      this.#open.delete(request.id);
    };
    this.#deliver = (message) => transport.onmessage?.(message);
  }

  /** Ends every open request as lost, and refuses new ones. */
  end(reason: Error): void {
    this.#end ??= reason;
    for (const id of this.#open.keys()) this.#lose(id);
  }

  /** The `fetch` for the SDK's transports. */
  readonly fetch = async (to: string | URL, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(to);
    if (this.#end !== undefined) throw this.#end;
    if (!isWithin(this.#options.url, url)) throw new McpHttpError(307);
    const headers = await this.#authenticated(init.headers);
    if (init.method === 'POST') return this.#post(url, { ...init, headers });
    if (init.method === 'DELETE') return this.#exchange(url, { ...init, headers });
    return this.#openStream(url, { ...init, headers });
  };

  async #authenticated(given: RequestInit['headers']): Promise<Headers> {
    const headers = new Headers(given);
    try {
      for (const [name, value] of Object.entries((await this.#options.headers()) ?? {})) {
        headers.set(name, value);
        this.#remember(value);
      }
    } catch {
      // Their source logs its own failures; an error here may quote what it could not use.
      throw new McpCredentialsError();
    }
    return headers;
  }

  async #post(url: URL, init: RequestInit): Promise<Response> {
    const message = JSON.parse(init.body as string) as JSONRPCMessage;
    if (isJSONRPCRequest(message)) return this.#request(url, init, message.id);
    const isAnswer = !('method' in message);
    if (isAnswer && this.#answersUnderWay >= MCP_ANSWERS_OPEN_MAX) throw new McpFloodError();
    this.#answersUnderWay += isAnswer ? 1 : 0;
    this.#abortCancelled(message);
    const bound = AbortSignal.timeout(MCP_NOTICE_MS);
    try {
      return await this.#exchange(url, withSignal(init, bound));
    } finally {
      this.#answersUnderWay -= isAnswer ? 1 : 0;
    }
  }

  async #request(url: URL, init: RequestInit, id: RequestId): Promise<Response> {
    this.#bytesLeft = Math.min(
      this.#bytesLeft + MCP_RESPONSE_BYTES_MAX,
      MCP_RESPONSES_SAVED_MAX * MCP_RESPONSE_BYTES_MAX,
    );
    const request: OpenRequest = {
      id,
      abort: new AbortController(),
      failedReopens: 0,
      hasResult: false,
    };
    this.#open.set(id, request);
    try {
      const response = await this.#exchange(url, withSignal(init, request.abort.signal));
      // On the legacy transport the answer comes on the event stream.
      if (this.#options.kind === 'sse') return response;
      if (response.body === null) this.#answerEnded(request, undefined);
      return this.#watched(response, (lastEventId) => this.#answerEnded(request, lastEventId));
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
  }

  async #openStream(url: URL, init: RequestInit): Promise<Response> {
    if (url.href === this.#options.url.href) {
      // A second legacy stream would be a session that was never initialized.
      const isFirst = this.#streamOpenedAt === -Infinity;
      if (this.#options.kind === 'sse' && !isFirst) throw new McpEndedError();
      const pauseMs = this.#streamOpenedAt + MCP_REOPEN_PAUSE_MS - performance.now();
      if (pauseMs > 0) await sleep(pauseMs, undefined, init.signal ? { signal: init.signal } : {});
    }
    this.#streamOpenedAt = performance.now();
    const lastEventId = new Headers(init.headers).get('last-event-id') ?? '';
    const request = this.#resumable.get(lastEventId);
    if (request === undefined) return this.#openPlainStream(url, init);
    // The transport takes up the stream of every request without a result: a cancelled one as well.
    if (this.#open.has(request.id)) return this.#resume(url, init, { request, lastEventId });
    this.#resumable.delete(lastEventId);
    return noStream();
  }

  async #openPlainStream(url: URL, init: RequestInit): Promise<Response> {
    // It may have forgotten which stream it lost, and asks for a second one of these.
    if (this.#hasPlainStream) return noStream();
    try {
      const response = await this.#exchange(url, init);
      this.#hasPlainStream = response.ok && response.body !== null;
      return this.#watched(response, () => {
        this.#hasPlainStream = false;
        if (this.#options.kind === 'streamable') return;
        setTimeout(() => this.end(new McpEndedError()), MCP_SETTLE_MS);
      });
    } catch (error) {
      if (error instanceof McpHttpError) this.streamRefusal ??= error;
      throw error;
    }
  }

  async #resume(
    url: URL,
    init: RequestInit,
    { request, lastEventId }: { request: OpenRequest; lastEventId: string },
  ): Promise<Response> {
    try {
      const response = await this.#exchange(url, withSignal(init, request.abort.signal));
      // The transport follows it, and comes by here again.
      if (isRedirect(response)) return response;
      if (!isEventStream(response)) this.#lose(request.id);
      else request.failedReopens = 0;
      this.#resumable.delete(lastEventId);
      return this.#watched(response, (next) => this.#answerEnded(request, next));
    } catch (error) {
      request.failedReopens += 1;
      if (request.failedReopens >= MCP_REOPEN_ATTEMPTS_MAX) this.#lose(request.id);
      throw error;
    }
  }

  #watched(response: Response, ended: (lastEventId: string | undefined) => void): Response {
    return watchedBody(response, { charge: (bytes) => this.#charge(bytes), ended });
  }

  /** One request and its answer's head; what is no answer becomes an error here. */
  async #exchange(url: URL, init: RequestInit): Promise<Response> {
    const response = await this.#options.fetch(url, init);
    const hasNoStream = response.status === 405 && init.method !== 'POST';
    if (response.ok || hasNoStream) return response;
    if (isRedirect(response) && isRedirectWithin(this.#options.url, url, response)) return response;
    await response.body?.cancel();
    throw new McpHttpError(response.status);
  }

  #charge(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft >= 0) return;
    const flood = new McpFloodError();
    this.#end ??= flood;
    // The reader of this very answer is told first.
    setImmediate(() => this.end(flood));
    throw flood;
  }

  /** The stream of an answer is over; if the answer was not in it, nothing else will say so. */
  #answerEnded(request: OpenRequest, lastEventId: string | undefined): void {
    if (lastEventId !== undefined) this.#resumable.set(lastEventId, request);
    setTimeout(() => {
      if (lastEventId === undefined) this.#lose(request.id);
      else if (request.hasResult) this.#resumable.delete(lastEventId);
    }, MCP_SETTLE_MS);
  }

  #lose(id: RequestId): void {
    if (!this.#drop(id)) return;
    const error = { code: -32_000, message: 'the answer is lost', data: new LostAnswer(this.#end) };
    this.#deliver({ jsonrpc: '2.0', id, error });
  }

  /** A server that ignores the cancellation must not keep the request open. */
  #abortCancelled(message: JSONRPCMessage): void {
    if (!isJSONRPCNotification(message) || message.method !== 'notifications/cancelled') return;
    this.#drop(message.params?.['requestId'] as RequestId);
  }

  /** Forgets a request and ends what is under way for it; false where there is none. */
  #drop(id: RequestId): boolean {
    this.#open.get(id)?.abort.abort();
    return this.#open.delete(id);
  }

  #remember(value: string): void {
    for (const each of [value, value.replace(/^\w+ /, '')]) {
      if (each.length >= SECRET_CHARS_MIN) this.#secrets.add(each);
    }
  }
}

function withSignal(init: RequestInit, signal: AbortSignal): RequestInit {
  return { ...init, signal: init.signal ? AbortSignal.any([signal, init.signal]) : signal };
}

/** What a server without event streams answers; the transport then leaves it at that. */
function noStream(): Response {
  return new Response(null, { status: 405 });
}

/** Same scheme, host and port; or the https form of a plain one, both on their usual ports. */
function isWithin(from: URL, to: URL): boolean {
  if (from.origin === to.origin) return true;
  const isUpgrade = from.protocol === 'http:' && to.protocol === 'https:';
  return isUpgrade && from.hostname === to.hostname && from.port === '' && to.port === '';
}

function isRedirect({ status }: Response): boolean {
  return status >= 300 && status < 400;
}

function isRedirectWithin(server: URL, asked: URL, response: Response): boolean {
  const target = URL.parse(response.headers.get('location') ?? '', asked.href);
  return target !== null && isWithin(server, target);
}
