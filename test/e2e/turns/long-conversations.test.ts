// Conversations that outgrow their model: compaction before the window is full and after it was,
// its limit, and the limits of rounds. docs: managed-agents/events-and-streaming; sdk 1.11.0:
// AgentThreadContextCompactedEvent, CompactionLimitReachedErrorObject,
// ToolUseLimitReachedErrorObject.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ofType, resultsOf, Scene, stopReasonOf, textOf, typesOf } from '../../helpers/scene.ts';

let scene: Scene;

beforeAll(async () => {
  // Its window is 200,000 tokens: 160,000 are too many to go on with.
  scene = await Scene.open(inject('server'), { agent: { model: 'claude-haiku-4-5' } });
});

afterAll(async () => {
  await scene.close();
});

describe('a conversation that is nearly as long as the window', () => {
  it('is compacted between two rounds and goes on where it was', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn(
      '$ echo one\n# usage input=170000 output=100\n$ echo two\n\n$ echo three\n= All done.',
    );
    expect(ofType(events, 'agent.thread_context_compacted')).toHaveLength(1);
    expect(resultsOf(events)).toEqual(['one', 'two', 'three']);
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toContain('All done.');
    const types = typesOf(events);
    const at = types.indexOf('agent.thread_context_compacted');
    // The request for the summary has a span of its own, after the result of the second command.
    expect(types.slice(at - 3, at + 2)).toEqual([
      'agent.tool_result',
      'span.model_request_start',
      'span.model_request_end',
      'agent.thread_context_compacted',
      'span.model_request_start',
    ]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('is compacted at the beginning of the next turn, and remembers', async () => {
    const talk = await scene.newTalk();
    await talk.turn('# usage input=170000 output=100\n= First.');
    const events = await talk.turn('$ echo second');
    expect(typesOf(events).slice(0, 5)).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'span.model_request_end',
    ]);
    expect(ofType(events, 'agent.thread_context_compacted')).toHaveLength(1);
    expect(resultsOf(events)).toEqual(['second']);
    expect(ofType(events, 'agent.message').map((event) => textOf(event))).not.toContain('First.');
  });
});

describe('a conversation that is longer than the window', () => {
  it('is compacted when the model says so', async () => {
    const talk = await scene.newTalk();
    const print = (chars: number) => `$ head -c ${chars} /dev/zero | tr '\\0' x`;
    const events = await talk.turn(
      ['# window 3000', print(4000), print(9000), '= Fits.'].join('\n'),
    );
    expect(ofType(events, 'agent.thread_context_compacted').length).toBeGreaterThan(0);
    expect(textOf(ofType(events, 'agent.message').at(-1)!)).toContain('Fits.');
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(ofType(events, 'session.error')).toEqual([]);
  });

  it('goes on after a reply that was cut for want of room', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# window-stop\n= Before.\n\n= After.');
    expect(ofType(events, 'agent.thread_context_compacted')).toHaveLength(1);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('ends its turn with an error when compacting does not help', async () => {
    const talk = await scene.newTalk();
    const full = '# usage input=190000 output=10';
    const rounds = [1, 2, 3, 4, 5].map((n) => `${full}\n$ echo ${n}`).join('\n\n');
    const events = await talk.turn(rounds);
    expect(ofType(events, 'session.error').at(-1)?.error).toMatchObject({
      type: 'compaction_limit_reached_error',
      retry_status: { type: 'exhausted' },
    });
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    // A new message starts a new turn.
    expect(stopReasonOf(await talk.turn('= again'))).toBe('end_turn');
  });

  it('is interrupted while it is compacted like any other request', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.turn('# usage input=170000 output=100\n= First.');
    await talk.say('# wait 1\n= Second.');
    await tape.untilType('session.status_running', 2);
    await talk.interrupt();
    expect(stopReasonOf(await tape.untilIdle(2))).toBe('end_turn');
    expect(stopReasonOf(await talk.turn('= Third.'))).toBe('end_turn');
  });
});

describe('a session with a limit of rounds of its own', () => {
  it('ends a turn that reaches it, and can be sent on', async () => {
    const metadata = { 'holdfast.turn_rounds_max': '2' };
    const talk = await scene.newTalk({ metadata });
    const events = await talk.turn('$ echo 1\n$ echo 2\n$ echo 3');
    expect(resultsOf(events)).toEqual(['1', '2']);
    expect(ofType(events, 'session.error').at(-1)?.error).toMatchObject({
      type: 'tool_use_limit_reached_error',
      retry_status: { type: 'exhausted' },
    });
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(resultsOf(await talk.turn('go on'))).toEqual(['3']);
  });

  it.each(['0', 'many', '10001'])('that is %s is refused', async (value) => {
    const metadata = { 'holdfast.turn_rounds_max': value };
    await expect(scene.newTalk({ metadata })).rejects.toMatchObject({ status: 400 });
  });
});
