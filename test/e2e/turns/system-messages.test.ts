// System messages in a conversation: where they may stand, which models take them, what the model
// reads. docs: managed-agents/events-and-streaming; sdk 1.11.0: SystemMessageEventParams.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  customResult,
  message,
  ofType,
  Scene,
  stopReasonOf,
  textOf,
  typesOf,
  waitingOf,
} from '../../helpers/scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'), {
    agent: {
      model: 'claude-opus-5-5',
      tools: [
        {
          type: 'custom',
          name: 'look_up',
          description: 'Looks something up.',
          input_schema: { type: 'object' },
        },
      ],
    },
  });
});

afterAll(async () => {
  await scene.close();
});

const system = (text: string) => ({
  type: 'system.message' as const,
  content: [{ type: 'text' as const, text }],
});

describe('a system message', () => {
  it('behind a user message is read with it', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const sent = await talk.send(message('Hello.'), system('The user is a pilot.'));
    expect(typesOf(sent)).toEqual(['user.message', 'system.message']);
    const events = await tape.untilIdle();
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toContain('The user is a pilot.');
    const stored = (await talk.history()).find(({ type }) => type === 'system.message');
    expect(stored?.processed_at).toBeTruthy();
  });

  it('behind a tool result is taken while the session waits', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn('@look_up {}'));
    await expect(talk.send(system('alone'))).rejects.toMatchObject({ status: 400 });
    await talk.send(customResult(call!, 'found'), system('Results are a day old.'));
    const events = await tape.untilIdle(2);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(ofType(events, 'session.error')).toEqual([]);
  });

  it('alone while the session is idle starts nothing and is read in the next turn', async () => {
    const talk = await scene.newTalk();
    const [echo] = await talk.send(system('It is Monday.'));
    expect(echo?.processed_at).toBeTruthy();
    expect(await talk.status()).toBe('idle');
    const events = await talk.turn('What day is it?');
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toContain('It is Monday.');
  });

  it('is refused where it cannot stand', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const refused = [
      [system('first'), message('second')],
      [message('first'), system('second'), system('third')],
      [{ type: 'user.interrupt' as const }, system('second')],
    ];
    for (const events of refused) {
      await expect(talk.send(...events)).rejects.toMatchObject({ status: 400 });
    }
    await talk.say('# tokens 2000 5');
    await tape.untilType('span.model_request_start');
    await expect(talk.send(system('alone'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('only taken while the session is idle'),
    });
    await talk.interrupt();
    await tape.untilIdle();
  });

  it('is refused by a session whose model takes none', async () => {
    const agent = { type: 'agent_with_overrides' as const, id: scene.agentId };
    const talk = await scene.newTalk({ agent: { ...agent, model: 'claude-haiku-4-5' } });
    await expect(talk.send(message('Hello.'), system('No.'))).rejects.toMatchObject({
      status: 400,
      error: {
        error: { details: { error_code: 'model_does_not_support_mid_conversation_system' } },
      },
    });
    expect(await talk.history()).toEqual([]);
  });
});
