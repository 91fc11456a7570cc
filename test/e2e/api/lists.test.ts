// What all lists have in common: a cursor is good for the list that handed it out and for nothing
// else, and a filter that can match nothing by its form is a mistake, not an empty page.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCursor, type PageCursor } from '../../../protocol/page.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';

let server: ApiServer;
const agents: string[] = [];
const sessions: string[] = [];
const environments: string[] = [];

beforeAll(async () => {
  server = await startApiServer();
  for (const name of ['a', 'b']) {
    const { id } = (await call('/v1/agents', { name, model: 'claude-opus-5-5' })).body;
    await call(`/v1/agents/${id}`, { description: 'second version' });
    agents.push(id);
    environments.push((await call('/v1/environments', { name })).body.id);
  }
  for (const agent of agents) {
    const create = { agent, environment_id: environments[0] };
    const { id } = (await call('/v1/sessions', create)).body;
    sessions.push(id);
    await call(`/v1/sessions/${id}`, { title: 'one' });
    await call(`/v1/sessions/${id}`, { title: 'two' });
    for (const text of ['three', 'four']) {
      const content = [{ type: 'text', text }];
      await call(`/v1/sessions/${id}/events`, { events: [{ type: 'user.message', content }] });
    }
  }
});

afterAll(async () => {
  await server.close();
});

interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are what the test asserts
  body: any;
}

async function call(path: string, body?: object): Promise<Answer> {
  const headers = {
    'x-api-key': server.key,
    'anthropic-beta': 'managed-agents-2026-04-01',
    'content-type': 'application/json',
  };
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(server.url + path, { headers, ...init });
  return { status: response.status, body: await response.json() };
}

/** Every list there is, with its own limit; those inside of something twice. */
function lists(): string[] {
  return [
    '/v1/agents?limit=1',
    '/v1/environments?limit=1',
    '/v1/sessions?limit=1',
    ...agents.map((id) => `/v1/agents/${id}/versions?limit=1`),
    ...sessions.map((id) => `/v1/sessions/${id}/threads?limit=1`),
    ...sessions.map((id) => `/v1/sessions/${id}/events?limit=1&order=desc`),
    ...sessions.map((id) => `${threadOf(id)}/events?limit=1&order=desc`),
  ];
}

function threadOf(session: string): string {
  return `/v1/sessions/${session}/threads/${session.replace('sesn_', 'sthr_')}`;
}

async function nextPage(path: string): Promise<string> {
  const { body } = await call(path);
  expect(body.next_page, path).toEqual(expect.any(String));
  return body.next_page;
}

function refusesPage(answer: Answer, what: string): void {
  expect([answer.status, answer.body.error?.message], what).toEqual([
    400,
    expect.stringMatching(/^page: /),
  ]);
}

describe('cursors', () => {
  it('a cursor goes on in its own list and is refused by every other', async () => {
    for (const from of lists().filter((path) => !path.includes('/threads?'))) {
      const page = await nextPage(from);
      for (const to of lists()) {
        const answer = await call(`${to}&page=${page}`);
        if (to === from) expect(answer.status, to).toBe(200);
        else refusesPage(answer, `a cursor of ${from} on ${to}`);
      }
    }
  });

  it('a cursor from among events that wait is no failure on the versions of an agent', async () => {
    const events = `/v1/sessions/${sessions[0]}/events?order=desc`;
    const page = await nextPage(`${events}&limit=3`);
    const { body } = await call(`${events}&limit=3&page=${page}`);
    expect(body.data.map(({ type }: { type: string }) => type)).toEqual(['user.message']);
    refusesPage(await call(`/v1/agents/${agents[0]}/versions?page=${page}`), 'versions');
  });

  it('no made-up cursor is a failure of ours', async () => {
    const time = '2026-11-21T09:30:00.123456Z';
    const keys = [
      [],
      [''],
      ['', ''],
      ['', '7'],
      ['', '7', 'x'],
      ['x', 'y'],
      ['9'.repeat(20)],
      ['9'.repeat(20), '1'],
      ['1', '9'.repeat(20)],
      [time, "x'"],
      [time, 'sesn_1', '1'],
      ['2026-02-30T00:00:00Z', 'sesn_1'],
    ];
    const made: [string, PageCursor['list']][] = [
      ['/v1/agents?', { name: 'agents' }],
      ['/v1/environments?', { name: 'environments' }],
      ['/v1/sessions?', { name: 'sessions' }],
      [`/v1/agents/${agents[0]}/versions?`, { name: 'versions', within: agents[0]! }],
      [`/v1/sessions/${sessions[0]}/threads?`, { name: 'threads', within: sessions[0]! }],
      [`/v1/sessions/${sessions[0]}/events?order=desc&`, { name: 'events', within: sessions[0]! }],
    ];
    for (const [path, list] of made) {
      for (const key of keys) {
        const page = encodeCursor({ list, order: 'desc', direction: 'next', key: key as never });
        refusesPage(await call(`${path}page=${page}`), `${path} ${key.join(',')}`);
      }
    }
  });

  it('a changed created_at range that leaves the cursor outside is refused', async () => {
    const later = '2999-01-01T00:00:00Z';
    const earlier = '1999-01-01T00:00:00Z';
    for (const path of [
      '/v1/agents?limit=1',
      '/v1/sessions?limit=1',
      `/v1/sessions/${sessions[0]}/events?limit=1`,
      `${threadOf(sessions[0]!)}/events?limit=1`,
    ]) {
      const page = `${path}&page=${await nextPage(path)}`;
      refusesPage(await call(`${page}&created_at[gte]=${later}`), path);
      refusesPage(await call(`${page}&created_at[lte]=${earlier}`), path);
      const within = `created_at[gte]=${earlier}&created_at[lte]=${later}`;
      expect((await call(`${page}&${within}`)).status, path).toBe(200);
    }
  });

  it('a cursor from among events that wait lies outside of every created_at range', async () => {
    const path = `/v1/sessions/${sessions[0]}/events?limit=3`;
    const page = await nextPage(path);
    expect((await call(`${path}&page=${page}`)).body.data).toHaveLength(1);
    refusesPage(await call(`${path}&page=${page}&created_at[gte]=1999-01-01T00:00:00Z`), path);
  });
});

describe('filters', () => {
  it('an id of another kind is a mistake that names its parameter', async () => {
    for (const query of [
      `agent_id=${environments[0]}`,
      'agent_id=nobody',
      `deployment_id=${agents[0]}`,
      `memory_store_id=${sessions[0]}`,
    ]) {
      const [name] = query.split('=');
      const { status, body } = await call(`/v1/sessions?${query}`);
      expect([status, body.error?.message], query).toEqual([
        400,
        expect.stringMatching(new RegExp(`^${name}: expected an id that begins with `)),
      ]);
    }
    const unknown = 'agent_id=agent_011111111111111111111111';
    expect((await call(`/v1/sessions?${unknown}`)).body.data).toEqual([]);
  });
});
