// Budgets: the gate before every request, the pause, raising and removing, what is refused. docs:
// managed-agents/budgets; sdk 1.11.0: BudgetLimit, SessionUpdateParams.budget. Costs are calculated
// here by hand, from the published prices of claude-sonnet-4-6.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  message,
  ofType,
  Scene,
  stopReasonOf,
  type StreamEvent,
  type Talk,
  typesOf,
} from '../../helpers/scene.ts';

const cap = (amount: string) => ({
  type: 'limit' as const,
  max_list_cost: { amount, currency: 'USD' as const },
});
/** 100,000 tokens read at $3 a million and 20,000 written at $15: 60 cents a reply. */
const SIXTY_CENTS = '# usage input=100000 output=20000';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'), { agent: { model: 'claude-sonnet-4-6' } });
});

afterAll(async () => {
  await scene.close();
});

const update = (talk: Talk, budget: ReturnType<typeof cap> | null) =>
  talk.client.beta.sessions.update(talk.id, { budget });
const costOf = (events: readonly StreamEvent[]) =>
  ofType(events, 'session.usage').at(-1)?.usage.list_cost?.amount;
/** Running time of these tests, at 8 cents an hour, is far less than half a cent. */
const round = (line: string) => `${SIXTY_CENTS}\n${line}`;

