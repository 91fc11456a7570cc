// Two workers over one database and one Temporal, of which one dies: what it had in hand is taken
// over, by the other one where no container is needed, by its successor where one is.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { docker } from '../helpers/sandbox.ts';
import { ofType } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';
import { diceOf } from './dice.ts';
import { Fleet } from './fleet.ts';
import { after, prove } from './proof.ts';
import { Stage } from './stage.ts';
import { longCommand, parallelCalls, shortCommands, talkative } from './stories.ts';

let fleet: Fleet;
let stage: Stage;

const WORKFLOWS_ONLY = { HOLDFAST_WORKER_ROLES: 'workflows' };
const stories = [talkative, talkative, shortCommands, shortCommands, parallelCalls, longCommand(2)];

beforeAll(async () => {
  fleet = await Fleet.start();
  stage = await Stage.open(fleet.place);
  await Promise.all(stories.map((story) => stage.reference(story)));
});

afterAll(async () => {
  await fleet?.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe.each(numbers(byDepth(2, 6)))('a worker without sandboxes, kill %i', (number) => {
  it('the other one ends its turns', async () => {
    const dice = diceOf(`a worker for workflows ${number}`);
    const second = fleet.workers[1];
    await second.end('SIGTERM');
    await second.start(WORKFLOWS_ONLY);
    await prove(stage, {
      what: 'one of two workers, for good',
      stories,
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 1_500) }),
      kill: () => second.end('SIGKILL'),
      may: { cutRequests: 1 },
    });
  });
});

describe.each(numbers(byDepth(2, 6)))('a worker with sandboxes, kill %i', (number) => {
  it('its successor finds the containers', async () => {
    const dice = diceOf(`a worker with sandboxes ${number}`);
    const second = fleet.workers[1];
    await second.end('SIGTERM');
    await second.start();
    await prove(stage, {
      what: 'one of two workers',
      stories,
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 1_500) }),
      kill: () => second.end('SIGKILL'),
      recover: () => second.start(),
      may: { cutRequests: 1 },
    });
  });
});

it.each([
  ['without sandboxes', WORKFLOWS_ONLY],
  ['with sandboxes of its own', {}],
])('an interrupt taken by a worker %s reaches a command whose machine was dead', async (_, as) => {
  const [machine, other] = fleet.workers;
  await other.end('SIGTERM');
  const [talk] = await stage.cast([{ name: 'interrupted', turns: ['$ sleep 600', '$ echo next'] }]);
  const isRunning = () =>
    docker('exec', `holdfast-${talk!.sessionId}`, 'pgrep', '-f', 'sleep 600').then(
      () => true,
      () => false,
    );
  await talk!.say(0);
  await until('the command runs', isRunning);
  await other.start(as);
  await machine.end('SIGKILL');
  const { events } = stage.client.beta.sessions;
  await events.send(talk!.sessionId, { events: [{ type: 'user.interrupt' }] });
  await talk!.idle(1);
  expect(await isRunning()).toBe(true);
  await machine.start();
  await until('the command is gone', async () => !(await isRunning()));
  await talk!.say(1);
  await talk!.idle(2);
  const results = ofType((await talk!.history()) as never, 'agent.tool_result');
  expect(results).toMatchObject([{ is_error: true }, { is_error: false }]);
  await talk!.close();
});
