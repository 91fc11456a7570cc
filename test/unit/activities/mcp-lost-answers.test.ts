// Calls whose answer does not come: every one ends in a result, soon after that is known; none is
// made twice that might have been carried out, unless the server says that this does no harm.

import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createMcpServers } from '../../../activities/mcp/mcp-servers.ts';
import { closeEach } from '../../helpers/close-each.ts';
import {
  answerWith,
  beginStream,
  initialized,
  type Misbehaviour,
  type RawRequest,
  sentEvent,
  startRawMcpServer,
} from '../../helpers/raw-mcp-server.ts';
import { pace, until } from '../../helpers/until.ts';

const session = { sessionId: 'sesn_lost' };
const never = new AbortController().signal;

const opened: { close(): Promise<void> }[] = [];
afterEach(() => closeEach(...opened.splice(0)));

async function meet(misbehave: Misbehaviour, callMs = 15_000) {
  const raw = await startRawMcpServer(misbehave);
  const servers = createMcpServers({ log: pino({ level: 'silent' }), bounds: { callMs } });
  opened.push(servers, raw);
  const server = { type: 'url' as const, name: 'bad', url: raw.url };
  return {
    raw,
    tools: () => servers.tools(session, [server], { refresh: true, signal: never }),
    call: async (tool: string, signal = never) => {
      const outcome = await servers.call(session, { server, tool, input: {} }, signal);
      return { ...outcome, text: JSON.stringify(outcome.content) };
    },
    count: (method: string) => raw.seen.filter((each) => each === method).length,
  };
}

/** Misbehaves for the first `times` calls only. */
function atCalls(times: number, answer: (request: RawRequest) => void): Misbehaviour {
  let left = times;
  return (request) => {
    if (request.method !== 'tools/call' || left === 0) return false;
    left -= 1;
    answer(request);
    return true;
  };
}

const lostAnswers: Record<string, (request: RawRequest) => void> = {
  'the connection breaks before the answer': ({ response }) => response.destroy(),
  'the connection breaks in the answer': ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"jsonrpc":', () => response.destroy());
  },
  'the stream ends without the answer': (request) => {
    beginStream(request, sentEvent({ method: 'notifications/message', params: {} }));
    request.response.end();
  },
  'the stream breaks off': (request) => {
    beginStream(request);
    request.response.write(': alive\n\n', () => request.response.destroy());
  },
  'the answer is to another request': (request) => {
    answerWith({ ...request, id: 9_999 }, { content: [] });
  },
  'the request is merely accepted': ({ response }) => void response.writeHead(202).end(),
  'the stream has an id, and cannot be opened again': (request) => {
    beginStream(request, 'id: 1\ndata:\n\n');
    request.response.end();
  },
};

describe.each(Object.entries(lostAnswers))('%s', (_, answer) => {
  test('a tool that acts is not called again', async () => {
    const { call, count } = await meet(atCalls(1, answer));
    const outcome = await call('act');
    expect(outcome.isError).toBe(true);
    expect(outcome.text).toContain('may have been called, wholly or in part');
    expect(count('tools/call')).toBe(1);
    expect(await call('act')).toMatchObject({ isError: false });
  });

  test('a tool that only looks is called once more', async () => {
    const { call, count } = await meet(atCalls(1, answer));
    expect(await call('look')).toMatchObject({ isError: false });
    expect(count('tools/call')).toBe(2);
  });

  test('it is not called a third time', async () => {
    const { call, count } = await meet(atCalls(9, answer));
    expect(await call('look')).toMatchObject({ isError: true });
    expect(count('tools/call')).toBe(2);
  });
});

describe('an answer on a stream that was opened again', () => {
  test('is the answer', async () => {
    let callId = 0;
    const { call, count } = await meet((request) => {
      if (request.method === 'tools/call') {
        callId = request.id;
        beginStream(request, 'id: 7\ndata:\n\n');
        request.response.end();
        return true;
      }
      if (request.method !== 'GET' || request.http.headers['last-event-id'] !== '7') return false;
      const result = { content: [{ type: 'text', text: 'late' }] };
      beginStream(request, sentEvent({ id: callId, result }));
      return true;
    });
    expect((await call('act')).text).toContain('late');
    expect(count('tools/call')).toBe(1);
  });

  test('is lost where that stream ends as well, and no further one is opened', async () => {
    const { call, count } = await meet((request) => {
      // Another call keeps the connection in use.
      if (request.params['name'] === 'look') return true;
      if (request.method === 'tools/call') beginStream(request, 'id: 7\ndata:\n\n');
      else if (request.method === 'GET') beginStream(request, ': quiet\n\n');
      else return false;
      const isPlain = request.method === 'GET' && !('last-event-id' in request.http.headers);
      if (!isPlain) request.response.end();
      return true;
    });
    const stop = new AbortController();
    const other = call('look', stop.signal);
    expect((await call('act')).text).toContain('may have been called');
    await pace(1200);
    expect(count('GET')).toBe(2);
    stop.abort(new Error('stop'));
    await expect(other).rejects.toThrow('stop');
  });
});

describe('calls side by side', () => {
  test('the loss of one answer leaves the others theirs', async () => {
    let slow: RawRequest | undefined;
    const { call, count } = await meet((request) => {
      if (request.method !== 'tools/call') return false;
      if (slow === undefined) slow = request;
      else request.response.destroy();
      return true;
    });
    const first = call('act');
    await until('the first runs', () => count('tools/call') === 1);
    expect(await call('act')).toMatchObject({ isError: true });
    answerWith(slow!, { content: [{ type: 'text', text: 'unharmed' }] });
    expect((await first).text).toContain('unharmed');
  });
});