describe('a session with a budget', () => {
  it('stops within one request of its cap, in the documented order', async () => {
    const talk = await scene.newTalk({ budget: cap('100') });
    const events = await talk.turn(
      [round('$ echo one'), round('$ echo two'), '$ echo three'].join('\n\n'),
    );
    // 0 and 60 cents are under the cap, 120 are not.
    expect(ofType(events, 'span.model_request_start')).toHaveLength(2);
    expect(ofType(events, 'agent.tool_result')).toHaveLength(2);
    expect(costOf(events)).toBe('120');
    expect(typesOf(events).slice(-4)).toEqual([
      'agent.tool_result',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(ofType(events, 'session.thread_status_idle').at(-1)?.stop_reason.type).toBe(
      'budget_reached',
    );
    expect(stopReasonOf(events)).toBe('budget_reached');
    expect(ofType(events, 'session.usage').at(-1)?.budget).toEqual(cap('100'));
    const session = await talk.client.beta.sessions.retrieve(talk.id);
    expect(session).toMatchObject({ status: 'idle', budget: cap('100') });
    expect(session.usage.list_cost).toEqual({ amount: '120', currency: 'USD' });
  });

  it('goes on by itself where it stopped once the cap is raised', async () => {
    const talk = await scene.newTalk({ budget: cap('50') });
    const tape = await talk.tape();
    await talk.turn(`${round('$ echo one')}\n\n$ echo two`);
    expect(stopReasonOf(tape.events)).toBe('budget_reached');
    const seen = tape.events.length;
    expect((await update(talk, cap('500'))).budget).toEqual(cap('500'));
    const events = (await tape.untilIdle(2)).slice(seen);
    expect(typesOf(events).slice(0, 4)).toEqual([
      'session.updated',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
    ]);
    expect(ofType(events, 'session.updated')[0]).toMatchObject({ budget: cap('500') });
    expect(ofType(events, 'agent.tool_result')).toHaveLength(1);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('whose last request crosses the cap and ends the turn says so of both', async () => {
    const talk = await scene.newTalk({ budget: cap('60') });
    const events = await talk.turn(round('= dear words'));
    expect(ofType(events, 'session.thread_status_idle').at(-1)?.stop_reason.type).toBe('end_turn');
    expect(stopReasonOf(events)).toBe('budget_reached');
    await expect(talk.say('= more')).rejects.toMatchObject({ status: 400 });
    await update(talk, cap('61'));
    expect(stopReasonOf(await talk.turn('= more'))).toBe('end_turn');
  });

  it('whose last request crosses the cap and was refused says so of the next message', async () => {
    const talk = await scene.newTalk({ budget: cap('60') });
    const tape = await talk.tape();
    await talk.turn(round('# refuse'));
    expect(stopReasonOf(tape.events)).toBe('refusal');
    const seen = tape.events.length;
    await talk.say('= Heard after all.');
    await tape.untilIdle(2);
    expect(typesOf(tape.events).slice(seen)).toEqual([
      'user.message',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(stopReasonOf(tape.events)).toBe('budget_reached');
    await expect(talk.say('= more')).rejects.toMatchObject({ status: 400 });
    await update(talk, cap('200'));
    const events = await tape.untilIdle(3);
    expect(JSON.stringify(ofType(events, 'agent.message'))).toContain('Heard after all.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('takes only answers and interrupts at the pause; an interrupt is forgotten', async () => {
    const talk = await scene.newTalk({ budget: cap('50') });
    await talk.turn(`${round('$ echo one')}\n\n$ echo two`);
    const before = await talk.history();
    await expect(talk.send(message('= no'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(
        /user\.tool_confirmation, user\.tool_result, user\.custom_tool_result and user\.interrupt/,
      ),
    });
    expect(await talk.send({ type: 'user.interrupt' })).toEqual([]);
    expect(await talk.history()).toEqual(before);
  });

  it('keeps what was sent before the pause until the budget is removed', async () => {
    const talk = await scene.newTalk({ budget: cap('50') });
    const tape = await talk.tape();
    await talk.say(`${round('$ sleep 1')}`);
    await tape.untilType('agent.tool_use');
    await talk.say('= Read after all.');
    await tape.untilIdle();
    expect(stopReasonOf(tape.events)).toBe('budget_reached');
    const session = await update(talk, null);
    expect(session.budget).toBeNull();
    const events = await tape.untilIdle(2);
    expect(ofType(events, 'session.updated')[0]).toMatchObject({ budget: null });
    expect(JSON.stringify(ofType(events, 'agent.message'))).toContain('Read after all.');
  });
});

describe('a budget is refused', () => {
  it.each(['0', '05', '1.5', '-3', ''])('with the amount %j', async (amount) => {
    await expect(scene.newTalk({ budget: cap(amount) })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('budget.max_list_cost.amount'),
    });
  });

  it('for a model without a list price', async () => {
    const agent = { type: 'agent_with_overrides' as const, id: scene.agentId, model: 'a-model' };
    await expect(scene.newTalk({ agent, budget: cap('100') })).rejects.toMatchObject({
      status: 400,
      error: { error: { details: { error_code: 'model_not_budgetable' } } },
    });
  });

  it('later, where the session was created without one or lost it', async () => {
    const without = await scene.newTalk();
    const refusal = { error: { error: { details: { error_code: 'budget_create_only' } } } };
    await expect(update(without, cap('100'))).rejects.toMatchObject(refusal);
    const removed = await scene.newTalk({ budget: cap('100') });
    await update(removed, null);
    await expect(update(removed, cap('100'))).rejects.toMatchObject(refusal);
  });

  it('at or below what the session has consumed; a lower one above it is not', async () => {
    const talk = await scene.newTalk({ budget: cap('1000') });
    await talk.turn(round('= words'));
    await expect(update(talk, cap('60'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(
        "budget.max_list_cost must be greater than the session's consumed list cost",
      ),
      error: { error: { details: { error_code: 'budget_not_raised' } } },
    });
    expect((await update(talk, cap('61'))).budget).toEqual(cap('61'));
  });
});

describe('list cost', () => {
  it('adds cache reads, both kinds of cache writes and searches, rounded to the cent', async () => {
    const talk = await scene.newTalk();
    const tokens = 'input=1000 output=2000 cache_read=100000 cache_5m=10000 cache_1h=5000';
    const events = await talk.turn(`# usage ${tokens}\n# searches 3\n= found`);
    // 0.003 + 0.030 + 0.030 + 0.0375 + 0.030 dollars of tokens, and three cents of searches.
    expect(costOf(events)).toBe('16');
    const [usage] = ofType(events, 'session.usage');
    expect(usage?.usage).toMatchObject({
      input_tokens: 1000,
      output_tokens: 2000,
      cache_read_input_tokens: 100_000,
      cache_creation: { ephemeral_5m_input_tokens: 10_000, ephemeral_1h_input_tokens: 5000 },
      server_tool_use: { web_search_requests: 3, web_fetch_requests: 0 },
    });
    const [thread] = (await talk.client.beta.sessions.threads.list(talk.id)).data;
    expect(thread!.usage?.list_cost).toEqual({ amount: '16', currency: 'USD' });
  });

  it('is unknown once a model without a price was used', async () => {
    const agent = { type: 'agent_with_overrides' as const, id: scene.agentId, model: 'a-model' };
    const talk = await scene.newTalk({ agent });
    const events = await talk.turn('= free');
    expect(costOf(events)).toBeUndefined();
    expect((await talk.client.beta.sessions.retrieve(talk.id)).usage.list_cost).toBeNull();
  });
});
