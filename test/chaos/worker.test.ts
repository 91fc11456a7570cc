// A worker killed at the moments that matter, while the API goes on: in the middle of a model's
// stream, inside a local activity, and at every point between an effect, its commit and the report
// of it. Its successor on the same data directory finds the containers and the commands in them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { typesOf } from '../helpers/scene.ts';
import { diceOf } from './dice.ts';
import { Fleet } from './fleet.ts';
import type { Program } from './program.ts';
import { after, prove } from './proof.ts';
import { type Performance, Stage } from './stage.ts';
import { longCommand, parallelCalls, secondTurn, shortCommands, talkative } from './stories.ts';

let fleet: Fleet;
let worker: Program;
let stage: Stage;

beforeAll(async () => {
  fleet = await Fleet.start();
  [worker] = fleet.workers;
  stage = await Stage.open(fleet.place);
});

afterAll(async () => {
  await fleet?.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** After a failed test the next one finds a worker as well. */
async function recover(): Promise<void> {
  if (!worker.isRunning) await worker.start();
}

const killed = { kill: () => worker.end('SIGKILL'), recover };

describe.each(numbers(byDepth(2, 8)))('in the middle of a model stream, kill %i', (number) => {
  it('the reply comes once, the cut request is closed', async () => {
    await recover();
    const dice = diceOf(`worker in a stream ${number}`);
    let isInside: boolean[] = [];
    await prove(stage, {
      what: 'worker',
      stories: [talkative, talkative],
      async moment(cast) {
        const delayMs = dice.between(50, 800);
        const when = await after(cast, { type: 'span.model_request_start', count: 1, delayMs });
        isInside = cast.map((each) => each.count('span.model_request_end') === 0);
        return `in a model stream, ${when}`;
      },
      ...killed,
      async afterwards() {
        expect(isInside).toEqual([true, true]);
      },
      may: { cutRequests: 1 },
    });
  });
});

describe.each(numbers(byDepth(2, 8)))('inside a local activity, kill %i', (number) => {
  it('the short command ran once', async () => {
    await recover();
    const dice = diceOf(`worker in a local activity ${number}`);
    let isInside = false;
    await prove(stage, {
      what: 'worker',
      stories: [shortCommands, shortCommands, shortCommands],
      async moment(cast) {
        const count = dice.between(2, 6);
        const first = dice.pick(cast);
        const when = await after([first], {
          type: 'agent.tool_use',
          count,
          delayMs: dice.between(5, 120),
        });
        isInside = hasOpenCall(first);
        return `in a local activity, ${when}`;
      },
      ...killed,
      async afterwards() {
        expect(isInside, 'the command was still running').toBe(true);
      },
      may: { cutRequests: 1 },
    });
  });
});

/** The newest thing the reader knows is a call without its result. */
function hasOpenCall(each: Performance): boolean {
  const types = typesOf(each.reader.events.map(({ event }) => event));
  return types.lastIndexOf('agent.tool_use') > types.lastIndexOf('agent.tool_result');
}

const PAUSE_POINTS = [
  { moment: 'model-replied', means: 'between reply and commit', cutRequests: 1 },
  { moment: 'model-committed', means: 'between model commit and completion', cutRequests: 0 },
  { moment: 'tool-ended', means: 'between tool end and commit', cutRequests: 0 },
  { moment: 'tool-committed', means: 'between tool commit and completion', cutRequests: 0 },
] as const;

describe.each(PAUSE_POINTS)('$means', ({ moment, means, cutRequests }) => {
  it.each(numbers(byDepth(2, 6)))('nothing is lost, nothing is done twice, kill %i', async (n) => {
    const dice = diceOf(`worker at ${moment} ${n}`);
    const chosen = [longCommand(1), shortCommands, parallelCalls];
    const isLater = n % 2 === 0;
    const stories = isLater ? chosen.map(secondTurn) : chosen;
    await recover();
    await prove(stage, {
      what: 'worker',
      stories,
      calmTurns: isLater ? 1 : 0,
      async prepare() {
        await worker.end('SIGTERM');
        await worker.start({ HOLDFAST_TEST_PAUSE_AT: moment });
      },
      async moment() {
        await worker.pausedAt(moment, stories.length);
        const delayMs = dice.between(0, 400);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        return `${means}${isLater ? ', second turn' : ''}, ${delayMs} ms`;
      },
      ...killed,
      may: { cutRequests },
    });
  });
});
