// A worker that stands still, as on a machine that swaps or is moved, while Temporal gives its
// model call to another one: both finish it, and the log has the reply once. It takes minutes,
// because the open polls of the frozen one swallow attempts as well.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from '../chaos/fleet.ts';
import { Stage } from '../chaos/stage.ts';
import { ofType } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';

let fleet: Fleet;
let stage: Stage;

beforeAll(async () => {
  fleet = await Fleet.start();
  stage = await Stage.open(fleet.place);
});

afterAll(async () => {
  await fleet?.close();
});

it('a worker that froze and thawed adds nothing twice, and every request has its end', async () => {
  const [frozen, other] = fleet.workers;
  const [talk] = await stage.cast([{ name: 'frozen', turns: ['# wait 9000\n= Once.'] }]);
  await talk!.say(0);
  await talk!.has('span.model_request_start', 1);
  process.kill(frozen.pid, 'SIGSTOP');
  await other.start({ HOLDFAST_WORKER_ROLES: 'workflows' });
  await talk!.has('span.model_request_start', 2);
  process.kill(frozen.pid, 'SIGCONT');
  await talk!.idle(1);
  await until('both requests have their end', async () => {
    const log = (await talk!.history()) as never;
    return (
      ofType(log, 'span.model_request_end').length ===
      ofType(log, 'span.model_request_start').length
    );
  });
  expect(ofType((await talk!.history()) as never, 'agent.message')).toHaveLength(1);
  await talk!.close();
});
