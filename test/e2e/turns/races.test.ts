// Clients that race each other: whatever comes at once has one order, which the history shows, and
// whoever comes second is told why it is too late. docs: managed-agents/events-and-streaming,
// managed-agents/session-operations, managed-agents/budgets. Each race is run several times, since
// either side may win; test/property/accept.property.test.ts does it in every interleaving.

import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  confirmation,
  customResult,
  message,
  newClient,
  ofType,
  Scene,
  type SessionEvent,
  stopReasonOf,
  type Talk,
  textOf,
  typesOf,
  waitingOf,
} from '../../helpers/scene.ts';
import { byDepth } from '../../helpers/depth.ts';
import { until } from '../../helpers/until.ts';

const RACES = byDepth(3, 12);
const CLIENTS = 10;
const LOOK_UP = {
  type: 'custom' as const,
  name: 'look_up',
  description: 'Looks something up.',
  input_schema: { type: 'object' as const },
};
const INTERRUPT = { type: 'user.interrupt' as const };
/** 100,000 tokens read and 20,000 written by claude-sonnet-4-6: 60 cents a reply. */
const SIXTY_CENTS = '# usage input=100000 output=20000';

let scene: Scene;
let other: Anthropic;

beforeAll(async () => {
  const configs = [{ name: 'write' as const, permission_policy: { type: 'always_ask' as const } }];
  scene = await Scene.open(inject('server'), {
    agent: {
      model: 'claude-sonnet-4-6',
      tools: [{ type: 'agent_toolset_20260401', configs }, LOOK_UP],
    },
  });
  other = newClient(inject('server'));
});

afterAll(async () => {
  await scene.close();
});

const races = Array.from({ length: RACES }, (_, index) => index + 1);
const write = '@write {"file_path":"/workspace/raced","content":"x"}';
const cap = (amount: string) => ({
  type: 'limit' as const,
  max_list_cost: { amount, currency: 'USD' as const },
});

type Side = { name: string; act: () => Promise<unknown> };
type Lost = { name: string; error: Error };

/** Both at once, in an order that changes from race to race; who won, and what the others heard. */
async function race(
  number: number,
  ...sides: Side[]
): Promise<{ winners: string[]; losers: Lost[] }> {
  const ordered = number % 2 === 0 ? sides : sides.toReversed();
  const ends = await Promise.allSettled(ordered.map(({ act }) => act()));
  const winners: string[] = [];
  const losers: Lost[] = [];
  for (const [index, end] of ends.entries()) {
    const { name } = ordered[index]!;
    if (end.status === 'fulfilled') winners.push(name);
    else losers.push({ name, error: end.reason as Error });
  }
  return { winners, losers };
}

/** What a loser heard: a refusal of the documented kind, with the reason. */
function expectRefusal(lost: Lost | undefined, status: number, why: RegExp): void {
  expect(lost?.error).toBeInstanceOf(Anthropic.APIError);
  expect(lost!.error).toMatchObject({ status, message: expect.stringMatching(why) });
}

const sendAs = (client: Anthropic, talk: Talk, ...events: Parameters<Talk['send']>) => ({
  act: () => client.beta.sessions.events.send(talk.id, { events }),
});

/** Every accepted event of clients stands in the history once; each call has one result. */
function expectWhole(history: readonly SessionEvent[]): void {
  expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
  const calls = [...ofType(history, 'agent.tool_use'), ...ofType(history, 'agent.custom_tool_use')];
  const answered = [
    ...ofType(history, 'agent.tool_result').map((event) => event.tool_use_id),
    ...ofType(history, 'user.custom_tool_result').map((event) => event.custom_tool_use_id),
  ];
  expect(answered.toSorted()).toEqual(calls.map(({ id }) => id).toSorted());
}

async function atRest(talk: Talk, reason = 'end_turn'): Promise<SessionEvent[]> {
  return until(`idle: ${reason}`, async () => {
    const history = await talk.history();
    const isIdle = history.at(-1)?.type === 'session.status_idle';
    return isIdle && stopReasonOf(history) === reason && history;
  });
}

