// The audit log: what a request leaves in it, and what of a request never does. Every line is kept
// as the logger writes it.

import Anthropic from '@anthropic-ai/sdk';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuditLog, type Visit } from '../../../api/audit.ts';
import { createAuditLogger } from '../../../main/log.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';
import { until } from '../../helpers/until.ts';

const SECRETS = ['BODY-MARKER', 'QUERY-MARKER', 'PATH-MARKER', 'HEADER-MARKER'];

type Line = Record<string, unknown>;

const lines: Line[] = [];
let server: ApiServer;
let client: Anthropic;

beforeAll(async () => {
  // One write may hold several lines.
  const write = (text: string): void => {
    for (const line of text.trim().split('\n')) lines.push(JSON.parse(line) as Line);
  };
  const auditLog = createAuditLogger(pino({ base: { role: 'api' } }, { write }));
  server = await startApiServer({ auditLog });
  client = new Anthropic({ baseURL: server.url, apiKey: server.key, maxRetries: 0 });
});

afterAll(() => server.close());

/** The line of the request that has this id. */
function lineOf(requestId: string | null | undefined, msg = 'request'): Promise<Line> {
  return until('the line is written', () =>
    lines.find((line) => line.request_id === requestId && line.msg === msg),
  );
}

async function keyId(): Promise<string> {
  const [row] = await server.sql<{ id: string }[]>`
    select id from api_keys where name = 'first'`;
  return row!.id;
}

it('a request leaves one line: who, which route, what came of it, how long it took', async () => {
  const session = await server.insertSession('idle');
  const { request_id } = await client.beta.sessions.events.list(session).withResponse();
  expect(await lineOf(request_id)).toEqual({
    level: 30,
    time: expect.any(Number),
    role: 'api',
    msg: 'request',
    method: 'GET',
    route: '/v1/sessions/:session_id/events',
    status: 200,
    duration_ms: expect.any(Number),
    request_id,
    key_id: await keyId(),
    workspace_id: server.workspaceId,
    session_id: session,
  });
  expect(lines.filter((line) => line.request_id === request_id)).toHaveLength(1);
});

it('a refused one too, with as much as is known of it', async () => {
  const refused = await fetch(`${server.url}/v1/agents`, {
    method: 'POST',
    body: '{}',
    headers: { 'x-api-key': server.key, 'anthropic-beta': 'managed-agents-2026-04-01' },
  });
  expect(await lineOf(refused.headers.get('request-id'))).toMatchObject({
    method: 'POST',
    route: '/v1/agents',
    status: 400,
    workspace_id: server.workspaceId,
  });
  const unknown = await fetch(`${server.url}/v1/agents`, { headers: { 'x-api-key': 'no' } });
  const line = await lineOf(unknown.headers.get('request-id'));
  expect(line).toMatchObject({ route: '/v1/agents', status: 401 });
  expect(line).not.toHaveProperty('key_id');
  const nowhere = await fetch(`${server.url}/v1/nowhere/PATH-MARKER`);
  const other = await lineOf(nowhere.headers.get('request-id'));
  expect(other).toMatchObject({ route: null, status: 404 });
});

it('a stream leaves one when it opens, and one with its events when it closes', async () => {
  const session = await server.insertSession('idle');
  const stream = await client.beta.sessions.events.stream(session).withResponse();
  const opened = await lineOf(stream.request_id);
  expect(opened).toMatchObject({ route: '/v1/sessions/:session_id/events/stream', status: 200 });
  const said = ['BODY-MARKER', 'two', 'three'].map((text) => ({
    type: 'user.message' as const,
    content: [{ type: 'text' as const, text }],
  }));
  await client.beta.sessions.events.send(session, { events: said });
  let read = 0;
  for await (const _ of stream.data) {
    read += 1;
    if (read === said.length) break;
  }
  stream.data.controller.abort();
  expect(await lineOf(stream.request_id, 'stream closed')).toMatchObject({
    route: '/v1/sessions/:session_id/events/stream',
    session_id: session,
    workspace_id: server.workspaceId,
    events: said.length,
  });
  const closings = lines.filter(({ request_id: id, msg }) => {
    return id === stream.request_id && msg === 'stream closed';
  });
  expect(closings).toHaveLength(1);
});

it('no body, query, header, odd path or key is ever in it', async () => {
  const headers = {
    'x-api-key': server.key,
    'anthropic-beta': 'managed-agents-2026-04-01',
    'x-other': 'HEADER-MARKER',
  };
  for (const path of [
    '/v1/agents?limit=QUERY-MARKER',
    '/v1/sessions/PATH-MARKER',
    '/v1/sessions/sesn_PATH-MARKER/events',
    `/v1/sessions/sesn_01a/threads/PATH-MARKER`,
  ]) {
    const { status } = await fetch(server.url + path, { headers });
    expect(status).toBeGreaterThanOrEqual(400);
  }
  expect(lines.length).toBeGreaterThan(5);
  const all = JSON.stringify(lines);
  for (const secret of [...SECRETS, server.key]) expect(all).not.toContain(secret);
});

it('a level above info leaves it out', () => {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const log = createAuditLogger(pino({ level: 'warn' }, { write }));
  createAuditLog(log).answered({} as Visit, 200);
  createAuditLog(undefined).answered({} as Visit, 200);
  expect(written).toEqual([]);
});

it('what is logged at once is written at once, after what had waited', async () => {
  const written: string[] = [];
  const log = createAuditLogger(pino({}, { write: (text) => void written.push(text) }));
  for (const turn of [1, 2, 3]) log.info({ turn }, 'request');
  expect(written).toEqual([]);
  await until('it is written', () => written.length > 0);
  log.info({ turn: 4 }, 'request');
  await until('it is written', () => written.length > 1);
  const turns = written.map((text) => [...text.matchAll(/"turn":(\d)/g)].map(([, turn]) => turn));
  expect(turns).toEqual([['1', '2', '3'], ['4']]);
});
