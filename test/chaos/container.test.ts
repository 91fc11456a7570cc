// A container killed in the middle of a command: the one case in which a result may say that the
// command may have run. Its files are kept, the turn goes on in a new life of the container.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { docker } from '../helpers/sandbox.ts';
import { diceOf } from './dice.ts';
import { after, prove } from './proof.ts';
import { longCommand } from './stories.ts';
import { startWholeServer, type WholeServer } from './whole-server.ts';

let whole: WholeServer;

beforeAll(async () => {
  whole = await startWholeServer();
});

afterAll(async () => {
  await whole?.server.close();
});

it('the model is told, the command is not run again, the files are there', async () => {
  const command = longCommand(5);
  await whole.stage.reference(command);
  const numbers = Array.from({ length: byDepth(4, 10) }, (_, index) => index + 1);
  const traces = await Promise.all(
    numbers.map(async (number) => {
      const dice = diceOf(`container ${number}`);
      return prove(whole.stage, {
        what: 'the container',
        stories: [command],
        async moment(cast) {
          await untilLine(cast[0]!.sessionId);
          const delayMs = dice.between(0, 3_000);
          const when = await after(cast, { type: 'agent.tool_use', count: 1, delayMs });
          return `in a command, ${when}`;
        },
        kill: (cast) => docker('kill', `holdfast-${cast[0]!.sessionId}`),
        may: { lostCalls: 1 },
      });
    }),
  );
  expect(traces.flat().map(({ lostCalls }) => lostCalls)).toEqual(numbers.map(() => 1));
});

/** Resolves when the command has written its line. */
async function untilLine(sessionId: string): Promise<void> {
  for (;;) {
    const file = await docker('exec', `holdfast-${sessionId}`, 'cat', '/workspace/f').catch(
      () => '',
    );
    if (file === 'x') return;
  }
}
