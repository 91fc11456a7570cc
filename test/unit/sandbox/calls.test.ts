// Which calls are sent: the decision between journal, machine and runner, with a real journal. What
// a runner does with them is test/conformance/tools.test.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CallJournal } from '../../../sandbox/call-journal.ts';
import { Calls } from '../../../sandbox/calls.ts';
import type { HostFrame } from '../../../sandbox/runner/frames.ts';

const STARTED_AT = 1_000_000;
const call = { callId: 'sevt_1', tool: 'bash', input: { command: 'true' } } as const;

let directory: string;
let sent: HostFrame[];
let calls: Calls;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-calls-'));
  sent = [];
  calls = new Calls({
    journal: new CallJournal(join(directory, 'calls.jsonl')),
    ensureReady: async () => {},
    readyBoot: () => 'boot',
    send: (frame) => sent.push(frame) > 0,
    onIdle: () => {},
    onStuck: () => {},
    cancelGraceMs: 1000,
    machineStartedAt: STARTED_AT,
  });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('a call from before the machine was started, and not journaled, may have run', async () => {
  const outcome = await calls.run(call, { askedAt: STARTED_AT - 1 }, null);
  expect(outcome).toMatchObject({ status: 'lost' });
  expect(sent).toEqual([]);
});

test('a call asked for since then is sent', async () => {
  const running = calls.run(call, { askedAt: STARTED_AT + 1, waitMs: 1 }, null);
  expect(await running).toEqual({ status: 'running' });
  expect(sent).toMatchObject([{ type: 'call', callId: call.callId }]);
  expect(sent[0]).not.toHaveProperty('askedAt');
});
