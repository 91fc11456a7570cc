// Agents, environments, sessions and threads through the official client, over a real database: the
// rules of the resources themselves, without any turn being taken.

import Anthropic from '@anthropic-ai/sdk';
import AnthropicOld from 'anthropic-sdk-0-86';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionAgent } from '../../../protocol/session-agent.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';
import { conformingFetch } from '../../helpers/conformance.ts';

let server: ApiServer;
let client: Anthropic;

beforeAll(async () => {
  server = await startApiServer();
  client = new Anthropic({ baseURL: server.url, apiKey: server.key, fetch: conformingFetch });
});

afterAll(async () => {
  await server.close();
});

const model = 'claude-opus-5-5';

async function refusal(call: PromiseLike<unknown>) {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Anthropic.APIError)) throw new Error('the call was not refused');
  return { status: error.status, type: error.type, code: error.errorCode, text: error.apiMessage };
}

/** Reads every page of a list. */
async function everyOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of list) all.push(each);
  return all;
}

async function newSession(fields: { title?: string; metadata?: Record<string, string> } = {}) {
  const agent = await client.beta.agents.create({ name: 'for a session', model });
  const name = `for ${agent.id}`;
  const environment = await client.beta.environments.create({ name });
  const created = { agent: agent.id, environment_id: environment.id, ...fields };
  return { agent, environment, session: await client.beta.sessions.create(created) };
}

describe('agents', () => {
  it('a new agent is at version 1 with its defaults filled in', async () => {
    const agent = await client.beta.agents.create({ name: 'plain', model });
    expect(agent).toMatchObject({
      type: 'agent',
      version: 1,
      name: 'plain',
      description: null,
      system: null,
      tools: [],
      mcp_servers: [],
      skills: [],
      multiagent: null,
      metadata: {},
      archived_at: null,
      model: { id: model, speed: 'standard' },
    });
    expect(await client.beta.agents.retrieve(agent.id)).toEqual(agent);
  });

  it('an update makes a version, one that changes nothing makes none', async () => {
    const first = await client.beta.agents.create({ name: 'one', model, metadata: { a: '1' } });
    const second = await client.beta.agents.update(first.id, {
      version: 1,
      system: 'Be brief.',
      metadata: { a: null, b: '2' },
    });
    expect(second).toMatchObject({ version: 2, system: 'Be brief.', metadata: { b: '2' } });
    expect(second.created_at).toBe(first.created_at);
    const same = await client.beta.agents.update(first.id, { system: 'Be brief.' });
    expect(same).toEqual(second);
    expect(await client.beta.agents.retrieve(first.id, { version: 1 })).toEqual(first);
    const versions = await everyOf(client.beta.agents.versions.list(first.id, { limit: 1 }));
    expect(versions).toEqual([second, first]);
  });

  it('a stale version is a conflict even when the content would not change', async () => {
    const agent = await client.beta.agents.create({ name: 'locked', model });
    await client.beta.agents.update(agent.id, { name: 'renamed' });
    const stale = client.beta.agents.update(agent.id, { version: 1, name: 'renamed' });
    expect(await refusal(stale)).toMatchObject({ status: 409, type: 'conflict_error' });
  });

  it('concurrent updates each make a version of their own', async () => {
    const agent = await client.beta.agents.create({ name: 'contended', model });
    const names = ['a', 'b', 'c', 'd', 'e'];
    const updates = names.map((name) => client.beta.agents.update(agent.id, { name }));
    const versions = (await Promise.all(updates)).map(({ version }) => version);
    expect(versions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6]);
  });

  it('an archived agent is read-only, hidden from lists and refused by new sessions', async () => {
    const { agent, environment, session } = await newSession();
    const archived = await client.beta.agents.archive(agent.id);
    expect(archived.archived_at).not.toBeNull();
    expect(await client.beta.agents.archive(agent.id)).toEqual(archived);
    const update = client.beta.agents.update(agent.id, { name: 'new' });
    expect(await refusal(update)).toMatchObject({ status: 400 });
    const create = client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    expect(await refusal(create)).toMatchObject({ status: 400 });
    const ids = async (include_archived: boolean) =>
      (await everyOf(client.beta.agents.list({ include_archived }))).map(({ id }) => id);
    expect(await ids(false)).not.toContain(agent.id);
    expect(await ids(true)).toContain(agent.id);
    expect((await client.beta.sessions.retrieve(session.id)).status).toBe('idle');
  });

  it('an unknown version and an unknown agent are not found', async () => {
    const agent = await client.beta.agents.create({ name: 'one version', model });
    const unknown = 'agent_011111111111111111111111';
    for (const call of [
      () => client.beta.agents.retrieve(agent.id, { version: 2 }),
      () => client.beta.agents.retrieve(unknown),
      () => client.beta.agents.retrieve(unknown, { version: 1 }),
      () => client.beta.agents.update(unknown, { name: 'x' }),
      () => client.beta.agents.archive(unknown),
      () => client.beta.agents.versions.list(unknown),
    ]) {
      expect(await refusal(call())).toMatchObject({ status: 404, type: 'not_found_error' });
    }
  });
});

