// Sessions over their whole life, with the server that runs them. docs: managed-agents/sessions and
// managed-agents/session-operations. The rules of the resource alone are api/resources.test.ts.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { docker } from '../helpers/sandbox.ts';
import { message, ofType, resultsOf, Scene, type Talk, textOf, typesOf } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'));
});

afterAll(async () => {
  await scene.close();
});

/** A session in the middle of a model request that ends only by an interrupt. */
async function runningTalk(): Promise<Talk> {
  const talk = await scene.newTalk();
  const tape = await talk.tape();
  await talk.say('# wait 600000');
  await tape.untilType('span.model_request_start');
  return talk;
}

describe('creating', () => {
  it('without initial events makes an idle session and no work', async () => {
    const { client, agentId, environmentId } = scene;
    const session = await client.beta.sessions.create({
      agent: agentId,
      environment_id: environmentId,
      title: 'A title',
      metadata: { team: 'blue' },
    });
    expect(session).toMatchObject({
      type: 'session',
      status: 'idle',
      title: 'A title',
      metadata: { team: 'blue' },
      agent: { id: agentId, version: 1 },
      environment_id: environmentId,
      archived_at: null,
    });
    expect((await client.beta.sessions.events.list(session.id)).data).toEqual([]);
    await client.beta.sessions.delete(session.id);
  });

  it('with initial events starts it running at once', async () => {
    const { client, agentId, environmentId } = scene;
    const session = await client.beta.sessions.create({
      agent: agentId,
      environment_id: environmentId,
      initial_events: [message('= One.'), message('= Two.')],
    });
    expect(session.status).toBe('running');
    expect(session).not.toHaveProperty('initial_events');
    const stream = await client.beta.sessions.events.stream(session.id);
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === 'session.status_idle') break;
    }
    expect(textOf(...ofType(events, 'agent.message'))).toBe('One.\nTwo.');
    await client.beta.sessions.delete(session.id);
  });

  it('for an agent that changes later keeps the agent as it was', async () => {
    const other = await Scene.open(inject('server'), { agent: { system: 'Before.' } });
    const talk = await other.newTalk();
    await other.client.beta.agents.update(other.agentId, { system: 'After.' });
    const session = await other.client.beta.sessions.retrieve(talk.id);
    expect(session.agent).toMatchObject({ version: 1, system: 'Before.' });
    await talk.turn('= Still works.');
    await other.client.beta.agents.archive(other.agentId);
    expect(typesOf(await talk.turn('= And now.'))).toContain('agent.message');
    await other.close();
  });
});

describe('listing', () => {
  it('finds sessions by agent, status and age, both ways', async () => {
    const other = await Scene.open(inject('server'));
    const { sessions } = other.client.beta;
    const talks: Talk[] = [];
    for (let index = 0; index < 7; index += 1) talks.push(await other.newTalk());
    const newestFirst = talks.map(({ id }) => id).toReversed();
    const filter = { agent_id: other.agentId, limit: 3 };
    const first = await sessions.list(filter);
    const second = await sessions.list({ ...filter, page: first.next_page! });
    const third = await sessions.list({ ...filter, page: second.next_page! });
    const ids = (page: typeof first) => page.data.map(({ id }) => id);
    expect([...ids(first), ...ids(second), ...ids(third)]).toEqual(newestFirst);
    expect([first.prev_page, third.next_page]).toEqual([null, null]);
    const back = await sessions.list({ ...filter, page: third.prev_page! });
    expect(ids(back)).toEqual(ids(second));
    expect(ids(await sessions.list({ ...filter, page: back.prev_page! }))).toEqual(ids(first));

    const tape = await talks[2]!.tape();
    await talks[2]!.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    const running = await sessions.list({ agent_id: other.agentId, statuses: ['running'] });
    expect(ids(running)).toEqual([talks[2]!.id]);
    const { created_at: bound } = await sessions.retrieve(talks[3]!.id);
    const younger = await sessions.list({ agent_id: other.agentId, 'created_at[gt]': bound });
    expect(ids(younger)).toEqual(newestFirst.slice(0, 3));
    await other.close();
  });

  it('hides archived sessions unless they are asked for', async () => {
    const other = await Scene.open(inject('server'));
    const talk = await other.newTalk();
    const { sessions } = other.client.beta;
    await sessions.archive(talk.id);
    const filter = { agent_id: other.agentId };
    expect((await sessions.list(filter)).data).toEqual([]);
    const all = await sessions.list({ ...filter, include_archived: true });
    expect(all.data.map(({ id, status }) => [id, status])).toEqual([[talk.id, 'terminated']]);
    await other.close();
  });
});

