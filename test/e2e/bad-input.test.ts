// What nobody may send, as the official client meets it on the running server: every mistake has
// its documented error with a message that names the field, and nothing is stored. What an official
// client cannot send is api/requests.test.ts. docs: api/errors.

import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openDatabase } from '../../store/database.ts';
import { createWorkspace, ensureApiKey } from '../../store/keys.ts';
import { conformingFetch } from '../helpers/conformance.ts';
import { message, newClient, Scene, type Talk } from '../helpers/scene.ts';

const server = inject('server');
const UNKNOWN = 'sesn_01aaaaaaaaaaaaaaaaaaaaaa';

let scene: Scene;
let talk: Talk;

beforeAll(async () => {
  scene = await Scene.open(server);
  talk = await scene.newTalk();
});

afterAll(async () => {
  await scene.close();
});

interface Refusal {
  status: number;
  type: string | null;
  text: string;
}

async function refusal(call: PromiseLike<unknown>): Promise<Refusal> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Anthropic.APIError)) throw new Error('the call was not refused');
  expect(error.requestID).toMatch(/^req_/);
  return { status: error.status as number, type: error.type, text: error.message };
}

interface RawRequest {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
}

/** A request of any shape with good headers; conformance is checked on the way. */
async function raw(path: string, init: RawRequest = {}) {
  const response = await conformingFetch(server.url + path, {
    ...init,
    headers: {
      'x-api-key': server.apiKey,
      'anthropic-version': '2026-10-21',
      'anthropic-beta': 'managed-agents-2026-04-01',
      'content-type': 'application/json',
      ...init.headers,
    },
  });
  const body = (await response.json()) as { error: { type: string; message: string } };
  return { status: response.status, ...body.error };
}

describe('the door', () => {
  it('a wrong key and none are 401', async () => {
    const stranger = newClient({ url: server.url, apiKey: 'sk-wrong' });
    expect(await refusal(stranger.beta.sessions.list())).toMatchObject({
      status: 401,
      type: 'authentication_error',
    });
    const none = await fetch(`${server.url}/v1/sessions`, {
      headers: { 'anthropic-beta': 'managed-agents-2026-04-01' },
    });
    expect(none.status).toBe(401);
  });

  it('an unknown route, a wrong method and a missing beta header are 404', async () => {
    const answers = [
      await raw('/v1/nothing'),
      await raw('/v1/sessions', { method: 'PUT', body: '{}' }),
      await raw('/v1/sessions', { headers: { 'anthropic-beta': '' } }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 404, type: 'not_found_error' });
    }
  });
});

describe('a field', () => {
  const create = (fields: object) =>
    scene.client.beta.sessions.create({
      agent: scene.agentId,
      environment_id: scene.environmentId,
      ...fields,
    } as never);
  const send = (events: unknown) =>
    scene.client.beta.sessions.events.send(talk.id, { events } as never);

  it.each<[string, () => PromiseLike<unknown>, RegExp]>([
    ['that is unknown', () => create({ colour: 'red' }), /colour/],
    ['of a wrong type', () => create({ title: 7 }), /title.*string/],
    ['that is too long', () => create({ title: 'x'.repeat(501) }), /title.*500/],
    ['of too many entries', () => create({ initial_events: Array(51).fill(message('x')) }), /50/],
    ['that is an id of another kind', () => create({ agent: scene.environmentId }), /agent/],
    ['that is missing', () => create({ agent: undefined }), /agent/],
    ['inside an event', () => send([{ ...message('x'), colour: 1 }]), /events\.0.*colour/],
    [
      'of an empty content',
      () => send([{ type: 'user.message', content: [] }]),
      /events\.0\.content/,
    ],
    ['of an empty batch', () => send([]), /events/],
    ['of an unknown event', () => send([{ type: 'user.shout' }]), /events\.0\.type/],
    [
      'of an event only we say',
      () => send([{ type: 'agent.message', content: [] }]),
      /events\.0\.type/,
    ],
    [
      'of nothing but blanks',
      () => send([message(' \n')]),
      /events\.0\.content\.0\.text: expected more than blanks/,
    ],
    [
      'of too much metadata',
      () =>
        create({
          metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v'])),
        }),
      /metadata.*16/,
    ],
  ])('%s is a 400 that names it', async (_name, call, expected) => {
    const refused = await refusal(call());
    expect(refused).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(refused.text).toMatch(expected);
  });

  it('of later work is refused by name, never ignored', async () => {
    for (const [call, name] of [
      [() => create({ budget: { amount: '1', currency: 'USD' } }), /budget/],
      [() => create({ vault_ids: ['vlt_01aaaaaaaaaaaaaaaaaaaaaa'] }), /vault_ids/],
      [
        () => send([{ type: 'user.tool_confirmation', tool_use_id: 'sevt_01', result: 'allow' }]),
        /events\.0/,
      ],
    ] as const) {
      const refused = await refusal(call());
      expect(refused.status).toBe(400);
      expect(refused.text).toMatch(name);
    }
  });

  it('of a refused request leaves nothing behind', async () => {
    const ids = async () => {
      const { data } = await scene.client.beta.sessions.list({ agent_id: scene.agentId });
      return data.map(({ id }) => id);
    };
    const before = await ids();
    await refusal(create({ initial_events: [message('good'), { type: 'user.interrupt' }] }));
    await refusal(send([message('good'), { type: 'nonsense' }]));
    expect(await ids()).toEqual(before);
    expect(await talk.history()).toEqual([]);
  });
});