describe('environments', () => {
  it('a name is unique until its environment is archived', async () => {
    const first = await client.beta.environments.create({ name: 'only one' });
    const again = () => client.beta.environments.create({ name: 'only one' });
    expect(await refusal(again())).toMatchObject({ status: 409, type: 'conflict_error' });
    const other = await client.beta.environments.create({ name: 'another one' });
    const rename = client.beta.environments.update(other.id, { name: 'only one' });
    expect(await refusal(rename)).toMatchObject({ status: 409 });
    await client.beta.environments.archive(first.id);
    expect((await again()).name).toBe('only one');
  });

  it('an update keeps what it does not name, an archived environment takes none', async () => {
    const made = await client.beta.environments.create({
      name: 'kept',
      description: 'words',
      metadata: { a: '1' },
      config: { type: 'cloud', networking: { type: 'limited' } },
    });
    const updated = await client.beta.environments.update(made.id, { description: '' });
    expect(updated).toMatchObject({ ...made, description: '', updated_at: updated.updated_at });
    const unchanged = await client.beta.environments.update(made.id, { name: 'kept' });
    expect(unchanged).toEqual(updated);
    await client.beta.environments.archive(made.id);
    const update = client.beta.environments.update(made.id, { name: 'new' });
    expect(await refusal(update)).toMatchObject({ status: 400, code: 'environment_archived' });
  });

  it('a deleted environment is gone and its sessions stay', async () => {
    const { environment, session } = await newSession();
    const deleted = await client.beta.environments.delete(environment.id);
    expect(deleted).toEqual({ id: environment.id, type: 'environment_deleted' });
    expect(await refusal(client.beta.environments.retrieve(environment.id))).toMatchObject({
      status: 404,
    });
    expect((await client.beta.sessions.retrieve(session.id)).environment_id).toBe(environment.id);
  });
});