describe('updating', () => {
  it('is announced with what changed, also while the session runs', async () => {
    const talk = await runningTalk();
    const { sessions } = scene.client.beta;
    const updated = await sessions.update(talk.id, { title: 'New', metadata: { a: '1' } });
    expect(updated).toMatchObject({ title: 'New', metadata: { a: '1' }, status: 'running' });
    await sessions.update(talk.id, { metadata: { a: null, b: '2' } });
    await sessions.update(talk.id, { title: 'New' });
    const announced = await talk.history({ types: ['session.updated'] });
    expect(announced).toMatchObject([
      { title: 'New', metadata: { a: '1' } },
      { metadata: { b: '2' } },
    ]);
    expect(announced[1]).not.toHaveProperty('title');
  });
});

describe('while a session runs', () => {
  it('it can be neither archived nor deleted', async () => {
    const talk = await runningTalk();
    const { sessions } = scene.client.beta;
    for (const attempt of [() => sessions.archive(talk.id), () => sessions.delete(talk.id)]) {
      await expect(attempt()).rejects.toMatchObject({ status: 400, type: 'invalid_request_error' });
    }
    expect(await talk.status()).toBe('running');
    await talk.interrupt();
    await until('it is idle', async () => (await talk.status()) === 'idle');
    expect((await sessions.archive(talk.id)).status).toBe('terminated');
  });
});

describe('archiving', () => {
  it('makes it read-only and terminated, and keeps its history', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= Hello.');
    const { sessions } = scene.client.beta;
    const archived = await sessions.archive(talk.id);
    expect(archived.status).toBe('terminated');
    expect(Date.parse(archived.archived_at!)).not.toBeNaN();
    await expect(talk.say('more')).rejects.toMatchObject({ status: 400 });
    await expect(sessions.update(talk.id, { title: 'x' })).rejects.toMatchObject({ status: 400 });
    expect(typesOf(await talk.history()).slice(-2)).toEqual([
      'session.thread_status_terminated',
      'session.status_terminated',
    ]);
    expect((await sessions.archive(talk.id)).archived_at).toBe(archived.archived_at);
  });

  it('removes its container', async () => {
    const talk = await scene.newTalk();
    await talk.turn('$ echo here');
    const containers = () => docker('ps', '-aq', '--filter', `label=holdfast.session=${talk.id}`);
    expect(await containers()).not.toBe('');
    await scene.client.beta.sessions.archive(talk.id);
    await until('its container is gone', async () => (await containers()) === '');
  });
});

describe('deleting', () => {
  it('removes the session, its events and its container', async () => {
    const talk = await scene.newTalk();
    await talk.turn('$ echo here');
    const { sessions } = scene.client.beta;
    expect(await sessions.delete(talk.id)).toEqual({ id: talk.id, type: 'session_deleted' });
    for (const attempt of [
      () => sessions.retrieve(talk.id),
      () => sessions.events.list(talk.id),
      () => sessions.events.stream(talk.id),
      () => talk.say('anyone?'),
      () => sessions.delete(talk.id),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ status: 404, type: 'not_found_error' });
    }
    const label = `label=holdfast.session=${talk.id}`;
    const containers = () => docker('ps', '-aq', '--filter', label);
    await until('its container is gone', async () => (await containers()) === '');
    expect(await docker('volume', 'ls', '-q', '--filter', label)).toBe('');
  });
});

describe('many sessions', () => {
  it('run side by side, each its own turn', async () => {
    const talks = await Promise.all(Array.from({ length: 6 }, () => scene.newTalk()));
    const turns = await Promise.all(
      talks.map((talk, index) => talk.turn(`$ echo ${index}\n$ echo ${index}${index}`)),
    );
    expect(turns.map((events) => resultsOf(events))).toEqual(
      talks.map((_talk, index) => [`${index}`, `${index}${index}`]),
    );
  });
});
