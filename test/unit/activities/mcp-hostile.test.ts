// MCP servers that hang, flood, lie or send one elsewhere: each costs a bounded time and a bounded
// memory, and gives a failure in our own words. Real HTTP on loopback, bounds shortened.

import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createMcpServers, type McpServersOptions } from '../../../activities/mcp/mcp-servers.ts';
import { closeEach } from '../../helpers/close-each.ts';
import {
  answerWith,
  beginStream,
  flood,
  initialized,
  type Misbehaviour,
  sentEvent,
  startRawMcpServer,
} from '../../helpers/raw-mcp-server.ts';
import { pace, until } from '../../helpers/until.ts';

const log = pino({ level: 'silent' });
const session = { sessionId: 'sesn_hostile' };
const never = new AbortController().signal;
const refresh = { refresh: true, signal: never };
const MEBIBYTE = 1024 * 1024;

const opened: { close(): Promise<void> }[] = [];
afterEach(() => closeEach(...opened.splice(0)));

/** A server that does what the test says, and a worker's servers with short bounds. */
async function meet(misbehave: Misbehaviour, options: Partial<McpServersOptions> = {}) {
  const raw = await startRawMcpServer(misbehave);
  const bounds = { connectMs: 3000, callMs: 3000, ...options.bounds };
  const servers = createMcpServers({ log, ...options, bounds });
  opened.push(servers, raw);
  const server = { type: 'url' as const, name: 'bad', url: raw.url };
  return {
    raw,
    servers,
    server,
    tools: () => servers.tools(session, [server], refresh),
    call: (tool = 'act') => servers.call(session, { server, tool, input: {} }, never),
  };
}

/** The words of the one failure, after the server's name. */
async function failureOf(misbehave: Misbehaviour, options: Partial<McpServersOptions> = {}) {
  const { tools } = await meet(misbehave, options);
  const answer = await tools();
  expect(answer.tools).toEqual([]);
  expect(answer.failures).toHaveLength(1);
  const { type, message } = answer.failures[0]!;
  expect(message).toMatch(/^The MCP server "bad" /);
  return { type, words: message.replace('The MCP server "bad" ', '') };
}

const CONNECTION = 'mcp_connection_failed_error';
const AUTHENTICATION = 'mcp_authentication_failed_error';

describe('a server that cannot be used', () => {
  test.each(['initialize', 'notifications/initialized', 'tools/list'])(
    'one that hangs at %s is given up in time',
    async (at) => {
      const failure = await failureOf(({ method }) => method === at, {
        bounds: { connectMs: 200 },
      });
      const words = 'did not answer within 0.2 seconds.';
      expect(failure).toEqual({ type: CONNECTION, words });
    },
  );

  test('one that is not MCP is told from one that is', async () => {
    const words = 'did not answer as an MCP server does.';
    const html: Misbehaviour = ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
      return true;
    };
    expect(await failureOf(html)).toEqual({ type: CONNECTION, words });
    const broken: Misbehaviour = ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc": oops');
      return true;
    };
    expect(await failureOf(broken)).toEqual({ type: CONNECTION, words });
    const odd: Misbehaviour = (request) =>
      request.method === 'tools/list' && answerWith(request, { tools: 'none' });
    expect(await failureOf(odd)).toEqual({ type: CONNECTION, words });
  });

  test.each([
    [401, AUTHENTICATION, 'refused the credentials, or the lack of any (HTTP 401).'],
    [403, AUTHENTICATION, 'refused the credentials, or the lack of any (HTTP 403).'],
    [404, CONNECTION, 'answered with HTTP status 404.'],
    [500, CONNECTION, 'answered with HTTP status 500.'],
  ])('HTTP status %i is %s', async (status, type, words) => {
    const failure = await failureOf(({ response }) => {
      response.writeHead(status).end('internal details of the server');
      return true;
    });
    expect(failure).toEqual({ type, words });
  });

  test('an error that the server words itself is not repeated', async () => {
    const failure = await failureOf(({ method, response, id }) => {
      if (method !== 'initialize') return false;
      response.setHeader('content-type', 'application/json');
      const error = { code: -32_602, message: 'secret words' };
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }));
      return true;
    });
    expect(failure.words).toBe('answered with an error (JSON-RPC -32602).');
  });

  test('an old server whose messages go to another host is not followed there', async () => {
    const failure = await failureOf(({ method, response, http }) => {
      if (http.method === 'POST') response.writeHead(405).end();
      else beginStream({ response } as never, 'event: endpoint\ndata: http://127.0.0.2/\n\n');
      return method !== '';
    });
    expect(failure.type).toBe(CONNECTION);
  });
});

