// Two workspaces see none of each other's things. One case a route, taken from the list of routes
// itself: a route that is new has no case, and fails. Every case is also played by the owner at the
// end, so that none holds only because its request was wrong.

import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../../api/app.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';

const BETA = 'managed-agents-2026-04-01';
const AGENT = { name: 'an agent', model: 'claude-opus-5-5' };
const SAY = { type: 'user.message', content: [{ type: 'text', text: 'a secret' }] };

const SEND = 'POST /v1/sessions/:session_id/events';

/**
 * `id`: names a thing by its id, which is nowhere for anybody else. `list`: shows the workspace's
 * own things. `create`: makes one. `everybody`: the same for every key. A body as the owner would
 * send it.
 */
type Case = ['id', object?] | ['list'] | ['create'] | ['everybody'];

/** In the order in which the owner plays them: what ends a thing comes last. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /v1/agents': ['create'],
  'POST /v1/environments': ['create'],
  'POST /v1/sessions': ['create'],

  'GET /v1/agents': ['list'],
  'GET /v1/environments': ['list'],
  'GET /v1/sessions': ['list'],

  'GET /v1/agents/:agent_id': ['id'],
  'GET /v1/agents/:agent_id/versions': ['id'],
  'GET /v1/environments/:environment_id': ['id'],
  'GET /v1/sessions/:session_id': ['id'],
  'GET /v1/sessions/:session_id/events': ['id'],
  'GET /v1/sessions/:session_id/events/stream': ['id'],
  'GET /v1/sessions/:session_id/threads': ['id'],
  'GET /v1/sessions/:session_id/threads/:thread_id': ['id'],
  'GET /v1/sessions/:session_id/threads/:thread_id/events': ['id'],
  'GET /v1/sessions/:session_id/threads/:thread_id/stream': ['id'],

  'GET /v1/models': ['everybody'],
  'GET /v1/models/:model_id': ['everybody'],

  'POST /v1/agents/:agent_id': ['id', { version: 1, name: 'renamed' }],
  'POST /v1/environments/:environment_id': ['id', { name: 'renamed' }],
  'POST /v1/sessions/:session_id': ['id', { title: 'renamed' }],
  'POST /v1/sessions/:session_id/archive': ['id'],
  [SEND]: ['id', { events: [SAY] }],

  'POST /v1/agents/:agent_id/archive': ['id'],
  'POST /v1/environments/:environment_id/archive': ['id'],
  'DELETE /v1/sessions/:session_id': ['id'],
  'DELETE /v1/environments/:environment_id': ['id'],
};

type Ids = Record<'agent_id' | 'environment_id' | 'session_id' | 'thread_id' | 'model_id', string>;

interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are what the test asserts
  body: any;
}

let server: ApiServer;
let owner: Anthropic;
let stranger: Anthropic;
/** of the owner; the second of each only makes lists longer than one page of one */
let ids: Ids;
const strangers: Partial<Ids> = {};

beforeAll(async () => {
  server = await startApiServer();
  [owner, stranger] = [server.key, server.foreignKey].map(
    (apiKey) => new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 }),
  ) as [Anthropic, Anthropic];
  await newThings('another');
  ids = await newThings('one');
  const sent = await ask(owner, SEND, ids, { events: [SAY] });
  expect(sent.status).toBe(200);
});

afterAll(() => server.close());

async function newThings(name: string): Promise<Ids> {
  const agent = (await ask(owner, 'POST /v1/agents', {}, AGENT)).body.id;
  const environment = (await ask(owner, 'POST /v1/environments', {}, { name })).body.id;
  const body = { agent, environment_id: environment };
  const session: string = (await ask(owner, 'POST /v1/sessions', {}, body)).body.id;
  const thread = session.replace('sesn_', 'sthr_');
  return {
    agent_id: agent,
    environment_id: environment,
    session_id: session,
    thread_id: thread,
    model_id: AGENT.model,
  };
}

/** One request through the official client; of a stream only that it opened. */
async function ask(
  client: Anthropic,
  route: string,
  parameters: Partial<Ids>,
  body?: object,
): Promise<Answer> {
  const [method, pattern] = route.split(' ') as [string, string];
  const path = pattern.replaceAll(/:(\w+)/g, (_, name) => parameters[name as keyof Ids] ?? '');
  const controller = new AbortController();
  try {
    const response = await client
      .request({
        method: method.toLowerCase() as 'get',
        path,
        ...(body === undefined ? {} : { body }),
        headers: { 'anthropic-beta': BETA },
        signal: controller.signal,
      })
      .asResponse();
    const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
    return { status: response.status, body: isStream ? {} : await response.json() };
  } catch (error) {
    if (error instanceof Anthropic.APIError) return { status: error.status!, body: error.error };
    throw error;
  } finally {
    controller.abort();
  }
}

