// What the HTTP server says to bytes that never become a request: the documented error body, as to
// any other mistake. Spoken over bare sockets, since no client library can say it.

import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpServer } from '../../../api/http-server.ts';

const server = createHttpServer(async (request) => {
  if (request.url.endsWith('/endless')) return new Response(endless());
  return new Response(await request.text());
});

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('first words')),
  });
}

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function open() {
  return connect((server.address() as AddressInfo).port, '127.0.0.1');
}

/** Sends bytes as they are and returns the whole answer, read to the end of the connection. */
async function say(bytes: string) {
  const socket = open();
  socket.write(bytes);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n', 2);
  const [line = '', ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((each) => each.split(/: (.*)/s, 2) as [string, string]));
  return { status: Number(line.split(' ')[1]), headers, body };
}

const CLOSE = 'connection: close\r\n';

test.each([
  ['a malformed Host', 400, `GET / HTTP/1.1\r\nhost: a b/c\r\n${CLOSE}\r\n`],
  ['a Host with a user', 400, `GET / HTTP/1.1\r\nhost: x@y\r\n${CLOSE}\r\n`],
  ['no Host', 400, `GET / HTTP/1.1\r\n${CLOSE}\r\n`],
  ['no Host, in HTTP/1.0', 400, 'GET / HTTP/1.0\r\n\r\n'],
  ['a path with a backslash', 400, `GET /a\\b HTTP/1.1\r\nhost: x\r\n${CLOSE}\r\n`],
  ['an address that is none', 400, `GET http://[/ HTTP/1.1\r\nhost: x\r\n${CLOSE}\r\n`],
  ['no HTTP', 400, 'GARBAGE\r\n\r\n'],
  ['a length that is none', 400, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: z\r\n\r\n'],
  ['a broken chunk', 400, 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nz\r\n'],
  ['headers too large', 431, `GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`],
  ['an expectation', 417, `POST / HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n${CLOSE}\r\n`],
])('%s is a %i with the documented body', async (_, status, bytes) => {
  const answer = await say(bytes);
  expect(answer.status).toBe(status);
  const requestId = answer.headers.get('request-id');
  expect(requestId).toMatch(/^req_/);
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(Number(answer.headers.get('content-length'))).toBe(Buffer.byteLength(answer.body));
  expect(JSON.parse(answer.body)).toEqual({
    type: 'error',
    error: { type: 'invalid_request_error', message: expect.any(String) },
    request_id: requestId,
  });
});

test('a request that can be read is answered, also after another on one connection', async () => {
  const post = (rest: string) => `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n${rest}\r\nhi`;
  const socket = open();
  socket.write(post('') + post(CLOSE));
  expect((await text(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

test('an answer that has begun is cut off, never mixed with an error', async () => {
  const socket = open();
  socket.write('GET /endless HTTP/1.1\r\nhost: x\r\n\r\n');
  const [first] = (await once(socket, 'data')) as [Buffer];
  socket.write('GARBAGE\r\n\r\n');
  const all = first.toString() + (await text(socket).catch(() => ''));
  expect(all.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(all).not.toContain('invalid_request_error');
});
