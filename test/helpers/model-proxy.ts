// A Messages endpoint in front of the scripted model, in the test's own process: keeps every
// request it passed on, so that a test sees what the model saw, and can fail like an endpoint does:
// answer an error, cut a stream, be down. Real HTTP on both sides.

import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { createScriptedModel } from '../../scripted-model/server.ts';
import { type RawBlock, rawReply } from './raw-reply.ts';

/** The part of a Messages request that tests look at. */
export interface ModelRequest {
  model: string;
  system?: unknown;
  tools?: { name: string }[];
  messages: { role: string; content: string | ModelBlock[] }[];
}

export interface ModelBlock {
  type: string;
  text?: string;
  tool_use_id?: string;
  signature?: string;
  thinking?: string;
  content?: unknown;
  [key: string]: unknown;
}

/** What the next requests get instead of the model's answer, one each, in order. */
export type ProxyFailure =
  | {
      kind: 'status';
      status: number;
      headers?: Record<string, string>;
      body?: unknown;
      /** the answer waits for it */
      after?: Promise<unknown>;
    }
  /** the connection ends after the first bytes of the answer */
  | { kind: 'cut' }
  /** a stream of these very blocks; a reply that calls tools where nothing else is said */
  | { kind: 'reply'; blocks: readonly RawBlock[]; stopReason?: string };

export interface ModelProxy {
  readonly url: string;
  /** every request that was passed on or failed, oldest first */
  readonly requests: ModelRequest[];
  readonly failures: ProxyFailure[];
  /** Stops listening and cuts every connection. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
  close(): Promise<void>;
}

/** Starts both, the scripted model without any delay. */
export async function startModelProxy(): Promise<ModelProxy> {
  const model = createScriptedModel({ delayMs: 0 });
  const modelPort = await listen(model, 0);
  const requests: ModelRequest[] = [];
  const failures: ProxyFailure[] = [];
  const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
    void passOn(incoming, response, { modelPort, requests, failures }).catch(() =>
      response.destroy(),
    );
  };
  let proxy = createServer(serve);
  const port = await listen(proxy, 0);
  const down = (): Promise<void> => stop(proxy);
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    failures,
    down,
    async up() {
      proxy = createServer(serve);
      await listen(proxy, port);
    },
    async close() {
      await down();
      await stop(model);
    },
  };
}

/** Texts of the user messages in a request, in order, tool results left out. */
export function userTexts({ messages }: ModelRequest): string[] {
  return messages
    .filter(({ role }) => role === 'user')
    .flatMap(({ content }) =>
      typeof content === 'string'
        ? [content]
        : content.flatMap((block) => (block.type === 'text' ? [block.text ?? ''] : [])),
    );
}

async function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  to: { modelPort: number; requests: ModelRequest[]; failures: ProxyFailure[] },
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  to.requests.push(JSON.parse(body.toString('utf8')) as ModelRequest);
  const failure = to.failures.shift();
  if (failure?.kind === 'status') {
    await failure.after;
    return answer(response, failure);
  }
  if (failure?.kind === 'reply') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return void response.end(rawReply(failure.blocks, failure.stopReason ?? 'tool_use'));
  }
  const { method, url: path, headers } = incoming;
  const upstream = request({ port: to.modelPort, host: '127.0.0.1', method, path, headers });
  upstream.end(body);
  response.once('close', () => upstream.destroy());
  const [reply] = (await once(upstream, 'response')) as [IncomingMessage];
  response.writeHead(reply.statusCode ?? 502, reply.headers);
  for await (const chunk of reply) {
    response.write(chunk);
    if (failure?.kind === 'cut') return void response.destroy();
  }
  response.end();
}

function answer(response: ServerResponse, failure: ProxyFailure & { kind: 'status' }): void {
  const error = { type: 'api_error', message: `failed with ${failure.status}` };
  response.writeHead(failure.status, { 'content-type': 'application/json', ...failure.headers });
  response.end(JSON.stringify(failure.body ?? { type: 'error', error }));
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
