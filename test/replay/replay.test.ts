// Will running sessions survive this change? Histories recorded from the real server are played back
// through today's workflow code, without a server. A failure names the first event that today's code
// would have done otherwise.

import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from '@temporalio/worker';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { beforeAll, expect, test } from 'vitest';
import { workflowBundle } from '../../main/workflow-bundle.ts';

const HISTORIES = new URL('../histories/', import.meta.url);
const names = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

let bundle: Awaited<ReturnType<typeof workflowBundle>>;
beforeAll(async () => {
  bundle = await workflowBundle();
});

test('there is a recorded history for every path of a session', () => {
  const paths = names.map((name) => name.replace(/(-\d+)?\.json$/, ''));
  expect([...new Set(paths)].toSorted()).toEqual([
    'archived',
    'continue-as-new',
    'interrupt',
    'long-tool',
    'model-failed',
    'plain-turn',
    'short-tools',
    'steering',
  ]);
});

test.each(names)('today’s workflow code replays %s', async (name) => {
  const history = historyFromJSON(JSON.parse(readFileSync(new URL(name, HISTORIES), 'utf8')));
  await expect(
    Worker.runReplayHistory({ workflowBundle: bundle }, history),
  ).resolves.toBeUndefined();
});
