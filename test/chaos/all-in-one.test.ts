// The whole server in one process, killed while commands run in its containers: it comes back by
// itself, the commands have gone on meanwhile, and nothing of the history shows that it was away.

import { afterAll, beforeAll, describe, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { startServer, type TestServer } from '../helpers/server.ts';
import { diceOf } from './dice.ts';
import { freePort } from './program.ts';
import { after, prove } from './proof.ts';
import { Stage } from './stage.ts';
import { longCommand, parallelCalls, shortCommands, talkative } from './stories.ts';

let server: TestServer;
let stage: Stage;

beforeAll(async () => {
  server = await startServer({
    HOLDFAST_PORT: String(await freePort()),
    HOLDFAST_SCRIPTED_DELAY_MS: '20',
  });
  stage = await Stage.open({ urls: [server.url], apiKey: server.apiKey });
});

afterAll(async () => {
  await server.close();
});

const killed = {
  kill: () => server.end('SIGKILL'),
  recover: () => server.start(),
  may: { cutRequests: 1 },
};

const KILLS = byDepth(3, 10);

describe.each(Array.from({ length: KILLS }, (_, index) => index + 1))('kill %i', (number) => {
  it('a command that runs goes on, and ran once', async () => {
    const dice = diceOf(`all-in-one in a command ${number}`);
    const command = longCommand(5);
    await prove(stage, {
      what: 'all-in-one',
      stories: [command, command],
      moment: (cast) =>
        after(cast, { type: 'agent.tool_use', count: 1, delayMs: dice.between(300, 4_500) }),
      ...killed,
    });
  });

  it('whatever it was doing is done once', async () => {
    const dice = diceOf(`all-in-one anywhere ${number}`);
    await prove(stage, {
      what: 'all-in-one',
      stories: [talkative, shortCommands, parallelCalls],
      moment: (cast) =>
        after(cast, { type: 'session.status_running', count: 1, delayMs: dice.between(0, 1_800) }),
      ...killed,
    });
  });
});
