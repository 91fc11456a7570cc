// Children that do not answer: there are never two of a kind on a data directory, and nobody waits
// for an answer longer than was said. The children are real processes that do nothing; whether one
// "serves" is up to the test.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDataDirectory, StartError } from '../../../main/data-directory.ts';
import type { DataDirectory } from '../../../main/data-directory.ts';
import { isOurs } from '../../../main/process-identity.ts';
import { Supervisor } from '../../../main/supervisor.ts';
import type { ChildSpec } from '../../../main/supervisor.ts';

const NEVER = new Promise<never>(() => {});

let base: string;
let directory: DataDirectory;
let supervisor: Supervisor;
let earlier: ChildProcess | null;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-supervisor-'));
  directory = openDataDirectory(join(base, 'data'));
  supervisor = new Supervisor(directory, pino({ level: 'silent' }));
  earlier = null;
});
afterEach(async () => {
  await supervisor.stop();
  earlier?.kill('SIGKILL');
  directory.release();
  rmSync(base, { recursive: true, force: true });
});

/** A child that belongs to this test alone; its last argument tells it from any other process. */
function childSpec(ready: () => Promise<void>): ChildSpec {
  const command = ['/bin/sh', '-c', 'while :; do sleep 0.1; done', base];
  const times = { stopSignal: 'SIGTERM', readyTimeoutMs: 700 } as const;
  return { name: 'child', title: 'The child', command, ready, ...times };
}

/** What a killed server leaves: its child, and the record of it. */
async function leaveRunning(
  command: readonly string[],
  recorded: readonly string[],
): Promise<number> {
  const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore' });
  earlier = child;
  await once(child, 'spawn');
  const pid = child.pid!;
  directory.runtime.change((record) => {
    record.children.child = { command: [...recorded], pid };
  });
  return pid;
}

it('a child of an earlier run that does not answer ends before another starts', async () => {
  let aliveAtAnswer = true;
  const spec = childSpec(async () => {
    const { pid } = directory.runtime.current.children.child!;
    if (pid === old) return NEVER;
    aliveAtAnswer = isOurs(old, spec.command);
  });
  const old: number = await leaveRunning(spec.command, spec.command);
  await supervisor.start(spec);
  expect(aliveAtAnswer).toBe(false);
  expect(supervisor.state('child')).toBe('ok');
  expect(directory.runtime.current.children.child!.pid).not.toBe(old);
});

it('a stranger with the recorded pid is left alone', async () => {
  const stranger = ['/bin/sh', '-c', 'while :; do sleep 0.1; done', `${base}/stranger`];
  const spec = childSpec(async () => {});
  const pid = await leaveRunning(stranger, spec.command);
  await supervisor.start(spec);
  expect(isOurs(pid, stranger)).toBe(true);
});

it('a child that never answers fails the start in its time, and is ended', async () => {
  const spec = childSpec(() => NEVER);
  await expect(supervisor.start(spec)).rejects.toThrow(/The child does not answer/);
  expect(isOurs(directory.runtime.current.children.child!.pid!, spec.command)).toBe(false);
});

it('a stop does not wait for an answer that does not come', async () => {
  const asked = Promise.withResolvers<void>();
  const spec = { ...childSpec(() => (asked.resolve(), NEVER)), readyTimeoutMs: 600_000 };
  const starting = supervisor.start(spec);
  const failed = expect(starting).rejects.toThrow(StartError);
  await asked.promise;
  await supervisor.stop();
  await failed;
});
