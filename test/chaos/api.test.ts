// An API process killed between commit and signal, and in the middle of a stream. What was accepted
// is never lost and never doubled, and a reader goes on where it was.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { diceOf } from './dice.ts';
import { Fleet } from './fleet.ts';
import type { Program } from './program.ts';
import { after, prove } from './proof.ts';
import { Stage } from './stage.ts';
import { longCommand, shortCommands, talkative } from './stories.ts';

let fleet: Fleet;
let api: Program;
let stage: Stage;

beforeAll(async () => {
  fleet = await Fleet.start();
  [api] = fleet.apis;
  stage = await Stage.open(fleet.place);
});

// After a failed test the next one finds an API as well.
beforeEach(async () => {
  if (!api.isRunning) await api.start();
});

afterAll(async () => {
  await fleet?.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe.each(numbers(byDepth(3, 8)))('between commit and signal, kill %i', (number) => {
  it("the message is not lost, and the SDK's retry of it makes no second turn", async () => {
    const dice = diceOf(`api between commit and signal ${number}`);
    const stories = [longCommand(1), shortCommands, talkative];
    for (const story of stories) await stage.reference(story);
    await prove(stage, {
      what: 'api',
      stories,
      async prepare() {
        await api.end('SIGTERM');
        await api.start({ HOLDFAST_TEST_PAUSE_AT: 'events-accepted' });
      },
      async moment() {
        await api.pausedAt('events-accepted', stories.length);
        const delayMs = dice.between(0, 700);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        return `between commit and signal, ${delayMs} ms`;
      },
      kill: () => api.end('SIGKILL'),
      recover: () => api.start(),
    });
  });
});

it('a client that never asks again has its message answered all the same', async () => {
  await prove(stage, {
    what: 'api',
    stories: [longCommand(1)],
    isSentOnce: true,
    async prepare() {
      await api.end('SIGTERM');
      await api.start({ HOLDFAST_TEST_PAUSE_AT: 'events-accepted' });
    },
    async moment() {
      await api.pausedAt('events-accepted', 1);
      return 'between commit and signal, no retry';
    },
    kill: () => api.end('SIGKILL'),
    recover: () => api.start(),
  });
});

describe.each(numbers(byDepth(3, 8)))('during a stream, kill %i', (number) => {
  it('readers resume by Last-Event-ID at another API: no gap, no duplicate', async () => {
    const dice = diceOf(`api during a stream ${number}`);
    await prove(stage, {
      what: 'api',
      stories: [talkative, shortCommands, shortCommands],
      async moment(cast) {
        const delayMs = dice.between(0, 1_500);
        const when = await after(cast, { type: 'session.status_running', count: 1, delayMs });
        return `during streams, ${when}`;
      },
      kill: () => api.end('SIGKILL'),
      recover: () => api.start(),
      async afterwards(cast) {
        for (const { reader } of cast) expect(reader.opened).toBeGreaterThan(1);
      },
    });
  });
});
