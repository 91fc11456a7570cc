// What every request has in common: keys, headers, bodies, unknown fields, error bodies, and the
// health check. Spoken over plain HTTP, since an official client does not make these mistakes.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../../api/app.ts';
import type { ApiDeps } from '../../../api/deps.ts';
import { openDatabase } from '../../../store/database.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';

let server: ApiServer;
let agentId: string;
let environmentId: string;

const BETA = 'managed-agents-2026-04-01';
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

beforeAll(async () => {
  server = await startApiServer();
  agentId = (await post('/v1/agents', { name: 'a', model: 'claude-opus-5-5' })).body.id;
  environmentId = (await post('/v1/environments', { name: 'e' })).body.id;
});

afterAll(async () => {
  await server.close();
});

interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are what the test asserts
  body: any;
}

interface Call extends RequestInit {
  headers?: Record<string, string>;
}

async function call(path: string, init: Call = {}): Promise<Answer> {
  const response = await fetch(server.url + path, {
    ...init,
    headers: { 'x-api-key': server.key, 'anthropic-beta': BETA, ...init.headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text) };
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call(path, { method: 'POST', body: text, headers: { ...JSON_TYPE, ...headers } });
}

async function newSession(): Promise<string> {
  return (await post('/v1/sessions', { agent: agentId, environment_id: environmentId })).body.id;
}

function say(text: string) {
  return { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] };
}

