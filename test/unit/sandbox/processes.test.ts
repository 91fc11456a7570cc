// Ending a command with everything it started, at whatever moment of its making. Real processes of
// this machine, no container: what is looked for has a name that nothing else has.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, test } from 'vitest';
import { killTree, nowTicks } from '../../../sandbox/runner/processes.ts';
import { pace, until } from '../../helpers/until.ts';

/** As no other command sleeps: it names the processes of this test. */
const SECONDS = `601.${process.pid}`;

let shell: ChildProcess | undefined;

afterEach(() => {
  for (const pid of sleepers()) process.kill(pid, 'SIGKILL');
  shell?.kill('SIGKILL');
});

/** Processes of this test: those on their way to sleep as well. A dead one has no arguments. */
function sleepers(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => argumentsOf(pid).includes(SECONDS)).map(Number);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

async function begin(command: string): Promise<ChildProcess> {
  shell = spawn('/bin/bash', ['--noprofile', '--norc'], { detached: true });
  await once(shell, 'spawn');
  shell.stdin!.write(`${command}\n`);
  return shell;
}

/** A few of them meet a process between its fork, its session and its program. */
const ROUNDS = 40;

test('what leaves the group of its shell ends with it, at whatever moment', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const sinceTicks = nowTicks();
    const bash = await begin(`for i in {1..50}; do setsid sleep ${SECONDS} & done; wait`);
    await pace(round / 2);
    const exit = once(bash, 'exit');
    killTree(bash.pid!, sinceTicks);
    await exit;
    // One that was missed may not have its name yet.
    await pace(20);
    await until(`round ${round} left nothing`, () => sleepers().length === 0, { timeoutMs: 1000 });
  }
});
