// A session's events: the order of a turn, sending, and the history. docs:
// managed-agents/events-and-streaming.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { primaryThreadId } from '../../protocol/ids.ts';
import { IDLE, RUNNING } from '../helpers/event-orders.ts';
import {
  message,
  ofType,
  resultsOf,
  Scene,
  stopReasonOf,
  type Talk,
  textOf,
  typesOf,
} from '../helpers/scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'));
});

afterAll(async () => {
  await scene.close();
});

const ROUND = ['span.model_request_start', 'agent.tool_use', 'span.model_request_end'];
const LAST_ROUND = ['span.model_request_start', 'agent.message', 'span.model_request_end'];

describe('the order of a turn', () => {
  it('a plain turn runs, thinks of one request, idles with its usage right before', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('= Hello.');
    expect(typesOf(events)).toEqual(['user.message', ...RUNNING, ...LAST_ROUND, ...IDLE]);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(textOf(...ofType(events, 'agent.message'))).toBe('Hello.');
  });

  it('each round is a request, its tool uses, then their results', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# think\n= Looking.\n$ echo one\n$ echo two\n= Done.');
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      'span.model_request_start',
      'agent.thinking',
      'agent.message',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      ...ROUND,
      'agent.tool_result',
      ...LAST_ROUND,
      ...IDLE,
    ]);
    expect(resultsOf(events)).toEqual(['one', 'two']);
  });

  it('thread events are twins of the session events, for the primary thread', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('= Hello.');
    const thread = primaryThreadId(talk.id);
    const [running] = ofType(events, 'session.thread_status_running');
    expect(running).toMatchObject({ session_thread_id: thread, agent_name: 'an agent' });
    const [idle] = ofType(events, 'session.thread_status_idle');
    expect(idle).toMatchObject({
      session_thread_id: thread,
      stop_reason: { type: 'end_turn' },
    });
  });

  it('a tool result names its use, and the end of a span its start', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ echo one');
    const [use] = ofType(events, 'agent.tool_use');
    expect(use).toMatchObject({ name: 'bash', input: { command: 'echo one' } });
    expect(use).toMatchObject({
      evaluated_permission: 'allow',
      evaluation: { type: 'always_allow' },
    });
    expect(ofType(events, 'agent.tool_result')).toMatchObject([{ tool_use_id: use!.id }]);
    const starts = ofType(events, 'span.model_request_start').map(({ id }) => id);
    const ends = ofType(events, 'span.model_request_end');
    expect(ends.map((end) => end.model_request_start_id)).toEqual(starts);
  });

  it('the usage snapshot is the sum of the requests, and so is the session', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ echo one\n$ echo two');
    const ends = ofType(events, 'span.model_request_end').map((end) => end.model_usage);
    const sum = (key: 'input_tokens' | 'output_tokens' | 'cache_read_input_tokens') =>
      ends.reduce((total, usage) => total + usage[key], 0);
    expect(sum('output_tokens')).toBeGreaterThan(0);
    // The second and third request find the prefix of the one before in the cache.
    expect(sum('cache_read_input_tokens')).toBeGreaterThan(0);
    const { usage } = await scene.client.beta.sessions.retrieve(talk.id);
    expect(usage).toMatchObject({
      input_tokens: sum('input_tokens'),
      output_tokens: sum('output_tokens'),
      cache_read_input_tokens: sum('cache_read_input_tokens'),
    });
  });

  it('a second turn of the same session has the same order', async () => {
    const talk = await scene.newTalk();
    const order = typesOf(await talk.turn('= One.'));
    expect(typesOf(await talk.turn('= Two.'))).toEqual(order);
  });
});

describe('sending', () => {
  it('a message waits with null until the turn that consumes it begins', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    const [echo] = await talk.say('later');
    expect(echo!.processed_at ?? null).toBeNull();
    const waiting = await talk.history();
    expect(waiting.at(-1)).toMatchObject({ id: echo!.id, type: 'user.message' });
    expect(waiting.at(-1)!.processed_at ?? null).toBeNull();
    await talk.interrupt();
    await tape.untilIdle(2);
    const stamped = (await talk.history()).find(({ id }) => id === echo!.id);
    expect(Date.parse(stamped!.processed_at!)).not.toBeNaN();
  });

  it('a batch with one bad event is refused as a whole', async () => {
    const talk = await scene.newTalk();
    const events = [message('good'), { type: 'user.nothing' }] as never;
    await expect(scene.client.beta.sessions.events.send(talk.id, { events })).rejects.toThrow(
      /events\.1/,
    );
    expect(await talk.history()).toEqual([]);
    expect(await talk.status()).toBe('idle');
  });

  it('several messages of one request are all read by the next model call', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('= one', '= two', '= three');
    expect(ofType(events, 'user.message')).toHaveLength(3);
    const said = ofType(events, 'agent.message').map((event) => textOf(event));
    expect(said.join('\n')).toBe('one\ntwo\nthree');
    expect(ofType(events, 'session.status_idle')).toHaveLength(1);
  });

  it('the same Idempotency-Key gets the first answer and one turn', async () => {
    const talk = await scene.newTalk();
    const send = () =>
      scene.client.beta.sessions.events.send(
        talk.id,
        { events: [message('= Once.')] },
        { headers: { 'Idempotency-Key': 'a key' } },
      );
    const tape = await talk.tape();
    const [first, second] = [await send(), await send()];
    expect(second).toEqual(first);
    await tape.untilIdle();
    expect(await send()).toEqual(first);
    expect(ofType(await talk.history(), 'user.message')).toHaveLength(1);
    expect(ofType(await talk.history(), 'session.status_running')).toHaveLength(1);
  });

  it('two identical messages may both be meant', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= Twice.');
    const events = await talk.turn('= Twice.');
    expect(textOf(...ofType(events, 'agent.message'))).toBe('Twice.');
    expect(ofType(await talk.history(), 'user.message')).toHaveLength(2);
  });
});