/** Everything the owner sees, in one text. */
async function everything(): Promise<string> {
  const reads = Object.keys(CASES).filter((route) => route.startsWith('GET'));
  const answers = await Promise.all(reads.map((route) => ask(owner, route, ids)));
  expect(answers.map(({ status }) => status)).toEqual(reads.map(() => 200));
  return JSON.stringify(answers).replaceAll(/"duration_seconds":[\d.]+/g, '');
}

it('every route has a case', () => {
  const routes = ROUTES.map(([method, path]) => `${method} ${path}`);
  expect(Object.keys(CASES).toSorted()).toEqual(routes.toSorted());
});

describe('what another workspace names by its id is nowhere', () => {
  const cases = Object.entries(CASES).filter(([, [kind]]) => kind === 'id');

  it.each(cases)('%s', async (route, [, body]) => {
    const before = await everything();
    const refused = await ask(stranger, route, ids, body);
    expect(refused.status).toBe(404);
    expect(refused.body.error.type).toBe('not_found_error');
    // Word for word what is said of an id that never was: it does not even tell that there is one.
    const never = Object.fromEntries(
      Object.entries(ids).map(([name, id]) => [name, `${id.slice(0, -6)}Zzzzzz`]),
    ) as Ids;
    const unknown = await ask(stranger, route, never, body);
    expect(unknown.status).toBe(404);
    const told = (answer: Answer) =>
      answer.body.error.message.replace(/(agent|env|sesn|sthr)_\w+/g, '$1');
    expect(told(refused)).toBe(told(unknown));
    expect(await everything()).toBe(before);
  });
});

describe('what belongs to nobody is the same for everybody', () => {
  const cases = Object.keys(CASES).filter((route) => CASES[route]![0] === 'everybody');

  it.each(cases)('%s', async (route) => {
    const [own, theirs] = await Promise.all([ask(owner, route, ids), ask(stranger, route, ids)]);
    expect(own.status).toBe(200);
    expect(theirs.body).toEqual(own.body);
  });
});

describe('lists are of one workspace', () => {
  const cases = Object.keys(CASES).filter((route) => CASES[route]![0] === 'list');

  it.each(cases)('%s', async (route) => {
    const own = await ask(owner, route, {});
    expect(own.body.data.length).toBeGreaterThan(1);
    expect((await ask(stranger, route, {})).body.data).toEqual([]);
    const first = await ask(owner, `${route}?limit=1`, {});
    expect(first.body.next_page).toEqual(expect.any(String));
    const page = encodeURIComponent(first.body.next_page);
    const paged = await ask(stranger, `${route}?page=${page}`, {});
    expect(paged.body.data ?? []).toEqual([]);
  });

  it('a filter by another workspace’s agent finds nothing', async () => {
    const route = `GET /v1/sessions?agent_id=${ids.agent_id}`;
    expect((await ask(owner, route, {})).body.data).toHaveLength(1);
    expect((await ask(stranger, route, {})).body.data).toEqual([]);
  });
});

describe('what one workspace makes', () => {
  it('is seen by none of another, and cannot be made of another’s things', async () => {
    const before = await everything();
    strangers.agent_id = (await ask(stranger, 'POST /v1/agents', {}, AGENT)).body.id;
    // Names of environments are unique, but each workspace has its own.
    const environment = await ask(stranger, 'POST /v1/environments', {}, { name: 'one' });
    expect(environment.status).toBe(200);
    strangers.environment_id = environment.body.id;
    const mixed = [
      { agent: ids.agent_id, environment_id: strangers.environment_id },
      { agent: strangers.agent_id, environment_id: ids.environment_id },
    ];
    for (const body of mixed) {
      const refused = await ask(stranger, 'POST /v1/sessions', {}, body);
      expect(refused.status).toBe(404);
    }
    const body = { agent: strangers.agent_id, environment_id: strangers.environment_id };
    expect((await ask(stranger, 'POST /v1/sessions', {}, body)).status).toBe(200);
    expect(await everything()).toBe(before);
    expect((await ask(stranger, 'GET /v1/sessions', {})).body.data).toHaveLength(1);
  });
});

describe('the owner', () => {
  it('is served by every one of these requests', async () => {
    // Another session: what waits in the first one keeps it from being archived.
    const things = await newThings('spare');
    for (const [route, [kind, body]] of Object.entries(CASES)) {
      if (kind === 'create' || route === SEND) continue;
      const served = await ask(owner, route, things, body);
      expect([route, served.status]).toEqual([route, 200]);
    }
    ids = things;
  });

  it('may resume a stream of a deleted session, and nobody else may', async () => {
    const route = 'GET /v1/sessions/:session_id/events/stream?after_seq=0';
    expect((await ask(owner, route, ids)).status).toBe(200);
    expect((await ask(stranger, route, ids)).status).toBe(404);
  });
});
