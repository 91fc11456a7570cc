// What a sandbox promises when something dies: a call runs once in a container's life, at most once
// across its loss, files stay, and nobody waits for ever.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxHost, SandboxSpec } from '../../../sandbox/sandbox.ts';
import { SandboxGoneError } from '../../../sandbox/sandbox.ts';
import { bash, docker, newCallId, openTestHost, textOf, until } from '../../helpers/sandbox.ts';
import type { TestHost } from '../../helpers/sandbox.ts';

const HOST_PROCESS = fileURLToPath(
  new URL('../../helpers/sandbox-host-process.ts', import.meta.url),
);
const SANDBOX = 'sesn_recovery';
const spec: SandboxSpec = { sandboxId: SANDBOX, network: 'none' };

let test1: TestHost;
let host: SandboxHost;

beforeAll(async () => {
  test1 = await openTestHost();
  host = test1.host;
});
afterAll(() => test1.cleanUp());
afterEach(() => host.release(SANDBOX));

const call = (callId: string, command: string, timeoutMs?: number) => ({
  callId,
  tool: 'bash' as const,
  input: { command, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) },
});

describe('the same call, sent again', () => {
  test('while it runs, it joins the one run', async () => {
    await host.provision(spec);
    const callId = newCallId();
    const command = 'echo once >> ran; sleep 0.5; echo done';
    const first = await host.call(SANDBOX, call(callId, command), { waitMs: 50 });
    expect(first).toEqual({ status: 'running' });
    const [second, third] = await Promise.all([
      host.call(SANDBOX, call(callId, command)),
      host.call(SANDBOX, call(callId, command)),
    ]);
    expect(textOf(second)).toBe('done');
    expect(third).toEqual(second);
    expect(await bash(host, SANDBOX, 'cat ran')).toBe('once');
  });

  test('after it ended, it gets the same outcome until it is acknowledged', async () => {
    await host.provision(spec);
    const callId = newCallId();
    const first = await host.call(SANDBOX, call(callId, 'date +%N >> ran; cat ran'));
    expect(await host.call(SANDBOX, call(callId, 'date +%N >> ran; cat ran'))).toEqual(first);
    host.acknowledge(SANDBOX, callId);
    expect(await bash(host, SANDBOX, 'wc -l < ran')).toBe('1');
  });

  test('after it was acknowledged, it is lost and never runs again', async () => {
    await host.provision(spec);
    const again = call(newCallId(), 'echo once >> ran');
    await host.call(SANDBOX, again);
    host.acknowledge(SANDBOX, again.callId);
    expect(textOf(await host.call(SANDBOX, again))).toMatch(/^lost/);
    // Also in the next life of the container, whose runner knows nothing.
    await docker('kill', `holdfast-${SANDBOX}`);
    await until('the loss is noticed', () => !host.has(SANDBOX));
    expect(textOf(await host.call(SANDBOX, again))).toMatch(/^lost/);
    expect(await bash(host, SANDBOX, 'wc -l < ran')).toBe('1');
    const later = call(newCallId(), 'echo twice >> ran');
    await host.call(SANDBOX, later);
    host.acknowledge(SANDBOX, later.callId);
    await host.close();
    host = await test1.reopen();
    await host.attachAll();
    expect(textOf(await host.call(SANDBOX, later))).toMatch(/^lost/);
    expect(await bash(host, SANDBOX, 'wc -l < ran')).toBe('2');
  });

  test('after a kill -9 of the host process, it joins the run that went on', async () => {
    await host.provision(spec);
    await host.close();
    const callId = newCallId();
    const command = 'echo once >> ran; sleep 2; echo survived; wc -l < ran';
    const args = [HOST_PROCESS, test1.dataDir, test1.hostId, SANDBOX, callId, command];
    for (let kills = 0; kills < 3; kills++) {
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    host = await test1.reopen();
    await host.attachAll();
    expect(textOf(await host.call(SANDBOX, call(callId, command)))).toBe('survived\n1');
  });

  test('after a kill -9 at any moment, it still ran once', async () => {
    await host.provision(spec);
    await host.close();
    for (let round = 0; round < 6; round++) {
      const callId = newCallId();
      const command = `echo ${round} >> ran`;
      const args = [HOST_PROCESS, test1.dataDir, test1.hostId, SANDBOX, callId, command];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      // Around the time at which the process connects, sends and gets its answer.
      setTimeout(() => child.kill('SIGKILL'), 150 + round * 40);
      await once(child, 'exit');
      const next = await test1.reopen();
      await next.attachAll();
      expect(textOf(await next.call(SANDBOX, call(callId, command)))).toBe('(no output)');
      expect(await bash(next, SANDBOX, `grep -c '^${round}$' ran`)).toBe('1');
      await next.close();
    }
    host = await test1.reopen();
  });
});

describe('the container dies', () => {
  test('a running call is lost within a second, and the next one has the files', async () => {
    await host.provision(spec);
    const callId = newCallId();
    const isStarted = Promise.withResolvers<void>();
    const running = host.call(SANDBOX, call(callId, 'echo kept > file; sleep 60'), {
      onStarted: isStarted.resolve,
    });
    await isStarted.promise;
    await until('the file is written', async () => {
      return (await docker('exec', `holdfast-${SANDBOX}`, 'ls', '/workspace')) === 'file';
    });
    await docker('kill', `holdfast-${SANDBOX}`);
    const killedAt = performance.now();
    expect(textOf(await running)).toMatch(/^lost: its container ended with code 137/);
    expect(performance.now() - killedAt).toBeLessThan(1000);
    expect(await bash(host, SANDBOX, 'cat file')).toBe('kept');
    // The same call again is not run a second time.
    expect(textOf(await host.call(SANDBOX, call(callId, 'sleep 60')))).toMatch(/^lost/);
  });

  test('while the host is away, the call sent before is lost and never run again', async () => {
    await host.provision(spec);
    const callId = newCallId();
    await host.call(SANDBOX, call(callId, 'echo once >> ran; sleep 60'), { waitMs: 100 });
    await host.close();
    await docker('kill', `holdfast-${SANDBOX}`);
    host = await test1.reopen();
    await host.attachAll();
    expect(textOf(await host.call(SANDBOX, call(callId, 'echo once >> ran')))).toMatch(/^lost/);
    expect(await bash(host, SANDBOX, 'wc -l < ran')).toBe('1');
  });

  test('a removed container is made anew with its files', async () => {
    await host.provision(spec);
    await bash(host, SANDBOX, 'echo kept > file; echo home > ~/home-file');
    await docker('rm', '-f', `holdfast-${SANDBOX}`);
    await until('the loss is noticed', () => !host.has(SANDBOX));
    expect(await bash(host, SANDBOX, 'cat file ~/home-file')).toBe('kept\nhome');
  });
});

// A killed process is listed until its parent has heard of its end, which takes a moment.
const noSleepers = async () => (await bash(host, SANDBOX, 'pgrep -c -x sleep || true')) === '0';

describe('stopping a call', () => {
  test('an aborted call ends as an error, and its processes are gone', async () => {
    await host.provision(spec);
    const abort = new AbortController();
    const isStarted = Promise.withResolvers<void>();
    const running = host.call(
      SANDBOX,
      call(newCallId(), 'echo begun; sleep 601 & setsid sleep 601'),
      { signal: abort.signal, onStarted: isStarted.resolve },
    );
    await isStarted.promise;
    abort.abort();
    expect(textOf(await running)).toMatch(/interrupted/);
    await until('its processes are gone', noSleepers);
  });

  test('an aborted call that waits for the shell never runs', async () => {
    await host.provision(spec);
    const first = host.call(SANDBOX, call(newCallId(), 'sleep 0.3; ls'));
    const abort = new AbortController();
    const second = host.call(SANDBOX, call(newCallId(), 'touch ran'), { signal: abort.signal });
    abort.abort();
    expect(textOf(await second)).toMatch(/interrupted/);
    expect(textOf(await first)).toBe('(no output)');
    expect(await bash(host, SANDBOX, 'ls')).toBe('(no output)');
  });

  test('a call past its time ends as an error with the output it had', async () => {
    await host.provision(spec);
    const outcome = await host.call(SANDBOX, call(newCallId(), 'echo early; sleep 60', 300));
    expect(textOf(outcome)).toMatch(/^error: early\nbash: bash command timed out after 300ms/);
    await until('its processes are gone', noSleepers);
  });
});

test('a sandbox nobody has heard of is gone, and with a spec it is made', async () => {
  const callId = newCallId();
  await expect(host.call(SANDBOX, call(callId, 'true'))).rejects.toThrow(SandboxGoneError);
  expect(textOf(await host.call(SANDBOX, call(callId, 'echo made'), { spec }))).toBe('made');
});

test('an engine that is away is one clear sentence', async () => {
  const away = await openTestHost({ dockerSocket: '/nowhere/docker.sock' });
  await expect(away.host.health()).rejects.toThrow(/does not answer at \/nowhere\/docker\.sock/);
  await away.host.close();
  await rm(away.dataDir, { recursive: true });
});
