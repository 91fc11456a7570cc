// Calls that wait for a client: confirmations and custom tools. docs:
// managed-agents/permission-policies, managed-agents/tools, managed-agents/events-and-streaming;
// sdk 1.11.0: SessionRequiresAction, UserToolConfirmationEvent, UserCustomToolResultEvent.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  confirmation,
  customResult,
  message,
  ofType,
  resultsOf,
  Scene,
  stopReasonOf,
  textOf,
  typesOf,
  waitingOf,
} from '../../helpers/scene.ts';

const ASKING = { permission_policy: { type: 'always_ask' as const } };
const WEATHER = {
  type: 'custom' as const,
  name: 'get_weather',
  description: 'Tells the weather of a city.',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E' +
  'rkJggg==';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'), {
    agent: {
      tools: [
        {
          type: 'agent_toolset_20260401',
          configs: [{ name: 'write', ...ASKING }],
          default_config: {},
        },
        WEATHER,
      ],
    },
  });
});

afterAll(async () => {
  await scene.close();
});

const write = (name: string) =>
  `@write ${JSON.stringify({ file_path: `/workspace/${name}`, content: name })}`;
const joined = (...lines: string[]) =>
  lines.map((line) => line.replace(/^([@$])/, '$1&')).join('\n');
const weather = (city: string) => `@get_weather ${JSON.stringify({ city })}`;

describe('a call that asks', () => {
  it('is shown with its evaluation, and the session waits for it', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn(write('one'));
    const [call] = ofType(events, 'agent.tool_use');
    expect(call).toMatchObject({
      name: 'write',
      evaluated_permission: 'ask',
      evaluation: { type: 'always_ask' },
    });
    expect(waitingOf(events)).toEqual([call!.id]);
    expect(typesOf(events).slice(-3)).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(await talk.status()).toBe('idle');
  });

  it('runs once it is allowed: the session is running again, then goes on', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(write('two')));
    const seen = tape.events.length;
    const [echo] = await talk.send(confirmation(call!, 'allow'));
    expect(echo).toMatchObject({ type: 'user.tool_confirmation', result: 'allow' });
    const events = (await tape.untilIdle(2)).slice(seen);
    expect(typesOf(events)).toEqual([
      'user.tool_confirmation',
      'session.status_running',
      'session.thread_status_running',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(ofType(events, 'agent.tool_result')).toMatchObject([
      { tool_use_id: call, is_error: false },
    ]);
    const stored = (await talk.history()).find(({ type }) => type === 'user.tool_confirmation');
    expect(stored?.processed_at).toBeTruthy();
  });

  it('that is denied does not run, and the model reads the message', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(`${write('three')}\n$ ls /workspace`));
    await talk.send(confirmation(call!, 'deny', 'Not on a Friday.'));
    const events = await tape.untilIdle(2);
    const [denied, listing] = ofType(events, 'agent.tool_result');
    expect(denied).toMatchObject({ tool_use_id: call, is_error: true });
    expect(textOf(denied!)).toContain('Not on a Friday.');
    expect(textOf(listing!)).not.toContain('three');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('may be answered before the session waits, while another call runs', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(joined('$ sleep 2; cat /workspace/early', write('early')));
    const uses = ofType(await tape.untilType('agent.tool_use', 2), 'agent.tool_use');
    const asked = uses.find(({ name }) => name === 'write')!;
    await talk.send(confirmation(asked.id, 'allow'));
    const events = await tape.untilIdle();
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(ofType(events, 'session.status_running')).toHaveLength(1);
    // It ran beside the command that slept, which found its file.
    expect(resultsOf(events).at(-1)).toBe('early');
    expect(ofType(events, 'agent.tool_result')[0]).toMatchObject({ tool_use_id: asked.id });
  });
});

describe('several calls that wait', () => {
  it('are answered one by one: the rest is named again, and the last one runs all', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(joined(write('a'), weather('Paris'), write('b')));
    const first = await tape.untilIdle();
    const [a, paris, b] = waitingOf(first);
    expect(ofType(first, 'agent.custom_tool_use')).toMatchObject([
      { id: paris, name: 'get_weather', input: { city: 'Paris' } },
    ]);
    expect(Object.keys(ofType(first, 'agent.custom_tool_use')[0]!)).not.toContain('evaluation');
    await talk.send(confirmation(b!, 'allow'));
    expect(waitingOf(await tape.untilIdle(2))).toEqual([a, paris]);
    const [echo] = await talk.send(customResult(paris!, 'rain'));
    expect(echo?.processed_at).toBeTruthy();
    const third = await tape.untilIdle(3);
    expect(waitingOf(third)).toEqual([a]);
    expect(ofType(third, 'agent.tool_result')).toEqual([]);
    await talk.send(confirmation(a!, 'deny'));
    const all = await tape.untilIdle(4);
    expect(stopReasonOf(all)).toBe('end_turn');
    const results = ofType(all, 'agent.tool_result').map((event) => event.tool_use_id);
    expect(new Set(results)).toEqual(new Set([a, b]));
  });

  it('are answered in one request', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(joined(weather('Rome'), weather('Oslo')));
    const [rome, oslo] = waitingOf(await tape.untilIdle());
    await talk.send(customResult(oslo!, 'snow'), customResult(rome!, 'sun'));
    const events = await tape.untilIdle(2);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toContain('get_weather');
  });
});