describe('time', () => {
  const hangs: Misbehaviour = ({ method }) => method === 'tools/call';

  test('a call that takes too long is cancelled and not repeated', async () => {
    const { call, count, raw } = await meet(hangs, 300);
    const outcome = await call('look');
    expect(outcome.text).toContain('did not answer within 0.3 seconds');
    expect(outcome.text).toContain('may have been called');
    await until('it is cancelled', () => raw.seen.includes('notifications/cancelled'));
    expect(count('tools/call')).toBe(1);
  });

  test('progress does not extend it', async () => {
    let timer: NodeJS.Timeout | undefined;
    const { call } = await meet((request) => {
      if (request.method !== 'tools/call') return false;
      beginStream(request);
      const params = { progressToken: request.id, progress: 1 };
      const progress = sentEvent({ method: 'notifications/progress', params });
      timer = setInterval(() => request.response.write(progress), 20);
      return true;
    }, 300);
    expect((await call('act')).text).toContain('did not answer within 0.3 seconds');
    clearInterval(timer);
  });

  test('the end of a call closes its request, even where the server ignores it', async () => {
    let isClosed = false;
    const { call, raw } = await meet((request) => {
      if (request.method === 'notifications/cancelled') return true;
      if (request.method !== 'tools/call') return false;
      request.response.on('close', () => (isClosed = true));
      return beginStream(request);
    });
    const stop = new AbortController();
    const cancelled = call('act', stop.signal);
    await until('it runs', () => raw.seen.includes('tools/call'));
    stop.abort(new Error('stop'));
    await expect(cancelled).rejects.toThrow('stop');
    await until('its request is closed', () => isClosed);
  });

  test('a cancelled call whose stream can be resumed is not', async () => {
    const { call, count } = await meet((request) => {
      if (request.method === 'tools/call') return beginStream(request, 'id: 1\ndata:\n\n');
      return request.method === 'GET' && beginStream(request, ': quiet\n\n');
    }, 300);
    expect((await call('act')).isError).toBe(true);
    await pace(1200);
    expect(count('GET')).toBe(1);
  });

  test('neither is one that was answered with an error', async () => {
    const { call, count } = await meet((request) => {
      if (request.method !== 'tools/call') return false;
      const error = { code: -32_602, message: 'no such thing' };
      beginStream(request, `id: 1\n${sentEvent({ id: request.id, error })}`);
      request.response.end();
      return true;
    });
    expect((await call('act')).text).toContain('no such thing');
    await pace(1200);
    expect(count('GET')).toBe(1);
  });

  test('an ended call is not cancelled later', async () => {
    const { call, raw } = await meet(() => false, 200);
    await call('act');
    await pace(400);
    expect(raw.seen).not.toContain('notifications/cancelled');
  });
});

describe('an expired session', () => {
  /** Gives out sessions, and knows none of them from the given request on. */
  const forgetful = (at: string): Misbehaviour => {
    let given = 0;
    return (request) => {
      if (request.method === 'initialize') {
        given += 1;
        request.response.setHeader('mcp-session-id', `session-${given}`);
        return answerWith(request, initialized());
      }
      if (request.method !== at) return false;
      request.response.writeHead(404).end();
      return true;
    };
  };

  test('is opened again once, not for ever', async () => {
    const { call, count } = await meet(forgetful('tools/call'));
    const outcome = await call('act');
    expect(outcome.isError).toBe(true);
    expect(outcome.text).toContain('The tool was not called.');
    expect(count('initialize')).toBe(2);
    expect(count('tools/call')).toBe(2);
  });

  test('a list that meets one is read over a new connection', async () => {
    const { tools, count } = await meet(forgetful('tools/list'));
    expect((await tools()).failures).toHaveLength(1);
    expect(count('initialize')).toBe(1);
  });
});

describe('an old server', () => {
  /** The SSE transport of 2024: one stream, and a place to post to. */
  const old = (onCall: (request: RawRequest, stream: RawRequest) => void): Misbehaviour => {
    let stream: RawRequest | undefined;
    return (request) => {
      const { http, response, method, id } = request;
      if (method === 'GET') {
        stream = request;
        return beginStream(request, 'event: endpoint\ndata: /messages\n\n');
      }
      if (http.url !== '/messages') {
        response.writeHead(405).end();
        return true;
      }
      response.writeHead(202).end();
      const tools = [{ name: 'act', inputSchema: { type: 'object' } }];
      if (method === 'initialize') stream!.response.write(sentEvent({ id, result: initialized() }));
      if (method === 'tools/list') stream!.response.write(sentEvent({ id, result: { tools } }));
      if (method === 'tools/call') onCall(request, stream!);
      return true;
    };
  };

  test('answers on its stream', async () => {
    const { call } = await meet(
      old(({ id }, { response }) => {
        const result = { content: [{ type: 'text', text: 'from the stream' }] };
        response.write(sentEvent({ id, result }));
      }),
    );
    expect((await call('act')).text).toContain('from the stream');
  });

  test('whose stream ends during a call gives an error, and is connected anew', async () => {
    const { call, tools, count } = await meet(old((_, { response }) => void response.end()));
    const outcome = await call('act');
    expect(outcome.text).toContain('may have been called');
    expect(count('tools/call')).toBe(1);
    expect((await tools()).failures).toEqual([]);
    expect(count('GET')).toBe(2);
  });
});