describe('floods', () => {
  const words = 'sent more than one answer may hold.';

  test('an endless event stream in the stead of an answer', async () => {
    const text = `: ${'x'.repeat(65_536)}\n\n`;
    const failure = await failureOf(
      (request) => beginStream(request) && flood(request.response, text),
    );
    expect(failure).toEqual({ type: CONNECTION, words });
  });

  test('an endless JSON document', async () => {
    const failure = await failureOf(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      return flood(response, `["${'x'.repeat(65_536)}",`);
    });
    expect(failure).toEqual({ type: CONNECTION, words });
  });

  test('a small answer that unpacks to a large one', async () => {
    const packed = gzipSync(Buffer.alloc(40 * MEBIBYTE, ' '));
    const failure = await failureOf(({ response }) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      response.writeHead(200, headers).end(packed);
      return true;
    });
    expect(failure).toEqual({ type: CONNECTION, words });
  });

  test('pings without end are answered a few at a time', async () => {
    let held = 0;
    let heldMax = 0;
    const { tools, raw } = await meet((request) => {
      if (request.method === 'answer') {
        held += 1;
        heldMax = Math.max(heldMax, held);
        return true;
      }
      if (request.method !== 'GET') return false;
      const pings = Array.from({ length: 500 }, (_, id) => sentEvent({ id, method: 'ping' }));
      return beginStream(request, pings.join(''));
    });
    await tools();
    await until('pings are answered', () => raw.seen.includes('answer'));
    await pace(200);
    expect(heldMax).toBeLessThanOrEqual(16);
  });

  test('an event stream that ends at once is opened again at our pace', async () => {
    const { tools, raw } = await meet((request) => {
      if (request.method !== 'GET') return false;
      beginStream(request, 'retry: 0\n\n');
      request.response.end();
      return true;
    });
    await tools();
    await pace(1200);
    expect(raw.seen.filter((method) => method === 'GET').length).toBeLessThanOrEqual(4);
  });

  test('a list that never ends is cut', async () => {
    let pages = 0;
    const { tools, raw } = await meet((request) => {
      if (request.method !== 'tools/list') return false;
      pages += 1;
      const page = [{ name: `t${pages}`, inputSchema: { type: 'object' } }];
      return answerWith(request, { tools: page, nextCursor: `page ${pages}` });
    });
    expect((await tools()).tools).toHaveLength(50);
    expect(raw.seen.filter((method) => method === 'tools/list')).toHaveLength(50);
  });

  test('a list that goes round is read once', async () => {
    const { tools } = await meet((request) => {
      if (request.method !== 'tools/list') return false;
      const { cursor } = request.params;
      const name = typeof cursor === 'string' ? cursor : 'first';
      const page = [{ name, inputSchema: { type: 'object' } }];
      return answerWith(request, { tools: page, nextCursor: 'second' });
    });
    const names = (await tools()).tools.map(({ name }) => name);
    expect(names).toEqual(['first', 'second']);
  });
});

describe('redirects', () => {
  const secret = { authorization: 'Bearer of-this-host-only' };
  const credentials = () => Promise.resolve(secret);

  test('to another host are not followed, with or without credentials', async () => {
    const elsewhere = await startRawMcpServer(() => false);
    opened.push(elsewhere);
    const failure = await failureOf(
      ({ response }) => {
        response.writeHead(307, { location: elsewhere.url }).end();
        return true;
      },
      { credentials },
    );
    expect(failure.words).toBe('redirects elsewhere (HTTP 307), which is not followed.');
    expect(elsewhere.seen).toEqual([]);
  });

  test('on the same host are followed, and go round only so often', async () => {
    const { tools } = await meet(
      ({ http, response }) => {
        if (http.headers.authorization !== secret.authorization) response.writeHead(401).end();
        else if (http.url === '/mcp') response.writeHead(307, { location: '/mcp/' }).end();
        else return false;
        return true;
      },
      { credentials },
    );
    expect((await tools()).tools.map(({ name }) => name)).toEqual(['act', 'look']);
    const failure = await failureOf(({ response }) => {
      response.writeHead(307, { location: '/mcp' }).end();
      return true;
    });
    expect(failure.type).toBe(CONNECTION);
  });
});

describe('what is kept', () => {
  test('is let go of when it is idle, and connected again when it is wanted', async () => {
    const { tools, raw } = await meet(() => false, { bounds: { idleMs: 50, sweepMs: 20 } });
    await tools();
    await pace(200);
    expect((await tools()).failures).toEqual([]);
    expect(raw.seen.filter((method) => method === 'initialize')).toHaveLength(2);
  });

  test('is bounded in number; the one unused for longest goes', async () => {
    const { servers, server, raw } = await meet(() => false, { bounds: { keptServersMax: 2 } });
    const of = (sessionId: string) => servers.tools({ sessionId }, [server], refresh);
    await of('a');
    await of('b');
    await of('a');
    await of('c');
    const before = raw.seen.length;
    await of('a');
    expect(raw.seen.length).toBe(before);
    await of('b');
    expect(raw.seen.length).toBeGreaterThan(before);
  });

  test('old lists are read again at the next turn', async () => {
    const { tools, raw } = await meet(() => false, { bounds: { listFreshMs: -1 } });
    await tools();
    await tools();
    expect(raw.seen.filter((method) => method === 'tools/list')).toHaveLength(2);
    expect(raw.seen.filter((method) => method === 'initialize')).toHaveLength(1);
  });

  test('a session that is ended is ended at the server as well', async () => {
    const { tools, servers, raw } = await meet((request) => {
      if (request.method !== 'initialize') return false;
      request.response.setHeader('mcp-session-id', 'one');
      return answerWith(request, initialized());
    });
    await tools();
    await servers.forget(session.sessionId);
    expect(raw.seen.at(-1)).toBe('DELETE');
  });

  test('who stops waiting for a server leaves the attempt to the next', async () => {
    let release = (): void => {};
    const { servers, server, raw } = await meet((request) => {
      if (request.method !== 'tools/list') return false;
      release = () => void answerWith(request, { tools: [] });
      return true;
    });
    const leave = new AbortController();
    const left = servers.tools(session, [server], { refresh: true, signal: leave.signal });
    await until('the list is asked for', () => raw.seen.includes('tools/list'));
    leave.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    const next = servers.tools(session, [server], refresh);
    release();
    expect(await next).toEqual({ tools: [], failures: [] });
    expect(raw.seen.filter((method) => method === 'initialize')).toHaveLength(1);
  });
});
