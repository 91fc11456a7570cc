// A hundred sessions at once, ten rounds each, on whatever machine this is: all of them end, none
// is lost or stuck. How fast is the bench's matter.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Scene } from '../helpers/scene.ts';
import { startServer, type TestServer } from '../helpers/server.ts';

const SESSIONS = 100;
const ROUNDS = 10;

let server: TestServer;
let scene: Scene;
beforeAll(async () => {
  server = await startServer();
  scene = await Scene.open(server);
});
afterAll(async () => {
  await scene?.close();
  await server?.close();
});

test('a hundred sessions of ten rounds each, begun at once, all reach end_turn', async () => {
  const program = Array.from({ length: ROUNDS }, (_, index) => `$ echo ${index}`).join('\n');
  const ends = Array.from({ length: SESSIONS }, async () => {
    const talk = await scene.newTalk();
    const stream = await talk.client.beta.sessions.events.stream(talk.id);
    await talk.say(program);
    for await (const event of stream) {
      if (event.type === 'session.status_idle') break;
    }
    const history = await talk.history();
    return {
      stop: history.findLast((event) => event.type === 'session.status_idle')?.stop_reason.type,
      results: history.filter((event) => event.type === 'agent.tool_result').length,
    };
  });
  const all = await Promise.all(ends);
  expect(all).toEqual(
    Array.from({ length: SESSIONS }, () => ({ stop: 'end_turn', results: ROUNDS })),
  );
});
