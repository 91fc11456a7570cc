// A worker that stands still, as on a machine that swaps or is moved, while Temporal gives its
// model call to another one: both finish it, and the log has the reply once. It takes minutes,
// because the open polls of the frozen one swallow attempts as well.

import { afterEach, expect, it } from 'vitest';
import { Fleet } from '../chaos/fleet.ts';
import { type Performance, Stage, type Story } from '../chaos/stage.ts';
import { ofType, type StreamEvent } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';

/** longer than the silence after which Temporal gives a model call to another worker */
const REQUEST_MS = 9000;

let fleet: Fleet | undefined;

afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
});

/** Freezes the worker in the story's last turn, until another one has begun the same request. */
async function freeze(fleet: Fleet, story: Story): Promise<Performance> {
  const [frozen, other] = fleet.workers;
  // Its window is 200,000 tokens: 160,000 are too many to go on with.
  const stage = await Stage.open(fleet.place, { agent: { model: 'claude-haiku-4-5' } });
  const [talk] = await stage.cast([story]);
  const last = story.turns.length - 1;
  for (let turn = 0; turn < last; turn += 1) {
    await talk!.say(turn);
    await talk!.idle(turn + 1);
  }
  await talk!.say(last);
  await talk!.has('span.model_request_start', last + 1);
  process.kill(frozen.pid, 'SIGSTOP');
  await other.start({ HOLDFAST_WORKER_ROLES: 'workflows' });
  await talk!.has('span.model_request_start', last + 2);
  process.kill(frozen.pid, 'SIGCONT');
  await talk!.idle(last + 1);
  return talk!;
}

/** The log when every request in it has its end. */
async function settled(talk: Performance): Promise<StreamEvent[]> {
  const history = async () => (await talk.history()) as unknown as StreamEvent[];
  await until('every request has its end', async () => {
    const log = await history();
    return (
      ofType(log, 'span.model_request_end').length ===
      ofType(log, 'span.model_request_start').length
    );
  });
  return history();
}

it('a worker that froze and thawed adds nothing twice, and every request has its end', async () => {
  fleet = await Fleet.start();
  const turns = [`# wait ${REQUEST_MS}\n= Once.`];
  const talk = await freeze(fleet, { name: 'frozen', turns });
  expect(ofType(await settled(talk), 'agent.message')).toHaveLength(1);
  await talk.close();
});

it('one that froze while a conversation was compacted compacts nothing twice', async () => {
  fleet = await Fleet.start({ modelDelayMs: REQUEST_MS });
  const turns = ['# usage input=170000 output=100\n= First.', '= Second.'];
  const talk = await freeze(fleet, { name: 'frozen', turns });
  const log = await settled(talk);
  expect(ofType(log, 'agent.thread_context_compacted')).toHaveLength(1);
  expect(ofType(log, 'agent.message')).toHaveLength(2);
  // The first reply, two requests for one summary, and the second reply.
  expect(ofType(log, 'span.model_request_end')).toHaveLength(4);
  await talk.close();
});
