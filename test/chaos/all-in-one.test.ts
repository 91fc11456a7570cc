// The whole server in one process, killed while commands run in its containers: it comes back by
// itself, the commands have gone on meanwhile, and nothing of the history shows that it was away.

import { afterAll, beforeAll, describe, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { diceOf } from './dice.ts';
import { after, prove } from './proof.ts';
import { longCommand, parallelCalls, shortCommands, talkative } from './stories.ts';
import { killBeside, startWholeServer, type WholeServer } from './whole-server.ts';

let whole: WholeServer;

beforeAll(async () => {
  whole = await startWholeServer();
});

afterAll(async () => {
  await whole?.server.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const killed = {
  kill: () => whole.server.end('SIGKILL'),
  recover: () => whole.server.start(),
  may: { cutRequests: 1 },
};

describe.each(numbers(byDepth(2, 10)))('the all-in-one, kill %i', (number) => {
  it('a command that runs goes on, and ran once', async () => {
    const dice = diceOf(`all-in-one in a command ${number}`);
    const command = longCommand(5);
    await prove(whole.stage, {
      what: 'all-in-one',
      stories: [command, command],
      async moment(cast) {
        const delayMs = dice.between(600, 4_500);
        return `in a command, ${await after(cast, { type: 'agent.tool_use', count: 1, delayMs })}`;
      },
      ...killed,
    });
  });

  it('whatever it was doing is done once', async () => {
    const dice = diceOf(`all-in-one anywhere ${number}`);
    await prove(whole.stage, {
      what: 'all-in-one',
      stories: [talkative, shortCommands, parallelCalls],
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 1_800) }),
      ...killed,
    });
  });
});

describe.each(numbers(byDepth(1, 5)))('everything at once, kill %i', (number) => {
  it('the server, its database and its engine come back with what was committed', async () => {
    const dice = diceOf(`everything ${number}`);
    await prove(whole.stage, {
      what: 'all-in-one, PostgreSQL, Temporal',
      stories: [talkative, shortCommands, longCommand(2)],
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 1_800) }),
      async kill() {
        killBeside(whole.server, 'postgres');
        killBeside(whole.server, 'temporal');
        await whole.server.end('SIGKILL');
      },
      recover: () => whole.server.start(),
      may: { cutRequests: 1 },
    });
  });
});
