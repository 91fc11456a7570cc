// Will running sessions survive this change? Histories recorded from the real server are played
// back through today's workflow code, without a server. A failure names the first event that
// today's code would have done otherwise.

import { readdirSync } from 'node:fs';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import { workflowBundle } from '../../main/workflow-bundle.ts';
import { readHistory } from './history-file.ts';

const HISTORIES = new URL('../histories/', import.meta.url);
const names = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

// The start and stop of each replay's worker is nobody's news.
Runtime.install({ logger: new DefaultLogger('WARN') });

let bundle: Awaited<ReturnType<typeof workflowBundle>>;
beforeAll(async () => {
  bundle = await workflowBundle();
});

test('there is a recorded history for every path of a session', () => {
  const paths = names.map((name) => name.replace(/(-\d+)?\.json$/, ''));
  expect([...new Set(paths)].toSorted()).toEqual([
    'archived',
    'budget',
    'compacted',
    'continue-as-new',
    'interrupt',
    'long-tool',
    'model-failed',
    'plain-turn',
    'server-tool',
    'short-tools',
    'steering',
    'waiting',
    'waiting-interrupted',
  ]);
});

test.each(names)('today’s workflow code replays %s', async (name) => {
  const history = readHistory(new URL(name, HISTORIES));
  await expect(
    Worker.runReplayHistory({ workflowBundle: bundle }, history),
  ).resolves.toBeUndefined();
});