describe('the history', () => {
  let talk: Talk;
  beforeAll(async () => {
    talk = await scene.newTalk();
    await talk.turn('$ echo one\n= One.');
    await talk.turn('= Two.');
  });

  it('is by time of processing, newest last, and reversed on demand', async () => {
    const ascending = await talk.history();
    const times = ascending.map((event) => Date.parse(event.processed_at!));
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    const descending = await talk.history({ order: 'desc' });
    expect(descending.map(({ id }) => id)).toEqual(ascending.map(({ id }) => id).toReversed());
  });

  it('holds what the stream carried, once each', async () => {
    const other = await scene.newTalk();
    const carried = await other.turn('$ echo one\n= One.');
    const history = await other.history();
    expect(history.map(({ id }) => id).toSorted()).toEqual(
      carried.flatMap((event) => ('id' in event ? [event.id] : [])).toSorted(),
    );
  });

  it('is narrowed by types', async () => {
    const types = ['user.message', 'agent.message'] as const;
    const found = await talk.history({ types: [...types] });
    expect(typesOf(found)).toEqual([types[0], types[1], types[0], types[1]]);
  });

  it('is narrowed by created_at, each bound exact', async () => {
    const all = await talk.history();
    const bound = all[4]!.processed_at!;
    const ids = async (params: object) => (await talk.history(params)).map(({ id }) => id);
    const where = (isIn: (time: number) => boolean) =>
      all.filter((event) => isIn(Date.parse(event.processed_at!))).map(({ id }) => id);
    const at = Date.parse(bound);
    expect(await ids({ 'created_at[gt]': bound })).toEqual(where((time) => time > at));
    expect(await ids({ 'created_at[gte]': bound })).toEqual(where((time) => time >= at));
    expect(await ids({ 'created_at[lt]': bound })).toEqual(where((time) => time < at));
    expect(await ids({ 'created_at[lte]': bound })).toEqual(where((time) => time <= at));
  });

  it('comes in pages without gap or duplicate, in both orders', async () => {
    for (const order of ['asc', 'desc'] as const) {
      const whole = (await talk.history({ order })).map(({ id }) => id);
      const paged = (await talk.history({ order, limit: 3 })).map(({ id }) => id);
      expect(paged).toEqual(whole);
    }
  });

  it('gives no cursor after the last page, and refuses one of the other order', async () => {
    const { events } = scene.client.beta.sessions;
    expect((await events.list(talk.id)).next_page).toBeNull();
    const { next_page: page } = await events.list(talk.id, { limit: 2 });
    const turned = events.list(talk.id, { limit: 2, page: page!, order: 'desc' });
    await expect(turned).rejects.toMatchObject({ status: 400 });
  });
});

describe('the primary thread', () => {
  it('is the only one, with the life of its session', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= Hello.');
    const id = primaryThreadId(talk.id);
    const { threads } = scene.client.beta.sessions;
    const listed = await threads.list(talk.id);
    expect(listed.data).toMatchObject([{ id, status: 'idle', parent_thread_id: null }]);
    const { stats, ...lasting } = await threads.retrieve(id, { session_id: talk.id });
    expect(listed.data[0]).toMatchObject(lasting);
    expect(stats!.duration_seconds).toBeGreaterThan(0);
  });

  it('has the events of the session, and a stream of its own', async () => {
    const talk = await scene.newTalk();
    const id = primaryThreadId(talk.id);
    const { threads } = scene.client.beta.sessions;
    const stream = await threads.events.stream(id, { session_id: talk.id });
    await talk.say('= Hello.');
    const carried: string[] = [];
    for await (const event of stream) {
      carried.push(event.type);
      if (event.type === 'session.thread_status_idle') break;
    }
    expect(carried[0]).toBe('user.message');
    expect(carried).toContain('agent.message');
    expect(await talk.status()).toBe('idle');
    const listed: string[] = [];
    for await (const event of threads.events.list(id, { session_id: talk.id })) {
      listed.push(event.type);
    }
    expect(listed).toContain('agent.message');
  });
});
