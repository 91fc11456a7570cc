// What a session changes of its agent: overrides at its creation, tools replaced later. docs:
// managed-agents/sessions, managed-agents/session-operations; sdk 1.11.0:
// AgentWithOverridesParams, SessionAgentUpdate, SessionUpdatedEvent.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { SessionCreateParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import {
  MODEL,
  ofType,
  Scene,
  stopReasonOf,
  textOf,
  typesOf,
  waitingOf,
} from '../../helpers/scene.ts';

const WEATHER = {
  type: 'custom' as const,
  name: 'get_weather',
  description: 'Tells the weather of a city.',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};
const TOOLSET = { type: 'agent_toolset_20260401' as const };

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'), {
    agent: { system: 'Be brief.', model: { id: MODEL, effort: 'low' } },
  });
});

afterAll(async () => {
  await scene.close();
});

const overridden = (overrides: object): Partial<SessionCreateParams> => ({
  agent: { type: 'agent_with_overrides', id: scene.agentId, ...overrides },
});

describe('a session with overrides', () => {
  it('runs the agent as it was changed, and still names the agent and its version', async () => {
    const talk = await scene.newTalk(
      overridden({ model: 'claude-haiku-4-5', system: null, tools: [WEATHER] }),
    );
    const { agent } = await talk.client.beta.sessions.retrieve(talk.id);
    expect(agent).toMatchObject({ id: scene.agentId, version: 1, system: null });
    // A model brings its own effort, whatever the agent's was.
    expect(agent.model).toMatchObject({ id: 'claude-haiku-4-5', effort: { type: 'high' } });
    expect(agent.tools).toMatchObject([{ type: 'custom', name: 'get_weather' }]);
    const events = await talk.turn('@get_weather {"city":"Paris"}');
    expect(waitingOf(events)).toHaveLength(1);
    const own = await talk.client.beta.agents.retrieve(scene.agentId);
    expect(own).toMatchObject({ system: 'Be brief.', model: { id: MODEL } });
  });

  it('applies an effort that is named with the model', async () => {
    const talk = await scene.newTalk(overridden({ model: { id: MODEL, effort: 'max' } }));
    const { agent } = await talk.client.beta.sessions.retrieve(talk.id);
    expect(agent.model.effort).toEqual({ type: 'max' });
  });

  it('inherits what it does not name, and an empty list clears', async () => {
    const talk = await scene.newTalk(overridden({ tools: [] }));
    const { agent } = await talk.client.beta.sessions.retrieve(talk.id);
    expect(agent).toMatchObject({ system: 'Be brief.', tools: [] });
    expect(agent.model.effort).toEqual({ type: 'low' });
  });

  it.each<[string, object, object]>([
    ['model', { model: null }, { error: { details: { error_code: 'agent_model_required' } } }],
    ['effort', { model: { id: 'claude-haiku-4-5', effort: 'low' } }, {}],
    ['tools', { tools: [{ type: 'custom', name: 'bash', description: 'd' }] }, {}],
    ['version', { version: 99 }, {}],
  ])('is refused where its %s cannot be', async (_, overrides, body) => {
    const created = scene.newTalk(overridden(overrides));
    await expect(created).rejects.toMatchObject({ error: body });
  });
});

describe('an update of the agent in a session', () => {
  it('replaces its tools from the next turn on and is told as a whole', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.turn('= first');
    const { beta } = talk.client;
    const session = await beta.sessions.update(talk.id, { agent: { tools: [WEATHER] } });
    expect(session.agent.tools).toMatchObject([{ name: 'get_weather' }]);
    const [updated] = ofType(await tape.untilType('session.updated'), 'session.updated');
    expect(updated!.agent).toEqual(session.agent);
    expect(Object.keys(updated!)).not.toContain('title');
    const events = await talk.turn('$ echo no shell any more\n@get_weather {"city":"Rome"}');
    expect(ofType(events, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
    expect(textOf(ofType(events, 'agent.tool_result')[0]!)).toContain('no tool named bash');
    expect(waitingOf(events)).toHaveLength(1);
    expect((await beta.agents.retrieve(scene.agentId)).tools).toMatchObject([TOOLSET]);
  });

  it('that changes nothing tells nothing', async () => {
    const talk = await scene.newTalk();
    await talk.client.beta.sessions.update(talk.id, { agent: { tools: [TOOLSET] } });
    expect(typesOf(await talk.history())).toEqual([]);
  });

  it('is refused while the session runs, whole, and goes through afterwards', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('$ sleep 600');
    await tape.untilType('agent.tool_use');
    const update = { title: 'new', agent: { tools: [WEATHER] } };
    await expect(talk.client.beta.sessions.update(talk.id, update)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('idle'),
    });
    expect((await talk.client.beta.sessions.retrieve(talk.id)).title).toBeNull();
    await talk.interrupt();
    expect(stopReasonOf(await tape.untilIdle())).toBe('end_turn');
    expect((await talk.client.beta.sessions.update(talk.id, update)).title).toBe('new');
  });

  it('of two at once has an order: both are told, the later one is what stays', async () => {
    const talk = await scene.newTalk();
    const { sessions } = talk.client.beta;
    await Promise.all(['a', 'b'].map((title) => sessions.update(talk.id, { title })));
    const told = (await talk.history()).flatMap((event) =>
      event.type === 'session.updated' ? [event.title] : [],
    );
    expect(new Set(told)).toEqual(new Set(['a', 'b']));
    expect((await sessions.retrieve(talk.id)).title).toBe(told.at(-1));
  });
});
