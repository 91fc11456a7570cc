// The runner as a process on this machine, against the host's own channel: no container needed to
// see that it dials again, runs a call once and keeps its result.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Channel } from '../../../sandbox/channel.ts';
import type { HostFrame, RunnerFrame } from '../../../sandbox/runner/frames.ts';

const RUNNER = fileURLToPath(new URL('../../../sandbox/runner/runner.ts', import.meta.url));

let directory: string;
let runner: ChildProcess;
let channel: Channel;
let boots: string[];
let frames: RunnerFrame[];
let onChange: () => void;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-runner-'));
  mkdirSync(join(directory, 'work'));
  boots = [];
  frames = [];
  onChange = () => {};
  channel = newChannel();
  const args = [RUNNER, directory, join(directory, 'work'), join(directory, 'output')];
  mkdirSync(directory, { recursive: true });
  runner = spawn(process.execPath, args, { stdio: 'inherit' });
});
afterEach(() => {
  channel.close();
  runner.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const newChannel = () =>
  new Channel(join(directory, 'runner.sock'), {
    onReady: (bootId) => {
      boots.push(bootId);
      onChange();
    },
    onFrame: (frame) => {
      frames.push(frame);
      onChange();
    },
    onClosed: () => onChange(),
    expectsResult: () => true,
  });

const until = (isSo: () => boolean) =>
  new Promise<void>((resolve) => {
    onChange = () => {
      if (isSo()) resolve();
    };
    onChange();
  });

const call = (callId: string, command: string): HostFrame => ({
  type: 'call',
  callId,
  tool: 'bash',
  input: { command },
});

const resultsOf = (callId: string) =>
  frames.filter((frame) => frame.type === 'result' && frame.callId === callId);

const textOf = (callId: string) => {
  const [result] = resultsOf(callId);
  const block = result?.type === 'result' ? result.content[0] : undefined;
  return block?.type === 'text' ? block.text : '';
};

test('it dials a host that begins to listen later, and again after each restart', async () => {
  for (let restarts = 0; restarts < 3; restarts++) {
    await channel.listen();
    await until(() => boots.length === restarts + 1);
    channel.close();
    channel = newChannel();
  }
  expect(new Set(boots).size).toBe(1);
});

test('a call sent twice runs once and answers both times; acknowledged, it is lost', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  const once = call('a', 'echo x >> ran; wc -l < ran');
  channel.send(once);
  channel.send(once);
  await until(() => resultsOf('a').length === 1);
  channel.send(once);
  await until(() => resultsOf('a').length === 2);
  expect(resultsOf('a')[0]).toMatchObject({ content: [{ text: '1' }], isError: false });
  expect(resultsOf('a')[1]).toEqual(resultsOf('a')[0]);
  channel.send({ type: 'acknowledge', callId: 'a' });
  channel.send(once);
  await until(() => frames.some((frame) => frame.type === 'lost' && frame.callId === 'a'));
  channel.send(call('b', 'wc -l < ran'));
  await until(() => resultsOf('b').length === 1);
  expect(textOf('b')).toBe('1');
});

test('a call that runs while the host is away is answered to the next one', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  channel.send(call('a', 'echo x >> ran; sleep 0.3; wc -l < ran'));
  await until(() => frames.some((frame) => frame.type === 'started'));
  channel.close();
  channel = newChannel();
  await channel.listen();
  await until(() => boots.length === 2);
  channel.send(call('a', 'echo x >> ran; sleep 0.3; wc -l < ran'));
  await until(() => resultsOf('a').length === 1);
  expect(resultsOf('a')[0]).toMatchObject({ content: [{ text: '1' }] });
});

test('a host that did not ask for a call is not told of it', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  channel.send(call('a', 'touch begun; until [ -e go ]; do sleep 0.05; done; echo done'));
  await until(() => frames.some((frame) => frame.type === 'started'));
  channel.close();
  frames = [];
  channel = newChannel();
  await channel.listen();
  await until(() => boots.length === 2);
  writeFileSync(join(directory, 'work', 'go'), '');
  // The shell runs one call after another: when b has its result, a has had its own.
  channel.send(call('b', 'echo b'));
  await until(() => resultsOf('b').length === 1);
  expect(frames.filter((frame) => 'callId' in frame && frame.callId === 'a')).toEqual([]);
  channel.send(call('a', ''));
  await until(() => resultsOf('a').length === 1);
  expect(textOf('a')).toBe('done');
});

test('a cancelled call answers as an error', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  channel.send(call('a', 'echo early; sleep 60'));
  await until(() => frames.some((frame) => frame.type === 'started'));
  channel.send({ type: 'cancel', callId: 'a' });
  await until(() => resultsOf('a').length === 1);
  expect(resultsOf('a')[0]).toMatchObject({ isError: true });
});

test('a shell that dies between calls, its output still held by a job, is replaced', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  channel.send(call('a', 'sleep 3 & echo $$'));
  await until(() => resultsOf('a').length === 1);
  process.kill(Number(textOf('a')), 'SIGKILL');
  channel.send(call('b', 'echo one'));
  channel.send(call('c', 'echo two'));
  await until(() => resultsOf('c').length === 1);
  expect(textOf('c')).toBe('two');
});

test('a ping is answered while a command runs', async () => {
  await channel.listen();
  await until(() => boots.length === 1);
  channel.send(call('a', 'sleep 60'));
  channel.send({ type: 'ping', n: 7 });
  await until(() => frames.some((frame) => frame.type === 'pong' && frame.n === 7));
});