/** The session takes the next message as any other does. */
async function expectUsable(talk: Talk): Promise<void> {
  const before = (await talk.history()).length;
  await talk.say('= still here');
  const history = await until('the next turn is over', async () => {
    const all = await talk.history();
    return all.length > before + 1 && all.at(-1)?.type === 'session.status_idle' && all;
  });
  expect(textOf(ofType(history, 'agent.message').at(-1)!)).toBe('still here');
  expect(stopReasonOf(history)).toBe('end_turn');
}

describe('of two clients that answer one call', () => {
  it.each(races)('the first confirmation holds, the second is told, race %i', async (number) => {
    const talk = await scene.newTalk();
    const [call] = waitingOf(await talk.turn(write));
    const { winners, losers } = await race(
      number,
      { name: 'allow', ...sendAs(scene.client, talk, confirmation(call!, 'allow')) },
      { name: 'deny', ...sendAs(other, talk, confirmation(call!, 'deny', 'No.')) },
    );
    expect(winners).toHaveLength(1);
    expectRefusal(losers[0], 400, /events\.0\.tool_use_id: .* has been answered already/);
    const history = await atRest(talk);
    expectWhole(history);
    expect(ofType(history, 'user.tool_confirmation')).toMatchObject([{ result: winners[0] }]);
    const [result] = ofType(history, 'agent.tool_result');
    expect(result?.is_error).toBe(winners[0] === 'deny');
    await expectUsable(talk);
  });

  it('every batch of a confirmation and a result is taken whole or not at all', async () => {
    const talk = await scene.newTalk();
    const [first, second] = waitingOf(await talk.turn(`@&${write.slice(1)}\n@&look_up {}`));
    const { winners, losers } = await race(
      1,
      {
        name: 'one way round',
        ...sendAs(scene.client, talk, confirmation(first!, 'deny'), customResult(second!, 'a')),
      },
      {
        name: 'the other',
        ...sendAs(other, talk, customResult(second!, 'b'), confirmation(first!, 'deny')),
      },
    );
    expect(winners).toHaveLength(1);
    expectRefusal(losers[0], 400, /events\.0\..*answered already/);
    const history = await atRest(talk);
    expectWhole(history);
    const said = textOf(ofType(history, 'user.custom_tool_result')[0]!);
    expect(said).toBe(winners[0] === 'the other' ? 'b' : 'a');
  });
});

describe('an interrupt against an answer', () => {
  it.each(races)('closes the call or comes behind its confirmation, race %i', async (number) => {
    const talk = await scene.newTalk();
    const [call] = waitingOf(await talk.turn(write));
    const { winners, losers } = await race(
      number,
      { name: 'interrupt', ...sendAs(other, talk, INTERRUPT) },
      { name: 'allow', ...sendAs(scene.client, talk, confirmation(call!, 'allow')) },
    );
    expect(winners).toContain('interrupt');
    if (losers.length > 0) expectRefusal(losers[0], 400, /closed by an interrupt|answered already/);
    const history = await atRest(talk);
    expectWhole(history);
    expect(ofType(history, 'user.tool_confirmation')).toHaveLength(2 - losers.length - 1);
    if (losers.length > 0) expect(ofType(history, 'agent.tool_result')[0]?.is_error).toBe(true);
    await expectUsable(talk);
  });

  it.each(races)('closes a custom call or comes behind its result, race %i', async (number) => {
    const talk = await scene.newTalk();
    const [call] = waitingOf(await talk.turn('@look_up {}'));
    const { winners, losers } = await race(
      number,
      { name: 'interrupt', ...sendAs(other, talk, INTERRUPT) },
      { name: 'result', ...sendAs(scene.client, talk, customResult(call!, 'found')) },
    );
    expect(winners).toContain('interrupt');
    if (losers.length > 0) expectRefusal(losers[0], 400, /closed by an interrupt|answered already/);
    const history = await atRest(talk);
    expectWhole(history);
    const [result] = ofType(history, 'user.custom_tool_result');
    if (losers.length === 0) expect(textOf(result!)).toBe('found');
    else expect(result?.is_error).toBe(true);
    await expectUsable(talk);
  });
});