describe('a request', () => {
  it('that is no JSON is a 400, one that is too large a 413', async () => {
    const broken = await raw('/v1/agents', { method: 'POST', body: '{"name":' });
    expect(broken).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(broken.message).toContain('JSON');
    const large = `{"name":"${'x'.repeat(33 * 1024 * 1024)}"}`;
    expect(await raw('/v1/agents', { method: 'POST', body: large })).toMatchObject({
      status: 413,
      type: 'request_too_large',
    });
  });

  it('with a bad cursor, limit, order or filter is a 400 that names it', async () => {
    const list = (query: object) => scene.client.beta.sessions.list(query as never);
    for (const [query, name] of [
      [{ page: 'garbage' }, /page/],
      [{ limit: 0 }, /limit/],
      [{ limit: 101 }, /limit/],
      [{ limit: 'many' }, /limit/],
      [{ order: 'sideways' }, /order/],
      [{ statuses: ['asleep'] }, /statuses/],
      [{ 'created_at[gte]': 'yesterday' }, /created_at/],
      [{ colour: 'red' }, /colour/],
    ] as const) {
      const refused = await refusal(list(query));
      expect([refused.status, JSON.stringify(query)]).toEqual([400, JSON.stringify(query)]);
      expect(refused.text).toMatch(name);
    }
  });
});

describe('an id', () => {
  it('that is unknown and one of another workspace get the same 404', async () => {
    const sql = openDatabase(server.databaseUrl, { connectionsMax: 1 });
    const workspaceId = await createWorkspace(sql, 'another');
    await ensureApiKey(sql, { workspaceId, key: 'key-of-another-workspace', name: 'another' });
    await sql.end();
    const foreigner = newClient({ url: server.url, apiKey: 'key-of-another-workspace' });
    const { sessions } = foreigner.beta;
    const stripped = ({ text }: Refusal) =>
      text.replaceAll(/req_\w+/g, 'req').replaceAll(/sesn_\w+/g, 'sesn');
    for (const call of [
      (id: string) => sessions.retrieve(id),
      (id: string) => sessions.update(id, { title: 'x' }),
      (id: string) => sessions.archive(id),
      (id: string) => sessions.delete(id),
      (id: string) => sessions.events.list(id),
      (id: string) => sessions.events.stream(id),
      (id: string) => sessions.events.send(id, { events: [message('x')] }),
      (id: string) => sessions.threads.list(id),
    ]) {
      const [foreign, unknown] = [await refusal(call(talk.id)), await refusal(call(UNKNOWN))];
      expect(foreign).toMatchObject({ status: 404, type: 'not_found_error' });
      expect(stripped(foreign)).toBe(stripped(unknown));
    }
    expect((await sessions.list()).data).toEqual([]);
    const create = sessions.create({ agent: scene.agentId, environment_id: scene.environmentId });
    expect((await refusal(create)).status).toBe(404);
  });

  it('of another kind is a 400 that says which was expected', async () => {
    const refused = await refusal(scene.client.beta.sessions.retrieve(scene.agentId));
    expect(refused).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(refused.text).toContain('sesn_');
  });
});