describe('the gate', () => {
  it('every answer names its request, also in the body of an error', async () => {
    const good = await call('/v1/agents');
    expect(good.headers.get('request-id')).toMatch(/^req_/);
    expect(good.headers.get('anthropic-organization-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(good.headers.get('anthropic-workspace-id')).toBe(server.workspaceId);
    const bad = await call('/v1/nothing');
    expect(bad.status).toBe(404);
    expect(bad.body).toEqual({
      type: 'error',
      error: { type: 'not_found_error', message: expect.stringContaining('/v1/nothing') },
      request_id: bad.headers.get('request-id'),
    });
  });

  it('a key is taken from either header, a wrong or missing one is refused', async () => {
    const bearer = { 'x-api-key': '', authorization: `Bearer ${server.key}` };
    const response = await fetch(`${server.url}/v1/agents`, {
      headers: { authorization: bearer.authorization, 'anthropic-beta': BETA },
    });
    expect(response.status).toBe(200);
    for (const headers of [{ 'x-api-key': 'wrong' }, {}, { authorization: 'Basic x' }]) {
      const refused = await fetch(`${server.url}/v1/agents`, {
        headers: { ...headers, 'anthropic-beta': BETA },
      });
      expect(refused.status).toBe(401);
      expect(await refused.json()).toMatchObject({ error: { type: 'authentication_error' } });
    }
  });

  it('without the beta header the routes do not exist', async () => {
    expect((await call('/v1/agents', { headers: { 'anthropic-beta': '' } })).status).toBe(404);
    const other = { 'anthropic-beta': 'skills-2025-10-02' };
    expect((await call('/v1/agents', { headers: other })).status).toBe(404);
    const both = { 'anthropic-beta': `skills-2025-10-02, ${BETA}` };
    expect((await call('/v1/agents', { headers: both })).status).toBe(200);
    const unknown = await call('/v1/agents', { headers: { 'anthropic-beta': `nonsense,${BETA}` } });
    expect(unknown.status).toBe(400);
    expect(unknown.body.error.message).toContain('nonsense');
  });

  it('unknown routes and methods are not found', async () => {
    for (const [method, path] of [
      ['PUT', '/v1/agents'],
      ['PATCH', `/v1/agents/${agentId}`],
      ['DELETE', `/v1/agents/${agentId}`],
      ['GET', '/'],
      ['GET', '/v1/agents/'],
      ['GET', '/v1/messages'],
      ['GET', `/v1/agents/${agentId}/archive`],
    ] as const) {
      expect((await call(path, { method })).status, `${method} ${path}`).toBe(404);
    }
  });

  it('a HEAD request opens nothing', async () => {
    const path = `${server.url}/v1/sessions/${await newSession()}/events/stream`;
    const headers = { 'x-api-key': server.key, 'anthropic-beta': BETA };
    expect((await fetch(path, { method: 'HEAD', headers })).status).toBe(404);
  });

  it('both API versions are served, one that is no date is refused', async () => {
    for (const version of ['2023-06-01', '2026-10-21']) {
      const answer = await call('/v1/agents?beta=true', {
        headers: { 'anthropic-version': version },
      });
      expect(answer.status).toBe(200);
    }
    const odd = await call('/v1/agents', { headers: { 'anthropic-version': 'latest' } });
    expect(odd.status).toBe(400);
    const foreign = await call('/v1/agents', {
      headers: { 'anthropic-workspace-id': 'wrkspc_01a' },
    });
    expect(foreign.status).toBe(403);
    expect(foreign.headers.get('anthropic-workspace-id')).toBe(server.workspaceId);
  });

  it('another workspace sees the same text as for what never was', async () => {
    const session = await newSession();
    const { body: thread } = await call(`/v1/sessions/${session}/threads`);
    const elsewhere = { 'x-api-key': server.foreignKey };
    for (const path of [
      `/v1/agents/${agentId}`,
      `/v1/agents/${agentId}/versions`,
      `/v1/environments/${environmentId}`,
      `/v1/sessions/${session}`,
      `/v1/sessions/${session}/events`,
      `/v1/sessions/${session}/events/stream`,
      `/v1/sessions/${session}/threads/${thread.data[0].id}/events`,
    ]) {
      const foreign = await call(path, { headers: elsewhere });
      const other = (id: string) => id.slice(0, -1) + (id.endsWith('1') ? '2' : '1');
      const unknownPath = path.replaceAll(/(agent|env|sesn|sthr)_\w+/g, other);
      const unknown = await call(unknownPath);
      expect([foreign.status, unknown.status], path).toEqual([404, 404]);
      const plain = (answer: Answer) =>
        answer.body.error.message.replaceAll(/_\w+/g, (id: string) => id.slice(0, -1));
      expect(plain(foreign)).toBe(plain(unknown));
    }
    const create = { agent: agentId, environment_id: environmentId };
    expect((await post('/v1/sessions', create, elsewhere)).status).toBe(404);
    expect((await call('/v1/sessions', { headers: elsewhere })).body.data).toEqual([]);
  });
});

describe('bodies', () => {
  it('what is no JSON in UTF-8 is refused', async () => {
    const send = (
      body: string | Uint8Array<ArrayBuffer>,
      headers: Record<string, string> = JSON_TYPE,
    ) => call('/v1/agents', { method: 'POST', body, headers });
    const good = JSON.stringify({ name: 'x', model: 'm' });
    expect((await send(good)).status).toBe(200);
    expect((await send(good, { 'content-type': 'application/json; charset="UTF-8"' })).status).toBe(
      200,
    );
    expect((await send('{"name":')).body.error.message).toContain('JSON');
    expect((await send('')).status).toBe(400);
    expect((await send(new Uint8Array([0x7b, 0xff, 0x7d]))).body.error.message).toContain('UTF-8');
    expect((await send(good, FORM_TYPE)).status).toBe(400);
    const latin = await send(good, { 'content-type': 'application/json; charset=latin1' });
    expect(latin.body.error).toMatchObject({ details: { error_code: 'unsupported_charset' } });
    const zipped = await send(good, { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect(zipped.status).toBe(400);
  });

  it('a body over the bound is refused, with a declared length and without', async () => {
    const huge = `{"name":"${'x'.repeat(33 * 1024 * 1024)}"}`;
    const declared = await post('/v1/agents', huge);
    expect([declared.status, declared.body.error.type]).toEqual([413, 'request_too_large']);
    const chunk = new TextEncoder().encode('x'.repeat(1024 * 1024));
    let left = 40;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        left -= 1;
        if (left < 0) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init = { method: 'POST', headers: JSON_TYPE, body, duplex: 'half' };
    const chunked = await call('/v1/agents', init as Call).catch((error: unknown) => error);
    // The server may close before it has read everything; what it must not do is accept.
    if (!(chunked instanceof Error)) expect(chunked).toMatchObject({ status: 413 });
  });

  it('messages name the field and what was expected', async () => {
    const create = (fields: object) =>
      post('/v1/sessions', { agent: agentId, environment_id: environmentId, ...fields });
    for (const [answer, field] of [
      [await create({ colour: 'red' }), 'colour'],
      [await create({ title: 7 }), 'title'],
      [await create({ title: 'x'.repeat(10_000) }), 'title'],
      [await create({ title: 'a\0b' }), 'title'],
      [await create({ metadata: { k: '\ud800' } }), 'metadata'],
      [await create({ agent: 'env_01abc' }), 'agent'],
      [await create({ environment_id: 'sesn_01abc' }), 'environment_id'],
      [await create({ agent: { type: 'agent', id: agentId, version: 0 } }), 'agent.version'],
      [await create({ initial_events: [{ type: 'user.interrupt' }] }), 'initial_events.0'],
      [await call('/v1/agents/env_01abc'), 'agent_id'],
      [await call('/v1/agents?limit=0'), 'limit'],
      [await call('/v1/agents?limit=1000'), 'limit'],
      [await call('/v1/agents?page=garbage'), 'page'],
      [await call('/v1/agents?colour=red'), 'colour'],
      [await call('/v1/sessions?statuses[]=asleep'), 'statuses'],
      [await call('/v1/sessions?created_at[gte]=yesterday'), 'created_at[gte]'],
      [await call(`/v1/sessions/${await newSession()}/events?order=up`), 'order'],
    ] as const) {
      expect([answer.status, answer.body.error.type]).toEqual([400, 'invalid_request_error']);
      expect(answer.body.error.message).toContain(field);
    }
  });

  it('an unknown field is refused on every route, in the address and in the body', async () => {
    const session = `/v1/sessions/${await newSession()}`;
    const thread = `${session}/threads/${(await call(`${session}/threads`)).body.data[0].id}`;
    const lists = ['/v1/agents', '/v1/environments', '/v1/sessions', `${session}/events`];
    const ones = [`/v1/agents/${agentId}`, `/v1/environments/${environmentId}`, session];
    const archives = ones.map((one) => `${one}/archive`);
    const gets = [...lists, ...ones, `${ones[0]}/versions`, `${session}/events/stream`];
    gets.push(`${session}/threads`, thread, `${thread}/events`, `${thread}/stream`);
    const stray = '{"colour":"red"}';
    const remove = { method: 'DELETE', headers: JSON_TYPE };
    const answers = await Promise.all([
      ...gets.map((path) => call(`${path}?beta=true&colour=red`)),
      ...[...lists, ...ones, ...archives].map((path) => post(`${path}?colour=red`, {})),
      ...archives.map((path) => post(path, stray)),
      ...ones.slice(1).map((path) => call(`${path}?colour=red`, remove)),
      ...ones.slice(1).map((path) => call(path, { ...remove, body: stray })),
    ]);
    expect(answers).toHaveLength(13 + 10 + 3 + 2 + 2);
    for (const [index, { status, body }] of answers.entries()) {
      expect([status, body.error?.message], `answer ${index}`).toEqual([
        400,
        'colour: unknown field',
      ]);
    }
    for (const path of ones) expect((await call(path)).body.archived_at).toBeNull();
  });

  it('a GET with a body is refused, since nobody reads it', async () => {
    const headers = { 'x-api-key': server.key, 'anthropic-beta': BETA, 'content-length': '2' };
    const sent = request(`${server.url}/v1/agents`, { headers });
    sent.end('{}');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(400);
    expect(await json(response)).toMatchObject({
      error: { message: expect.stringMatching(/^body: /) },
    });
  });

  it('what has no fields may be sent as nothing or as an empty object', async () => {
    const agent = (await post('/v1/agents', { name: 'x', model: 'm' })).body.id;
    const path = `/v1/agents/${agent}/archive`;
    expect((await call(path, { method: 'POST' })).status).toBe(200);
    expect((await call(path, { method: 'POST', headers: FORM_TYPE })).status).toBe(200);
    expect((await post(`${path}?beta=true`, {})).status).toBe(200);
    for (const body of ['[]', 'null', '{', '{"force":true}']) {
      expect((await post(path, body)).status, body).toBe(400);
    }
    expect((await post(path, '{}', FORM_TYPE)).status).toBe(400);
  });

  it('odd times and versions are answered, never a failure of ours', async () => {
    for (const path of [
      '/v1/sessions?created_at[gte]=0000-01-01T00:00:00Z',
      '/v1/sessions?created_at[lte]=9999-12-31T23:59:59.999999999Z',
      '/v1/sessions?created_at[gt]=2026-01-01T00:00:00%2B23:59',
      '/v1/agents?created_at[gte]=0001-01-01T00:00:00Z',
      `/v1/agents/${agentId}?version=999999999`,
      '/v1/sessions?agent_id=%00',
      '/v1/sessions?agent_id=x&agent_version=999999999',
      `/v1/agents/agent_${'x'.repeat(500)}`,
      '/v1/agents/agent_%00',
      '/v1/agents/agent_%ff',
    ]) {
      expect((await call(path)).status, path).toBeLessThan(500);
    }
  });

  it('one bad event refuses the whole batch', async () => {
    const session = await newSession();
    const { events } = say('good');
    const bad = await post(`/v1/sessions/${session}/events`, {
      events: [...events, { type: 'x' }],
    });
    expect(bad.status).toBe(400);
    expect((await call(`/v1/sessions/${session}/events`)).body.data).toEqual([]);
  });

  it('an interrupt of a thread is judged only in a session that is there', async () => {
    const session_thread_id = 'sthr_011111111111111111111111';
    const interrupt = { events: [{ type: 'user.interrupt', session_thread_id }] };
    const session = await newSession();
    const path = `/v1/sessions/${session}/events`;
    const foreign = await post(path, interrupt);
    expect([foreign.status, foreign.body.error.message]).toEqual([
      400,
      expect.stringMatching(/^events\.0\.session_thread_id: /),
    ]);
    const elsewhere = { 'x-api-key': server.foreignKey };
    expect((await post(path, interrupt, elsewhere)).status).toBe(404);
    await call(`/v1/sessions/${session}`, { method: 'DELETE' });
    expect((await post(path, interrupt)).status).toBe(404);
    const unknown = '/v1/sessions/sesn_011111111111111111111111/events';
    expect((await post(unknown, interrupt)).status).toBe(404);
  });

  it('a send with the same Idempotency-Key is stored once', async () => {
    const session = await newSession();
    const path = `/v1/sessions/${session}/events`;
    const first = await post(path, say('once'), { 'idempotency-key': 'k1' });
    const again = await post(path, say('once'), { 'idempotency-key': 'k1' });
    expect(again.body).toEqual(first.body);
    const other = await post(path, say('twice'), { 'idempotency-key': 'k1' });
    expect(other.status).toBe(400);
    expect((await call(path)).body.data).toHaveLength(1);
    const long = await post(path, say('x'), { 'idempotency-key': 'k'.repeat(300) });
    expect(long.body.error.message).toContain('Idempotency-Key');
  });
});

describe('the server itself', () => {
  it('the health check needs no key', async () => {
    const response = await fetch(`${server.url}/healthz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ok: true, parts: { database: 'ok' } });
  });

  it('a database that is away is a 503, for the health check with what is wrong', async () => {
    const app = createApp({
      ...({ log: pino({ level: 'silent' }), organizationId: 'x', instance: 1n } as ApiDeps),
      sql: openDatabase('postgres://nobody@127.0.0.1:1/none'),
      health: async () => ({ ok: false, parts: { database: 'cannot be reached' } }),
    });
    const headers = { 'x-api-key': 'k', 'anthropic-beta': BETA };
    const response = await app.request('/v1/agents', { headers });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } });
    const health = await app.request('/healthz');
    expect(health.status).toBe(503);
    expect(await health.text()).toContain('cannot be reached');
  });

  it.each(['GARBAGE', 'GET /v1/agents HTTP/1.1\r\nhost: a b\r\nconnection: close'])(
    'what is no request gets an error body like any mistake, and ends that connection only: %j',
    async (bytes) => {
      const { port, hostname } = new URL(server.url);
      const socket = connect(Number(port), hostname);
      socket.write(`${bytes}\r\n\r\n`);
      const answer = await text(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*\r\nrequest-id: req_/);
      expect(answer).toContain('{"type":"error","error":{"type":"invalid_request_error"');
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    },
  );
});