describe('the end of a session against what is sent to it', () => {
  it.each(races)('archive and message: one is refused, race %i', async (number) => {
    const talk = await scene.newTalk();
    await talk.turn('= hello');
    const { winners, losers } = await race(
      number,
      { name: 'message', ...sendAs(scene.client, talk, message('= raced')) },
      { name: 'archive', act: () => other.beta.sessions.archive(talk.id) },
    );
    expect(winners).toHaveLength(1);
    if (winners[0] === 'archive') {
      expectRefusal(losers[0], 400, /is terminated and accepts no events/);
      const history = await talk.history();
      expect(history.at(-1)?.type).toBe('session.status_terminated');
      expect(ofType(history, 'user.message')).toHaveLength(1);
    } else {
      expectRefusal(losers[0], 400, /is running and cannot be archived: send user\.interrupt/);
      const history = await until('the raced turn is over', async () => {
        const all = await talk.history();
        return ofType(all, 'session.status_idle').length === 2 && all;
      });
      expect(textOf(ofType(history, 'agent.message').at(-1)!)).toBe('raced');
      await expectUsable(talk);
    }
  });

  it.each(races)('delete and message: one is refused, race %i', async (number) => {
    const talk = await scene.newTalk();
    await talk.turn('= hello');
    const { winners, losers } = await race(
      number,
      { name: 'message', ...sendAs(scene.client, talk, message('= raced')) },
      { name: 'delete', act: () => other.beta.sessions.delete(talk.id) },
    );
    expect(winners).toHaveLength(1);
    if (winners[0] === 'delete') {
      expectRefusal(losers[0], 404, /was not found/);
      await expect(talk.history()).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    } else {
      expectRefusal(losers[0], 400, /is running and cannot be deleted: send user\.interrupt/);
      await until('the raced turn is over', async () => {
        return ofType(await talk.history(), 'session.status_idle').length === 2;
      });
      await expectUsable(talk);
    }
  });

  it.each(races)('archive and confirmation: one is refused, race %i', async (number) => {
    const talk = await scene.newTalk();
    const [call] = waitingOf(await talk.turn(write));
    const { winners, losers } = await race(
      number,
      { name: 'allow', ...sendAs(scene.client, talk, confirmation(call!, 'allow')) },
      { name: 'archive', act: () => other.beta.sessions.archive(talk.id) },
    );
    expect(winners).toHaveLength(1);
    if (winners[0] === 'archive') {
      expectRefusal(losers[0], 400, /is terminated and accepts no events/);
      expect(typesOf(await talk.history())).not.toContain('user.tool_confirmation');
    } else {
      expectRefusal(losers[0], 400, /is running and cannot be archived/);
      expectWhole(await atRest(talk));
      await expectUsable(talk);
    }
  });

  it('archive and archive: both see it ended, and it ends once', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= hello');
    const end = (client: Anthropic) => client.beta.sessions.archive(talk.id);
    const sessions = await Promise.all([end(scene.client), end(other), end(scene.client)]);
    for (const session of sessions) expect(session).toEqual(sessions[0]);
    const history = await talk.history();
    expect(ofType(history, 'session.status_terminated')).toHaveLength(1);
  });
});

