// A sandbox from its first call to its end, on the real engine: idle, resume, long outputs, release
// and orphans. Files are there again after every kind of rest.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxHost, SandboxSpec } from '../../../sandbox/sandbox.ts';
import {
  bash,
  docker,
  newCallId,
  openTestHost,
  runTool,
  textOf,
  until,
} from '../../helpers/sandbox.ts';
import type { TestHost } from '../../helpers/sandbox.ts';

const SANDBOX = 'sesn_life';
const spec: SandboxSpec = { sandboxId: SANDBOX, network: 'none' };

let test1: TestHost;
let host: SandboxHost;

beforeAll(async () => {
  test1 = await openTestHost({ idle: { pauseMs: 300, stopMs: 900 } });
  host = test1.host;
});
afterAll(() => test1.cleanUp());
afterEach(() => host.release(SANDBOX));

const stateOf = () =>
  docker('inspect', '-f', '{{.State.Status}}', `holdfast-${SANDBOX}`).catch(() => 'none');

test('an idle container is paused, and a call wakes it with its shell as it was', async () => {
  await host.provision(spec);
  await bash(host, SANDBOX, 'cd /tmp; export WORD=kept');
  await until('it is paused', async () => (await stateOf()) === 'paused');
  expect(host.has(SANDBOX)).toBe(false);
  expect(await bash(host, SANDBOX, 'pwd; echo $WORD')).toBe('/tmp\nkept');
  expect(host.has(SANDBOX)).toBe(true);
});

test('an idle container is stopped, and ten stops later every file is there', async () => {
  await host.provision(spec);
  for (let cycle = 0; cycle < 10; cycle++) {
    await bash(host, SANDBOX, `echo ${cycle} >> cycles; echo ${cycle} >> ~/cycles`);
    await docker('stop', '-t', '2', `holdfast-${SANDBOX}`);
    await until('the stop is noticed', () => !host.has(SANDBOX));
  }
  const all = [...Array(10).keys()].join('\n');
  expect(await bash(host, SANDBOX, 'cat cycles')).toBe(all);
  expect(await bash(host, SANDBOX, 'cat ~/cycles')).toBe(all);
  await until('it is stopped', async () => (await stateOf()) === 'exited');
  expect(await bash(host, SANDBOX, 'wc -l < cycles')).toBe('10');
});

test('a container is not put to rest while a call runs', async () => {
  await host.provision(spec);
  expect(await bash(host, SANDBOX, 'sleep 1.5; echo awake')).toBe('awake');
});

test('a restarted host finds its containers, running, paused and stopped', async () => {
  await host.provision(spec);
  await bash(host, SANDBOX, 'echo kept > file');
  for (const bring of ['unpause', 'pause', 'stop'] as const) {
    await host.close();
    if (bring !== 'unpause') await docker(bring, `holdfast-${SANDBOX}`);
    host = await test1.reopen();
    await host.attachAll();
    expect(await bash(host, SANDBOX, 'cat file')).toBe('kept');
  }
});

test('two provisions at once make one container', async () => {
  await Promise.all([host.provision(spec), host.provision(spec)]);
  await host.provision(spec);
  expect(await host.list()).toHaveLength(1);
});

test('output over 100,000 characters is kept whole, with its path for the model', async () => {
  await host.provision(spec);
  const outcome = await runTool(host, SANDBOX, 'bash', { command: 'seq 1 100000' });
  const text = textOf(outcome);
  expect(text.length).toBeLessThan(12_000);
  expect(text.startsWith('1\n2\n3\n')).toBe(true);
  expect(text.trimEnd().endsWith('99999\n100000')).toBe(true);
  const path = /the complete output is in (\S+)\]/.exec(text)?.[1] ?? '';
  expect(await bash(host, SANDBOX, `wc -l < ${path}`)).toBe('100000');
  const range = await runTool(host, SANDBOX, 'read', {
    file_path: path,
    view_range: [50_000, 50_001],
  });
  expect(textOf(range)).toBe('50000\n50001');
});

test('the output of a file tool over 100,000 characters is kept whole as well', async () => {
  await host.provision(spec);
  await bash(host, SANDBOX, 'head -c 150000 /dev/zero | tr "\\0" x > long');
  const text = textOf(await runTool(host, SANDBOX, 'read', { file_path: 'long' }));
  const path = /the complete output is in (\S+)\]/.exec(text)?.[1] ?? '';
  expect(await bash(host, SANDBOX, `cmp long ${path} && echo same`)).toBe('same');
});

test('100,000 characters are a result as they are', async () => {
  await host.provision(spec);
  const text = await bash(host, SANDBOX, 'head -c 100000 /dev/zero | tr "\\0" x');
  expect(text).toBe('x'.repeat(100_000));
});

test('an image that is read becomes an image block', async () => {
  await host.provision(spec);
  const png = [
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhg',
    'GAWjR9awAAAABJRU5ErkJggg==',
  ].join('');
  await bash(host, SANDBOX, `echo ${png} | base64 -d > dot.png`);
  const outcome = await runTool(host, SANDBOX, 'read', { file_path: 'dot.png' });
  expect(outcome).toEqual({
    status: 'completed',
    content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
    isError: false,
  });
});

test('release removes container, volumes and directories, and may be repeated', async () => {
  await host.provision(spec);
  await bash(host, SANDBOX, 'echo x > file');
  await host.release(SANDBOX);
  await host.release(SANDBOX);
  expect(await host.list()).toEqual([]);
  const filter = `label=holdfast.host=${test1.hostId}`;
  expect(await docker('volume', 'ls', '-q', '--filter', filter)).toBe('');
  expect(existsSync(join(test1.dataDir, 'sandboxes', SANDBOX))).toBe(false);
});

test('a call that waits when its sandbox is released is lost', async () => {
  await host.provision(spec);
  const running = host.call(SANDBOX, {
    callId: newCallId(),
    tool: 'bash',
    input: { command: 'sleep 60' },
  });
  await host.call(SANDBOX, { callId: newCallId(), tool: 'glob', input: { pattern: '*' } });
  await host.release(SANDBOX);
  expect(textOf(await running)).toBe('lost: the sandbox was removed');
});

test('reconcile removes what nobody knows and leaves the rest', async () => {
  await host.provision(spec);
  await host.provision({ sandboxId: 'sesn_orphan', network: 'none' });
  await host.close();
  host = await test1.reopen();
  expect(await host.reconcile(async () => new Set([SANDBOX]))).toEqual(['sesn_orphan']);
  expect((await host.list()).map(({ sandboxId }) => sandboxId)).toEqual([SANDBOX]);
  const left = readdirSync(join(test1.dataDir, 'sandboxes'));
  expect(left.toSorted()).toEqual([SANDBOX, 'socket-directory'].toSorted());
});
