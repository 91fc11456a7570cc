// The HTTP server under the API. It hands on what it can read as a request; what it cannot, Node
// would answer with a bare status. Promise: whatever bytes arrive, an answer to them has a request
// id and the documented error body, and an answer that has begun is never mixed with another.

import { createServer, maxHeaderSize, STATUS_CODES } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server';
import { ApiError, errorBody } from '../protocol/errors.ts';
import { newId } from '../protocol/ids.ts';

/** Answers a request; `bindings` are Node's own objects behind it. */
export type Fetch = (request: Request, bindings: HttpBindings) => Response | Promise<Response>;

/** Makes a server; it listens nowhere yet. */
export function createHttpServer(fetch: Fetch): Server {
  const listener = getRequestListener(
    (request, bindings) => fetch(request, bindings as HttpBindings),
    {
      errorHandler: (error) => {
        const { status, headers, body } = answerTo(unreadableRequest(error));
        return new Response(body, { status, headers });
      },
    },
  );
  // A missing Host is left to the listener, whose answer is ours.
  const server = createServer({ requireHostHeader: false }, listener);
  const answering = new WeakMap<Duplex, Set<ServerResponse>>();
  server.on('request', ({ socket }, response) => {
    const responses = answering.get(socket) ?? new Set();
    answering.set(socket, responses.add(response));
    response.once('close', () => responses.delete(response));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const hasBegun = [...(answering.get(socket) ?? [])].some((response) => response.headersSent);
    if (hasBegun || !socket.writable) return void socket.destroy();
    socket.end(asText(answerTo(UNREADABLE_BYTES[error.code ?? ''] ?? NO_HTTP)), () => {
      socket.destroy();
    });
  });
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    const { status, headers, body } = answerTo(UNKNOWN_EXPECTATION);
    response.writeHead(status, headers).end(body);
  });
  return server;
}

interface Refusal {
  status: number;
  error: unknown;
}

const NO_HTTP = refusal(400, 'The request is not valid HTTP/1.1.');
const UNKNOWN_EXPECTATION = refusal(417, 'expect: only `100-continue` is known.');
/** By the code of Node's error; the statuses are the ones that Node would answer with. */
const UNREADABLE_BYTES: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: refusal(431, `The headers exceed the maximum of ${maxHeaderSize} bytes.`),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: refusal(413, 'The chunks of the body have too many extensions.'),
  ERR_HTTP_REQUEST_TIMEOUT: refusal(408, 'The request did not arrive in time.'),
};

function refusal(status: number, message: string): Refusal {
  const type = status === 413 ? 'request_too_large' : 'invalid_request_error';
  return { status, error: new ApiError(type, message) };
}

function unreadableRequest(error: unknown): Refusal {
  if (!(error instanceof RequestError)) return { status: 500, error };
  return refusal(400, `The request cannot be read: ${error.message}.`);
}

function answerTo({ status, error }: Refusal) {
  const requestId = newId('request');
  const body = JSON.stringify(errorBody(error, requestId));
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'request-id': requestId,
  };
  return { status, headers, body };
}

function asText({ status, headers, body }: ReturnType<typeof answerTo>): string {
  const lines = Object.entries({ ...headers, connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`;
}
