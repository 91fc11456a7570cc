// The live stream as it looks on the wire: headers, frames, resuming, and every way in which one
// ends. Read over plain HTTP, since an official client hides all of it.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';

const BETA = 'managed-agents-2026-04-01';

let server: ApiServer;
let agentId: string;
let environmentId: string;

beforeAll(async () => {
  server = await startApiServer();
  agentId = (await post('/v1/agents', { name: 'a', model: 'claude-opus-5-5' })).id;
  environmentId = (await post('/v1/environments', { name: 'e' })).id;
});

afterAll(async () => {
  await server.close();
});

// oxlint-disable-next-line typescript/no-explicit-any -- bodies are what the test asserts
async function call(path: string, init: { method?: string; body?: string } = {}): Promise<any> {
  const headers = { 'x-api-key': server.key, 'anthropic-beta': BETA };
  const typed = { ...headers, 'content-type': 'application/json' };
  return (await fetch(server.url + path, { ...init, headers: typed })).json();
}

function post(path: string, body: object) {
  return call(path, { method: 'POST', body: JSON.stringify(body) });
}

async function newSession(): Promise<string> {
  return (await post('/v1/sessions', { agent: agentId, environment_id: environmentId })).id;
}

function say(text: string) {
  return { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] };
}

/** Opens a stream and reads frames one by one. */
async function open(path: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  const response = await fetch(server.url + path, {
    headers: { 'x-api-key': server.key, 'anthropic-beta': BETA, ...headers },
    signal: stop.signal,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = '';
  const next = async (): Promise<Record<string, string> | undefined> => {
    while (!buffered.includes('\n\n')) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      buffered += value;
    }
    const [frame = ''] = buffered.split('\n\n', 1);
    buffered = buffered.slice(frame.length + 2);
    return Object.fromEntries(frame.split('\n').map((line) => line.split(/: (.*)/s, 2)));
  };
  return { response, next, close: () => stop.abort() };
}

it('headers come at once, then every event as a message with its seq', async () => {
  const session = await newSession();
  const stream = await open(`/v1/sessions/${session}/events/stream`);
  expect(stream.response.status).toBe(200);
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream');
  expect(stream.response.headers.get('request-id')).toMatch(/^req_/);
  expect(stream.response.headers.get('anthropic-workspace-id')).toBe(server.workspaceId);
  expect(stream.response.headers.get('anthropic-organization-id')).toMatch(/^[0-9a-f-]{36}$/);
  await post(`/v1/sessions/${session}/events`, say('hello'));
  const frame = await stream.next();
  expect(frame).toMatchObject({ event: 'message', id: '1' });
  expect(JSON.parse(frame!.data!)).toMatchObject({ type: 'user.message' });
  stream.close();
});

it('a reader resumes right after what it read', async () => {
  const session = await newSession();
  for (const text of ['one', 'two', 'three']) {
    await post(`/v1/sessions/${session}/events`, say(text));
  }
  const path = `/v1/sessions/${session}/events/stream`;
  for (const stream of [
    await open(path, { 'last-event-id': '1' }),
    await open(`${path}?after_seq=1`),
  ]) {
    expect(await stream.next()).toMatchObject({ id: '2' });
    expect(await stream.next()).toMatchObject({ id: '3' });
    stream.close();
  }
  const odd = await open(path, { 'last-event-id': 'x' });
  expect(odd.response.status).toBe(400);
});

it('an archived session ends the stream after its last event', async () => {
  const session = await newSession();
  const threads = await call(`/v1/sessions/${session}/threads`);
  const streams = [
    await open(`/v1/sessions/${session}/events/stream`),
    await open(`/v1/sessions/${session}/threads/${threads.data[0].id}/stream`),
  ];
  await post(`/v1/sessions/${session}/archive`, {});
  for (const stream of streams) {
    const types = [];
    for (let frame = await stream.next(); frame; frame = await stream.next()) {
      types.push(JSON.parse(frame.data!).type);
    }
    expect(types.at(-1)).toMatch(/terminated$/);
  }
});

it('a reader resumes through the end of a deleted session, on its thread as well', async () => {
  const session = await newSession();
  const threads = await call(`/v1/sessions/${session}/threads`);
  const paths = [
    `/v1/sessions/${session}/events/stream`,
    `/v1/sessions/${session}/threads/${threads.data[0].id}/stream`,
  ];
  await call(`/v1/sessions/${session}`, { method: 'DELETE' });
  for (const path of paths) {
    expect((await open(path)).response.status, path).toBe(404);
    const stream = await open(path, { 'last-event-id': '0' });
    expect(stream.response.status, path).toBe(200);
    const types = [];
    for (let frame = await stream.next(); frame; frame = await stream.next()) {
      types.push(JSON.parse(frame.data!).type);
    }
    expect(types.at(-1), path).toBe('session.deleted');
  }
  const stranger = paths[1]!.replace(/sthr_\w+/, 'sthr_011111111111111111111111');
  expect((await open(stranger, { 'last-event-id': '0' })).response.status).toBe(404);
});

it('a client that goes away in mid-stream leaves the server well', async () => {
  const session = await newSession();
  const stream = await open(`/v1/sessions/${session}/events/stream`);
  stream.close();
  await post(`/v1/sessions/${session}/events`, say('after'));
  expect((await call(`/v1/sessions/${session}`)).id).toBe(session);
});

it('streams end when the server drains', async () => {
  const session = await newSession();
  const stream = await open(`/v1/sessions/${session}/events/stream`);
  server.drain();
  expect(await stream.next()).toBeUndefined();
});