describe('sessions', () => {
  it('a session keeps the agent as it was', async () => {
    const { agent, session } = await newSession({ title: 'first', metadata: { k: 'v' } });
    expect(session).toMatchObject({ status: 'idle', title: 'first', metadata: { k: 'v' } });
    expect(session.agent).toEqual(sessionAgent(agent));
    await client.beta.agents.update(agent.id, { system: 'changed' });
    const read = await client.beta.sessions.retrieve(session.id);
    expect(read.agent).toEqual(session.agent);
    expect({ ...read, stats: {} }).toEqual({ ...session, stats: {} });
  });

  it('an effort that nobody named is shown as the model’s own everywhere', async () => {
    const { agent, session } = await newSession();
    const own = { type: 'medium' };
    const [version] = await everyOf(client.beta.agents.versions.list(agent.id));
    const [thread] = await everyOf(client.beta.sessions.threads.list(session.id));
    const shown = [agent.model, version!.model, session.agent.model];
    expect([...shown, (thread!.agent as typeof session.agent).model]).toMatchObject(
      Array.from({ length: 4 }, () => ({ id: model, effort: own })),
    );
    const named = await client.beta.agents.update(agent.id, {
      model: { id: model, effort: 'low' },
    });
    expect(named.model.effort).toEqual({ type: 'low' });
    const refused = client.beta.agents.update(agent.id, {
      model: { id: 'claude-haiku-4-5', effort: 'low' },
    });
    expect(await refusal(refused)).toMatchObject({
      status: 400,
      text: expect.stringContaining('model.effort: '),
    });
  });

  it('a session may be pinned to an older version', async () => {
    const { agent, environment } = await newSession();
    await client.beta.agents.update(agent.id, { system: 'second' });
    const of = (version: number) =>
      client.beta.sessions.create({
        agent: { type: 'agent', id: agent.id, version },
        environment_id: environment.id,
      });
    expect((await of(1)).agent).toEqual(sessionAgent(agent));
    expect(await refusal(of(3))).toMatchObject({ status: 404 });
  });

  it('initial events are stored with the session and ring its workflow', async () => {
    const { agent, environment } = await newSession();
    const session = await client.beta.sessions.create({
      agent: agent.id,
      environment_id: environment.id,
      initial_events: [
        { type: 'user.message', content: [{ type: 'text', text: 'one' }] },
        { type: 'user.message', content: [{ type: 'text', text: 'two' }] },
      ],
    });
    expect(session.status).toBe('running');
    const events = await everyOf(client.beta.sessions.events.list(session.id));
    expect(events.map(({ type }) => type)).toEqual(['user.message', 'user.message']);
    const ring = server.rings.find(({ sessionId }) => sessionId === session.id);
    expect(ring?.signal.events.map(({ preview }) => preview)).toEqual(['one', 'two']);
    expect(await refusal(client.beta.sessions.archive(session.id))).toMatchObject({ status: 400 });
    expect(await refusal(client.beta.sessions.delete(session.id))).toMatchObject({ status: 400 });
  });

  it('pages go forwards and back over the same sessions', async () => {
    const { agent, environment } = await newSession();
    for (const title of ['2', '3', '4', '5']) {
      await client.beta.sessions.create({
        agent: agent.id,
        environment_id: environment.id,
        title,
      });
    }
    for (const order of ['asc', 'desc'] as const) {
      const query = { agent_id: agent.id, limit: 2, order };
      const all = await everyOf(client.beta.sessions.list(query));
      expect(all).toHaveLength(5);
      const first = await client.beta.sessions.list(query);
      expect(first.prev_page).toBeNull();
      const second = await client.beta.sessions.list({ ...query, page: first.next_page });
      const third = await client.beta.sessions.list({ ...query, page: second.next_page });
      expect(third.next_page).toBeNull();
      const back = await client.beta.sessions.list({ ...query, page: third.prev_page });
      expect(back.data.map(({ id }) => id)).toEqual(second.data.map(({ id }) => id));
      const start = await client.beta.sessions.list({ ...query, page: back.prev_page });
      expect(start.data.map(({ id }) => id)).toEqual(first.data.map(({ id }) => id));
      expect(start.prev_page).toBeNull();
      const other = order === 'asc' ? 'desc' : 'asc';
      const turned = client.beta.sessions.list({ ...query, order: other, page: first.next_page });
      expect(await refusal(turned)).toMatchObject({ status: 400 });
    }
  });

  it('filters narrow the list', async () => {
    const { agent, session } = await newSession();
    const { id, created_at } = session;
    const ids = async (query: Anthropic.Beta.SessionListParams) =>
      (await everyOf(client.beta.sessions.list({ agent_id: agent.id, ...query }))).map(
        (each) => each.id,
      );
    expect(await ids({ agent_version: 1, statuses: ['idle', 'running'] })).toEqual([id]);
    expect(await ids({ agent_version: 2 })).toEqual([]);
    expect(await ids({ statuses: ['terminated'] })).toEqual([]);
    expect(await ids({ 'created_at[gte]': created_at, 'created_at[lte]': created_at })).toEqual([
      id,
    ]);
    expect(await ids({ 'created_at[gt]': created_at })).toEqual([]);
    expect(await ids({ 'created_at[lt]': created_at })).toEqual([]);
    expect(await ids({ deployment_id: 'depl_011111111111111111111111' })).toEqual([]);
    await client.beta.sessions.archive(id);
    expect(await ids({})).toEqual([]);
    expect(await ids({ include_archived: true, statuses: ['terminated'] })).toEqual([id]);
  });

  it('an update is announced by an event with what changed, a no-op by none', async () => {
    const { session } = await newSession({ title: 'old', metadata: { a: '1', b: '2' } });
    const updated = await client.beta.sessions.update(session.id, {
      title: 'new',
      metadata: { a: null, c: '3' },
    });
    expect(updated).toMatchObject({ title: 'new', metadata: { b: '2', c: '3' }, status: 'idle' });
    await client.beta.sessions.update(session.id, { title: 'new', metadata: { b: '2' } });
    await client.beta.sessions.update(session.id, { metadata: { b: null, c: null } });
    const events = await everyOf(client.beta.sessions.events.list(session.id));
    expect(events).toMatchObject([
      { type: 'session.updated', title: 'new', metadata: { b: '2', c: '3' } },
      { type: 'session.updated' },
    ]);
    expect(events[1]).not.toHaveProperty('metadata');
    expect(events[1]).not.toHaveProperty('title');
  });

  it('an archived session is terminated and read-only', async () => {
    const { session } = await newSession();
    const archived = await client.beta.sessions.archive(session.id);
    expect(archived).toMatchObject({ id: session.id, status: 'terminated' });
    expect(archived.archived_at).not.toBeNull();
    expect(await client.beta.sessions.archive(session.id)).toEqual(archived);
    const update = client.beta.sessions.update(session.id, { title: 'late' });
    expect(await refusal(update)).toMatchObject({ status: 400 });
    const events = [
      { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'x' }] },
    ];
    const send = client.beta.sessions.events.send(session.id, { events });
    expect(await refusal(send)).toMatchObject({ status: 400 });
    const types = (await everyOf(client.beta.sessions.events.list(session.id))).map(
      ({ type }) => type,
    );
    expect(types).toEqual(['session.thread_status_terminated', 'session.status_terminated']);
  });

  it('a deleted session is gone', async () => {
    const { session } = await newSession();
    const deleted = await client.beta.sessions.delete(session.id);
    expect(deleted).toEqual({ id: session.id, type: 'session_deleted' });
    for (const call of [
      () => client.beta.sessions.retrieve(session.id),
      () => client.beta.sessions.delete(session.id),
      () => client.beta.sessions.archive(session.id),
      () => client.beta.sessions.update(session.id, { title: 'x' }),
      () => client.beta.sessions.events.list(session.id),
      () => client.beta.sessions.events.stream(session.id),
      () => client.beta.sessions.threads.list(session.id),
    ]) {
      expect(await refusal(call())).toMatchObject({ status: 404 });
    }
    expect(server.rings.at(-1)).toMatchObject({ sessionId: session.id, signal: { ended: true } });
  });
});

