// An MCP server without a library, for tests of what servers do wrong: plain HTTP whose every
// answer a test may replace. Where a test says nothing it answers as a well-behaved server without
// sessions and event streams.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RawRequest {
  http: IncomingMessage;
  response: ServerResponse;
  /** `GET`, `DELETE`, or the JSON-RPC method; `answer` for an answer to a request of the server */
  method: string;
  id: number;
  params: Record<string, unknown>;
}

/** Answers a request itself, or returns false for the usual answer. */
export type Misbehaviour = (request: RawRequest) => boolean | void;

export interface RawMcpServer {
  readonly url: string;
  /** Methods of the requests in the order in which they came */
  readonly seen: readonly string[];
  close(): Promise<void>;
}

const TOOLS = [
  { name: 'act', inputSchema: { type: 'object' } },
  { name: 'look', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
];

/** Starts a server on a port of its own. */
export async function startRawMcpServer(misbehave: Misbehaviour): Promise<RawMcpServer> {
  const seen: string[] = [];
  const http = createServer((request, response) => {
    // A test may break the connection under either.
    request.on('error', () => {});
    response.on('error', () => {});
    void readRequest(request, response).then((read) => {
      seen.push(read.method);
      if (misbehave(read) !== true) answerUsually(read);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    seen,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

/** Answers with a JSON-RPC result. */
export function answerWith({ response, id }: RawRequest, result: unknown): true {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  return true;
}

/** Begins an event stream; what is written to it afterwards is up to the test. */
export function beginStream({ response }: RawRequest, first = ''): true {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  response.write(first);
  return true;
}

/** One server-sent event that holds a JSON-RPC message. */
export function sentEvent(message: Record<string, unknown>): string {
  return `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
}

/** Writes the same again and again for as long as it is read. */
export function flood(response: ServerResponse, text: string): true {
  const more = (): void => {
    while (!response.destroyed && response.write(text));
  };
  response.on('drain', more);
  more();
  return true;
}

function answerUsually(request: RawRequest): void {
  const { method, response } = request;
  if (method === 'GET') response.writeHead(405).end();
  else if (method === 'initialize') answerWith(request, initialized());
  else if (method === 'tools/list') answerWith(request, { tools: TOOLS });
  else if (method === 'tools/call') {
    answerWith(request, { content: [{ type: 'text', text: 'done' }] });
  } else response.writeHead(202).end();
}

/** The result of `initialize` */
export function initialized(): Record<string, unknown> {
  return {
    protocolVersion: '2025-06-18',
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name: 'raw', version: '1' },
  };
}

async function readRequest(http: IncomingMessage, response: ServerResponse): Promise<RawRequest> {
  const pieces: Buffer[] = [];
  for await (const piece of http) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces).toString('utf8');
  const message = (body === '' ? {} : JSON.parse(body)) as Partial<RawRequest>;
  const method = http.method === 'POST' ? (message.method ?? 'answer') : http.method!;
  return { http, response, method, id: message.id ?? -1, params: message.params ?? {} };
}
