// Bad days of a model: streams that break off, replies of nothing, forty calls at once. Each leaves
// a turn that ends as documented and a session that accepts the next message. docs:
// managed-agents/events-and-streaming; behaviour 6.4 to 6.11.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { IDLE, RESCHEDULED, RUNNING } from '../../helpers/event-orders.ts';
import {
  ofType,
  previewsIn,
  resultsOf,
  Scene,
  stopReasonOf,
  type StreamEvent,
  textOf,
  typesOf,
} from '../../helpers/scene.ts';

const RETRYING = ['session.error', ...RESCHEDULED, ...RUNNING];

const withoutPreviews = (events: readonly StreamEvent[]) =>
  typesOf(events).filter((type) => type !== 'event_start' && type !== 'event_delta');

describe('a stream that breaks off', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(inject('server'));
  });
  afterAll(async () => {
    await scene.close();
  });

  it.each([
    ['in garbage', '# garbage\n= Well.'],
    ['after garbage twice', '# garbage 2\n= Well.'],
    ['before its first word', '# stall 10\n= Well.'],
    ['in the middle of a text', '# cut 1\n= Well.'],
  ])('%s is asked for again', async (_name, script) => {
    const talk = await scene.newTalk();
    const events = await talk.turn(script);
    const errors = ofType(events, 'session.error').map(({ error }) => error);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toMatchObject({
        type: 'model_request_failed_error',
        retry_status: { type: 'retrying' },
        message: 'the model stream broke off',
      });
    }
    expect(textOf(...ofType(events, 'agent.message'))).toBe('Well.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('in the middle of a tool input runs nothing, and the call once', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# cut 9\n$ echo x >> f; wc -l < f\n$ wc -l < f');
    expect(resultsOf(events)).toEqual(['1', '1']);
    expect(ofType(events, 'agent.tool_use')).toHaveLength(2);
    expect(ofType(events, 'session.error')).toHaveLength(1);
  });

  it('shows what it said under an id that no message has, and then the message', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape({ event_deltas: ['agent.message'] });
    await talk.say('# cut 3\n# tokens 8 1\n= and the end.');
    const events = await tape.untilIdle();
    const [starts, ends] = [
      ofType(events, 'span.model_request_start'),
      ofType(events, 'span.model_request_end'),
    ];
    expect(withoutPreviews(events)).toEqual([
      'user.message',
      ...RUNNING,
      'span.model_request_start',
      'span.model_request_end',
      ...RETRYING,
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      ...IDLE,
    ]);
    expect(ends.map((end) => [end.model_request_start_id, end.is_error])).toEqual([
      [starts[0]!.id, true],
      [starts[1]!.id, false],
    ]);
    const [message] = ofType(events, 'agent.message');
    const shown = [...previewsIn(events)];
    expect(shown.map(([id]) => id === message!.id)).toEqual([false, true]);
    expect(textOf(shown[0]![1])).toBe('the quiet harbour ');
    expect(shown[1]![1].content).toEqual(message!.content);
    const rescheduled = typesOf(events).indexOf('session.status_rescheduled');
    expect(previewsIn(events.slice(0, rescheduled)).size).toBe(1);
  });

  it('is waited for as long as retry-after says, and not once it is interrupted', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# fail 429 1 2\n= Patient.');
    const waited = await tape.untilIdle();
    const [start] = ofType(waited, 'span.model_request_start').slice(-1);
    const [error] = ofType(waited, 'session.error');
    const pauseMs = Date.parse(start!.processed_at) - Date.parse(error!.processed_at);
    expect(pauseMs).toBeGreaterThanOrEqual(1_900);
    expect(pauseMs).toBeLessThan(6_000);
    await talk.say('# fail 429 1 600\n= never said');
    await tape.untilType('session.status_rescheduled', 2);
    await talk.interrupt();
    const events = (await tape.untilIdle(2)).slice(waited.length);
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      'span.model_request_start',
      'span.model_request_end',
      'session.error',
      'session.thread_status_rescheduled',
      'session.status_rescheduled',
      'user.interrupt',
      ...IDLE,
    ]);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(await talk.status()).toBe('idle');
  });
});

describe('a reply of nothing', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(inject('server'));
  });
  afterAll(async () => {
    await scene.close();
  });

  it.each(['# empty', '# blank'])('(%s) ends the turn without a message', async (script) => {
    const talk = await scene.newTalk();
    const tape = await talk.tape({ event_deltas: ['agent.message', 'agent.thinking'] });
    await talk.say(script);
    const events = await tape.untilIdle();
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      'span.model_request_start',
      'span.model_request_end',
      ...IDLE,
    ]);
    expect(stopReasonOf(events)).toBe('end_turn');
    const next = await talk.turn('= Something.');
    expect(textOf(...ofType(next, 'agent.message'))).toContain('Something.');
  });
});

describe('calls that come', () => {
  const FORTY = 40;
  const forty = (command: (at: number) => string) =>
    Array.from({ length: FORTY }, (_, at) => `$& ${command(at)}`).join('\n');
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(inject('server'));
  });
  afterAll(async () => {
    await scene.close();
  });

  it('with one id are two calls, each run once', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# repeat-id\n$& echo a >> a; cat a\n$& echo b >> b; cat b');
    expect(resultsOf(events).toSorted()).toEqual(['a', 'b']);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(resultsOf(await talk.turn('$ cat a b'))).toEqual(['a\nb']);
  });

  it('forty at once are one round: the calls, the end of the span, the results', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn(`${forty((at) => `echo ${at}`)}\n= All of them.`);
    const types = typesOf(events);
    const at = types.indexOf('span.model_request_start');
    expect(types.slice(at)).toEqual([
      'span.model_request_start',
      ...Array.from({ length: FORTY }, () => 'agent.tool_use'),
      'span.model_request_end',
      ...Array.from({ length: FORTY }, () => 'agent.tool_result'),
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      ...IDLE,
    ]);
    const uses = ofType(events, 'agent.tool_use');
    expect(uses.map(({ input }) => input['command'])).toEqual(
      Array.from({ length: FORTY }, (_, number) => `echo ${number}`),
    );
    const results = new Map(
      ofType(events, 'agent.tool_result').map((result) => [result.tool_use_id, textOf(result)]),
    );
    expect(uses.map(({ id }) => results.get(id))).toEqual(
      Array.from({ length: FORTY }, (_, number) => String(number)),
    );
  });

  it('forty at once are all closed by an interrupt that follows them at once', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('$ echo the container is up');
    const before = await tape.untilIdle();
    await talk.say(forty(() => 'sleep 600'));
    await tape.untilType('agent.tool_use', 2);
    await talk.interrupt();
    const events = (await tape.untilIdle(2)).slice(before.length);
    const uses = ofType(events, 'agent.tool_use').map(({ id }) => id);
    const results = ofType(events, 'agent.tool_result');
    expect(uses).toHaveLength(FORTY);
    expect(results.map((result) => result.tool_use_id).toSorted()).toEqual(uses.toSorted());
    expect(results.every((result) => result.is_error)).toBe(true);
    expect(stopReasonOf(events)).toBe('end_turn');
    const next = await talk.turn('$ pgrep -fc "sleep [6]00" || true');
    expect(resultsOf(next)).toEqual(['0']);
  });
});