describe('threads', () => {
  it('every session has its primary thread', async () => {
    const { session } = await newSession();
    const [thread, ...others] = await everyOf(client.beta.sessions.threads.list(session.id));
    expect(others).toEqual([]);
    expect(thread).toMatchObject({
      type: 'session_thread',
      session_id: session.id,
      parent_thread_id: null,
      status: 'idle',
      stats: null,
      usage: null,
      workflow_run_id: null,
    });
    const of = { session_id: session.id };
    expect(await client.beta.sessions.threads.retrieve(thread!.id, of)).toEqual(thread);
    await client.beta.sessions.update(session.id, { title: 'renamed' });
    const events = await everyOf(client.beta.sessions.threads.events.list(thread!.id, of));
    expect(events.map(({ type }) => type)).toEqual(['session.updated']);
    const unknown = client.beta.sessions.threads.retrieve('sthr_011111111111111111111111', of);
    expect(await refusal(unknown)).toMatchObject({ status: 404 });
    const running = client.beta.sessions.threads.list(session.id, { statuses: ['running'] });
    expect(await everyOf(running)).toEqual([]);
  });
});

describe('the old generation of clients', () => {
  it('works as the new one does', async () => {
    const old = new AnthropicOld({
      baseURL: server.url,
      apiKey: server.key,
      fetch: conformingFetch,
    });
    const agent = await old.beta.agents.create({ name: 'old', model });
    const environment = await old.beta.environments.create({
      name: 'old',
      config: { type: 'cloud' },
    });
    const session = await old.beta.sessions.create({
      agent: agent.id,
      environment_id: environment.id,
    });
    const ids = [];
    for await (const each of old.beta.sessions.list({ agent_id: agent.id })) ids.push(each.id);
    expect(ids).toEqual([session.id]);
    const sent = await old.beta.sessions.events.send(session.id, {
      events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
    });
    expect(sent.data).toMatchObject([{ type: 'user.message' }]);
  });
});