describe('two updates at once', () => {
  const tool = (name: string) => ({ ...LOOK_UP, name });

  it.each(races)('of the agent have an order that the events show, race %i', async (number) => {
    const talk = await scene.newTalk();
    const update = (client: Anthropic, name: string) => ({
      name,
      act: () => client.beta.sessions.update(talk.id, { agent: { tools: [tool(name)] } }),
    });
    const { losers } = await race(number, update(scene.client, 'one'), update(other, 'two'));
    expect(losers).toEqual([]);
    const told = ofType(await talk.history(), 'session.updated');
    expect(told).toHaveLength(2);
    const { agent } = await talk.client.beta.sessions.retrieve(talk.id);
    expect(agent.tools).toEqual(told[1]!.agent!.tools);
    expect(told[0]!.agent!.tools).not.toEqual(told[1]!.agent!.tools);
    await expectUsable(talk);
  });

  it.each(races)('of agent and title lose neither, race %i', async (number) => {
    const talk = await scene.newTalk();
    await race(
      number,
      {
        name: 'agent',
        act: () => other.beta.sessions.update(talk.id, { agent: { tools: [tool('new')] } }),
      },
      { name: 'title', act: () => scene.client.beta.sessions.update(talk.id, { title: 'New' }) },
    );
    const session = await talk.client.beta.sessions.retrieve(talk.id);
    expect(session.title).toBe('New');
    expect(session.agent.tools).toMatchObject([{ name: 'new' }]);
  });

  it.each(races)('of the agent and a message: never in mid-turn, race %i', async (number) => {
    const talk = await scene.newTalk();
    const { winners, losers } = await race(
      number,
      { name: 'message', ...sendAs(scene.client, talk, message('@look_up {}')) },
      {
        name: 'agent',
        act: () => other.beta.sessions.update(talk.id, { agent: { tools: [tool('new')] } }),
      },
    );
    expect(winners).toContain('message');
    if (losers.length > 0) expectRefusal(losers[0], 400, /agent: expected the session to be idle/);
    // The turn has the tools that it began with: those of before, or those of after the update.
    const reason = losers.length > 0 ? 'requires_action' : 'end_turn';
    const history = await atRest(talk, reason);
    expect(typesOf(history).includes('session.updated')).toBe(losers.length === 0);
    const [first] = history.filter(({ type }) => type !== 'session.usage');
    if (losers.length === 0) expect(first?.type).toBe('session.updated');
  });

  it.each(races)('of the budget: raising may win once, removing stays, race %i', async (number) => {
    const talk = await scene.newTalk({ budget: cap('50') });
    await talk.turn(`${SIXTY_CENTS}\n$ echo one\n\n= two`);
    const update = (client: Anthropic, budget: ReturnType<typeof cap> | null) => () =>
      client.beta.sessions.update(talk.id, { budget });
    const { winners, losers } = await race(
      number,
      { name: 'raise', act: update(scene.client, cap('500')) },
      { name: 'remove', act: update(other, null) },
    );
    expect(winners).toContain('remove');
    if (losers.length > 0) {
      expectRefusal(losers[0], 400, /budget: only a session that was created with one/);
      expect(losers[0]!.error).toMatchObject({
        error: { error: { details: { error_code: 'budget_create_only' } } },
      });
    }
    const history = await atRest(talk);
    expectWhole(history);
    expect(ofType(history, 'session.status_running')).toHaveLength(2);
    expect((await talk.client.beta.sessions.retrieve(talk.id)).budget).toBeNull();
    await expectUsable(talk);
  });
});

describe('ten clients that send at once', () => {
  it('are all heard: each message is in the history once and read once, in its order', async () => {
    const talk = await scene.newTalk();
    const clients = Array.from({ length: CLIENTS }, () => newClient(inject('server')));
    const echoes = await Promise.all(
      clients.map((client, index) =>
        client.beta.sessions.events.send(talk.id, { events: [message(`= number ${index}`)] }),
      ),
    );
    const history = await until('every message was read', async () => {
      const all = await talk.history();
      const isIdle = all.at(-1)?.type === 'session.status_idle';
      const said = ofType(all, 'agent.message')
        .map((event) => textOf(event))
        .join('\n');
      return isIdle && clients.every((_, index) => said.includes(`number ${index}`)) && all;
    });
    const sent = ofType(history, 'user.message');
    expect(new Set(sent.map(({ id }) => id))).toEqual(
      new Set(echoes.flatMap(({ data }) => data!.map(({ id }) => id))),
    );
    expect(sent).toHaveLength(CLIENTS);
    // The model reads them in the order of the history.
    const texts = sent.map((event) => textOf(event).replace('= ', ''));
    const said = ofType(history, 'agent.message').flatMap((event) => textOf(event).split('\n'));
    expect(said.filter((line) => line.startsWith('number'))).toEqual(texts);
    await expectUsable(talk);
  });
});
