// A machine that never comes back, with the containers on it: its sessions go on elsewhere, and the
// model is told that the command may have run and that files are gone. It takes minutes, because a
// machine counts as lost only after it has not been heard of for two.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { volumeNames } from '../../sandbox/container-settings.ts';
import { Fleet } from '../chaos/fleet.ts';
import { after, prove } from '../chaos/proof.ts';
import { Stage, type Story } from '../chaos/stage.ts';
import { docker } from '../helpers/sandbox.ts';

let fleet: Fleet;
let stage: Stage;

const story: Story = {
  name: 'a command on a machine that is lost',
  turns: ['$ echo first', '$ sleep 10; echo never\n$ ls; echo here'],
};

beforeAll(async () => {
  fleet = await Fleet.start();
  stage = await Stage.open(fleet.place);
  await stage.reference(story);
});

afterAll(async () => {
  await fleet?.close();
});

test('its sessions go on at another machine, and the model is told', async () => {
  const [survivor, lost] = fleet.workers;
  await survivor.end('SIGTERM');
  await lost.start();
  const traces = await prove(stage, {
    what: 'a machine, for good',
    stories: [story, story],
    calmTurns: 1,
    async prepare() {
      await survivor.start();
    },
    async moment(cast) {
      const when = await after(cast, { type: 'agent.tool_use', count: 2, delayMs: 1_000 });
      return `in a command, ${when}`;
    },
    async kill(cast) {
      await lost.end('SIGKILL');
      for (const { sessionId } of cast) {
        await docker('rm', '--force', '--volumes', `holdfast-${sessionId}`);
        await docker('volume', 'rm', '--force', ...volumeNames(sessionId));
      }
    },
    may: { lostCalls: 1 },
  });
  expect(traces.map(({ lostCalls }) => lostCalls)).toEqual([1, 1]);
});
