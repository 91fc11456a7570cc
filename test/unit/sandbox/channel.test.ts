// The host's end of a sandbox's socket against a runner that is not ours: how much it takes depends
// on whether it waits for anything. The runner is a bare connection.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RUNNER_SMALL_FRAME_BYTES_MAX } from '../../../protocol/limits.ts';
import { Channel } from '../../../sandbox/channel.ts';
import { encodeFrame, FrameError } from '../../../sandbox/runner/frames.ts';
import type { RunnerFrame } from '../../../sandbox/runner/frames.ts';

let directory: string;
let channel: Channel;
let runner: Socket;
let frames: { frame: RunnerFrame; bytes: number }[];
let expectsResult: boolean;
let takes: (frame: RunnerFrame) => void;
let closed: PromiseWithResolvers<string | null>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-channel-'));
  frames = [];
  expectsResult = false;
  takes = () => {};
  closed = Promise.withResolvers();
  const ready = Promise.withResolvers<string>();
  channel = new Channel(join(directory, 'run', 'runner.sock'), {
    onReady: ready.resolve,
    onFrame: (frame, bytes) => {
      frames.push({ frame, bytes });
      takes(frame);
    },
    onClosed: closed.resolve,
    expectsResult: () => expectsResult,
  });
  await channel.listen();
  runner = connect(join(directory, 'run', 'runner.sock'));
  await once(runner, 'connect');
  runner.on('error', () => {});
  runner.write(encodeFrame({ type: 'hello', protocol: 1, bootId: 'boot' }));
  await ready.promise;
});
afterEach(() => {
  runner.destroy();
  channel.close();
  rmSync(directory, { recursive: true, force: true });
});

const large = 'x'.repeat(RUNNER_SMALL_FRAME_BYTES_MAX);
const result: RunnerFrame = {
  type: 'result',
  callId: 'a',
  content: [{ type: 'text', text: large }],
  isError: false,
};

function raw(json: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(json));
  return Buffer.concat([head, Buffer.from(json)]);
}

test('a large result is taken while one is expected, and its size told', async () => {
  expectsResult = true;
  const taken = Promise.withResolvers<void>();
  takes = () => taken.resolve();
  runner.write(encodeFrame(result));
  await taken.promise;
  expect(frames).toEqual([{ frame: result, bytes: encodeFrame(result).length - 4 }]);
});

test('a large frame is a violation while no result is expected', async () => {
  runner.write(encodeFrame(result));
  expect(await closed.promise).toMatch(/bad frame length/);
  expect(frames).toEqual([]);
});

test('the bound falls with the last result, for what follows in the same piece', async () => {
  expectsResult = true;
  takes = () => {
    expectsResult = false;
  };
  runner.write(Buffer.concat([encodeFrame(result), encodeFrame(result)]));
  expect(await closed.promise).toMatch(/bad frame length/);
  expect(frames).toHaveLength(1);
});

test('a large frame that is no result is a violation at any time', async () => {
  expectsResult = true;
  runner.write(raw(JSON.stringify({ type: 'pong', n: 1, more: large })));
  expect(await closed.promise).toMatch(/large frame/);
  expect(frames).toEqual([]);
});

test('small frames pass at any time', async () => {
  takes = () => {
    if (frames.length === 2) throw new FrameError('enough');
  };
  runner.write(encodeFrame({ type: 'pong', n: 1 }));
  runner.write(encodeFrame({ type: 'pong', n: 2 }));
  expect(await closed.promise).toBe('enough');
});