describe('an interrupt', () => {
  it('of a session that waits closes every call with an error and ends the turn', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(joined(write('never'), weather('Bonn')));
    const [asked, bonn] = waitingOf(await tape.untilIdle());
    const seen = tape.events.length;
    await talk.interrupt();
    const events = (await tape.untilIdle(2)).slice(seen);
    expect(typesOf(events)).toEqual([
      'user.interrupt',
      'agent.tool_result',
      'user.custom_tool_result',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(events[1]).toMatchObject({ tool_use_id: asked, is_error: true });
    expect(events[2]).toMatchObject({ custom_tool_use_id: bonn, is_error: true });
    expect(stopReasonOf(events)).toBe('end_turn');
    const next = await talk.turn('$ ls /workspace');
    expect(resultsOf(next).join()).not.toContain('never');
    expect(stopReasonOf(next)).toBe('end_turn');
  });

  it('goes before a message that is sent behind it, which starts the next turn', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.turn(weather('Ulm'));
    await talk.send({ type: 'user.interrupt' }, message('= Something else.'));
    const events = await tape.untilIdle(3);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toBe('Something else.');
  });
});

describe('an answer that does not fit', () => {
  it('is a 400 that says why, and changes nothing', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(`$ true\n${joined(write('x'), weather('Graz'))}`);
    const events = await tape.untilIdle();
    const [ran] = ofType(events, 'agent.tool_use');
    const [asked, graz] = waitingOf(events);
    const unknown = `sevt_01${'A'.repeat(24)}`;
    const before = (await talk.history()).length;
    const refused: [Parameters<typeof talk.send>, RegExp][] = [
      [[confirmation(unknown, 'allow')], /events\.0\.tool_use_id: .*no tool call of this session/],
      [[confirmation(ran!.id, 'allow')], /events\.0\.tool_use_id: .*asks for no confirmation/],
      [[confirmation(graz!, 'allow')], /expects another answer/],
      [[customResult(asked!, 'no')], /events\.0\.custom_tool_use_id: .*expects another answer/],
      [[{ type: 'user.tool_result', tool_use_id: asked! }], /self_hosted/],
      [[customResult(graz!, 'a'), customResult(graz!, 'b')], /events\.1\..*answered already/],
      [[message('= hello')], /events\.0\.type: .*requires_action/],
      [[customResult(graz!, 'fog'), message('= hello')], /events\.1\.type: .*requires_action/],
      [[{ type: 'user.interrupt' }, customResult(graz!, 'fog')], /closed by an interrupt/],
    ];
    for (const [sent, text] of refused) {
      await expect(talk.send(...sent)).rejects.toMatchObject({
        status: 400,
        message: expect.stringMatching(text),
      });
    }
    expect((await talk.history()).length).toBe(before);
    await talk.send(customResult(graz!, 'fog'));
    await expect(talk.send(customResult(graz!, 'fog again'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('answered already'),
    });
  });

  it('comes second where two race: one is taken, the other is told', async () => {
    const talk = await scene.newTalk();
    const [call] = waitingOf(await talk.turn(write('raced')));
    const results = await Promise.allSettled([
      talk.send(confirmation(call!, 'allow')),
      talk.send(confirmation(call!, 'deny')),
    ]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('custom tools', () => {
  it('carry every kind of content back to the model', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(weather('Nice')));
    const pdf = Buffer.from('%PDF-1.4\n%%EOF\n').toString('base64');
    const address = 'https://example.com/forecast';
    const [echo] = await talk.send({
      type: 'user.custom_tool_result',
      custom_tool_use_id: call!,
      content: [
        { type: 'text', text: 'half a forecast' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'image', source: { type: 'url', url: `${address}.png` } },
        {
          type: 'document',
          source: { type: 'base64', media_type: 'application/pdf', data: pdf },
          title: 'A page',
        },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'rain' } },
        { type: 'document', source: { type: 'url', url: `${address}.pdf` }, context: 'old' },
        {
          type: 'search_result',
          source: 'https://example.com/nice',
          title: 'Nice',
          content: [{ type: 'text', text: 'sunny' }],
          citations: { enabled: true },
        },
      ],
    });
    const events = await tape.untilIdle(2);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(ofType(events, 'session.error')).toEqual([]);
    const carried = ofType(events, 'user.custom_tool_result')[0];
    expect(carried).toEqual(echo);
  });

  it('may end in an error, which the model reads', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(weather('Kiel')));
    const content = [
      { type: 'text' as const, text: 'no such city' },
      {
        type: 'image' as const,
        source: { type: 'base64' as const, media_type: 'image/png', data: PNG },
      },
    ];
    await talk.send({ ...customResult(call!, ''), content, is_error: true });
    const events = await tape.untilIdle(2);
    expect(ofType(events, 'user.custom_tool_result')[0]).toMatchObject({ is_error: true });
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('without content answer with an empty result', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(weather('Lima')));
    await talk.send({ type: 'user.custom_tool_result', custom_tool_use_id: call! });
    expect(stopReasonOf(await tape.untilIdle(2))).toBe('end_turn');
  });
});

describe('a session that waits', () => {
  it('can be archived; its calls are never run', async () => {
    const talk = await scene.newTalk();
    await talk.turn(write('archived'));
    const session = await talk.client.beta.sessions.archive(talk.id);
    expect(session.status).toBe('terminated');
  });
});
