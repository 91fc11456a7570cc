// What runs beside the server, killed under it: PostgreSQL and Temporal. The server stays, waits
// for the supervisor to bring them back, and goes on; nothing it had acknowledged is gone.

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { diceOf } from './dice.ts';
import { after, prove } from './proof.ts';
import { greetings, longCommand, parallelCalls, shortCommands, talkative } from './stories.ts';
import { killBeside, startWholeServer, untilHealthy, type WholeServer } from './whole-server.ts';

let whole: WholeServer;

beforeAll(async () => {
  whole = await startWholeServer();
});

afterAll(async () => {
  await whole?.server.close();
});

const BESIDE = [
  { name: 'postgres', what: 'PostgreSQL' },
  { name: 'temporal', what: 'Temporal' },
] as const;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe.each(BESIDE)('$what', ({ name, what }) => {
  it.each(numbers(byDepth(3, 8)))('comes back, and every turn ends, kill %i', async (number) => {
    const dice = diceOf(`${what} ${number}`);
    await prove(whole.stage, {
      what,
      stories: [talkative, shortCommands, parallelCalls, longCommand(2)],
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 2_000) }),
      async kill() {
        killBeside(whole.server, name);
      },
      recover: () => untilHealthy(whole.server),
      may: { cutRequests: 1 },
    });
  });
});

describe('PostgreSQL while messages are sent', () => {
  it.each(numbers(byDepth(2, 6)))('each of them is there once, kill %i', async (number) => {
    const dice = diceOf(`PostgreSQL while messages are sent ${number}`);
    await prove(whole.stage, {
      what: 'PostgreSQL',
      stories: greetings,
      async moment() {
        const delayMs = dice.between(0, 25);
        await pause(delayMs);
        return `${delayMs} ms after the first of ${greetings.length} sends`;
      },
      async kill() {
        killBeside(whole.server, 'postgres');
      },
      recover: () => untilHealthy(whole.server),
      may: { cutRequests: 1 },
    });
  });
});
