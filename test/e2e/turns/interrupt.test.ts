// Interrupting: the turn ends at once with end_turn, what ran is gone, what waited runs next. docs:
// managed-agents/events-and-streaming; behaviour 6.7.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { message, ofType, resultsOf, Scene, stopReasonOf, typesOf } from '../../helpers/scene.ts';
import { docker } from '../../helpers/sandbox.ts';
import { until } from '../../helpers/until.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open(inject('server'));
});

afterAll(async () => {
  await scene.close();
});

describe('an interrupt', () => {
  it('of a command ends the turn, leaves no process, and the next message works', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('$ echo begun > /workspace/begun; sleep 600\n= Stopped, then.');
    const isRunning = () =>
      docker('exec', `holdfast-${talk.id}`, 'pgrep', '-f', 'sleep 600').then(
        () => true,
        () => false,
      );
    await until('the command runs in the container', isRunning);
    await talk.interrupt();
    const events = await tape.untilIdle();
    expect(await isRunning()).toBe(false);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(ofType(events, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
    expect(typesOf(events)).toContain('user.interrupt');
    const next = await talk.turn('$ cat /workspace/begun; pgrep -f "sleep 600" || echo none');
    expect(resultsOf(next)).toEqual(['begun\nnone']);
    expect(stopReasonOf(next)).toBe('end_turn');
  });

  it('closes every pending call of the round, each with one error result', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('$& sleep 600\n$& sleep 600\n$& sleep 600');
    await tape.untilType('agent.tool_use', 3);
    await talk.interrupt();
    const events = await tape.untilIdle();
    const uses = ofType(events, 'agent.tool_use').map(({ id }) => id);
    const results = ofType(events, 'agent.tool_result');
    expect(results.map((result) => result.tool_use_id).toSorted()).toEqual(uses.toSorted());
    expect(results.every((result) => result.is_error)).toBe(true);
    expect(typesOf(events).slice(-3)).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
  });

  it('of a model stream ends it: the span is closed, the message never comes', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape({ event_deltas: ['agent.message'] });
    await talk.say('# tokens 50000 5');
    await tape.untilType('event_delta');
    await talk.interrupt();
    const events = await tape.untilIdle();
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(typesOf(events)).not.toContain('agent.message');
    const [start] = ofType(events, 'span.model_request_start');
    expect(ofType(events, 'span.model_request_end')).toMatchObject([
      { model_request_start_id: start!.id },
    ]);
    const next = await talk.turn('= Listening.');
    expect(typesOf(next)).toContain('agent.message');
  });

  it('goes before messages that wait, and they make the next turn', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    await talk.say('= I waited.');
    await talk.interrupt();
    const events = await tape.untilIdle(2);
    const idles = events.flatMap((event, index) =>
      event.type === 'session.status_idle' ? [index] : [],
    );
    expect(typesOf(events.slice(0, idles[0]))).not.toContain('agent.message');
    expect(typesOf(events.slice(idles[0]))).toContain('agent.message');
  });

  it('and a message in one request end this turn and begin the next', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    await scene.client.beta.sessions.events.send(talk.id, {
      events: [{ type: 'user.interrupt' }, message('= Redirected.')],
    });
    const events = await tape.untilIdle(2);
    expect(ofType(events, 'agent.message')).toHaveLength(1);
    expect(ofType(events, 'session.status_running')).toHaveLength(2);
  });

  it('is stamped when it is applied', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    await talk.interrupt();
    await tape.untilIdle();
    const [interrupt] = await talk.history({ types: ['user.interrupt'] });
    expect(Date.parse(interrupt!.processed_at!)).not.toBeNaN();
  });

  it('of an idle session does nothing but stand in the history', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= Hello.');
    await talk.interrupt();
    expect(await talk.status()).toBe('idle');
    const events = await talk.turn('= Hello again.');
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(typesOf(events)).toContain('agent.message');
    const history = await talk.history();
    expect(ofType(history as never, 'user.interrupt')).toHaveLength(1);
    expect(ofType(history as never, 'session.status_idle')).toHaveLength(
      ofType(history as never, 'session.status_running').length,
    );
  });

  it('of a session that never ran does nothing either', async () => {
    const talk = await scene.newTalk();
    await talk.interrupt();
    expect(await talk.status()).toBe('idle');
    expect(stopReasonOf(await talk.turn('= First.'))).toBe('end_turn');
  });

  it('while rescheduling ends the waiting', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# fail 529 1 600');
    await tape.untilType('session.status_rescheduled');
    expect(await talk.status()).toBe('rescheduling');
    await talk.interrupt();
    const events = await tape.untilIdle();
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(stopReasonOf(await talk.turn('= Better.'))).toBe('end_turn');
  });

  it('may name the primary thread, and no other', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    const [thread] = (await scene.client.beta.sessions.threads.list(talk.id)).data;
    const send = (session_thread_id: string) =>
      scene.client.beta.sessions.events.send(talk.id, {
        events: [{ type: 'user.interrupt', session_thread_id }],
      });
    const other = thread!.id.slice(0, -1) + (thread!.id.endsWith('1') ? '2' : '1');
    await expect(send(other)).rejects.toMatchObject({ status: 400 });
    await send(thread!.id);
    expect(stopReasonOf(await tape.untilIdle())).toBe('end_turn');
  });

  it('sent twice leaves one idle', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# wait 600000');
    await tape.untilType('span.model_request_start');
    await Promise.all([talk.interrupt(), talk.interrupt()]);
    await tape.untilIdle();
    const next = await talk.turn('= Once.');
    expect(ofType(next, 'session.status_idle')).toHaveLength(1);
    expect(typesOf(next)).toContain('agent.message');
  });
});
