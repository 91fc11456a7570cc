// The frames between host and runner, however the bytes arrive and whoever made them: what is not
// exactly right is refused with one named error.
import { describe, expect, test } from 'vitest';
import { RUNNER_FRAME_BYTES_MAX } from '../../../protocol/limits.ts';
import {
  asHostFrame,
  asRunnerFrame,
  encodeFrame,
  FrameError,
  FrameReader,
} from '../../../sandbox/runner/frames.ts';
import type { RunnerFrame } from '../../../sandbox/runner/frames.ts';

const frames: RunnerFrame[] = [
  { type: 'hello', protocol: 1, bootId: 'b' },
  { type: 'started', callId: 'c' },
  { type: 'result', callId: 'c', content: [{ type: 'text', text: 'grüße 🎉' }], isError: false },
  { type: 'lost', callId: 'c', reason: 'r' },
  { type: 'pong', n: 3 },
];

describe('reading frames', () => {
  test.each([1, 2, 3, 4, 5, 7, 64, 10_000])('comes to the same in pieces of %i bytes', (size) => {
    const bytes = Buffer.concat(frames.map(encodeFrame));
    const reader = new FrameReader(RUNNER_FRAME_BYTES_MAX);
    const read = [];
    for (let at = 0; at < bytes.length; at += size) {
      read.push(...reader.push(bytes.subarray(at, at + size)));
    }
    expect(read.map(asRunnerFrame)).toEqual(frames);
  });

  test.each([
    ['an empty frame', [0, 0, 0, 0]],
    ['a frame over the bound', [0, 0, 4, 1]],
    ['a frame of the largest length there is', [255, 255, 255, 255]],
    ['what is not JSON', [0, 0, 0, 1, 123]],
    ['bytes that are not UTF-8 JSON', [0, 0, 0, 2, 0xc3, 0x28]],
  ])('refuses %s', (_name, bytes) => {
    const reader = new FrameReader(1024);
    expect(() => [...reader.push(Buffer.from(bytes))]).toThrow(FrameError);
  });
});

describe('frames of a runner', () => {
  const result = (content: unknown) => ({ type: 'result', callId: 'c', content, isError: true });
  const image = (media_type: unknown, data: unknown) =>
    result([{ type: 'image', source: { type: 'base64', media_type, data } }]);

  test.each([
    ['null', null],
    ['a list', []],
    ['a text', 'hello'],
    ['an unknown type', { type: 'exec' }],
    ['a hello without a boot id', { type: 'hello', protocol: 1 }],
    ['a hello with an empty boot id', { type: 'hello', protocol: 1, bootId: '' }],
    ['a started with a long id', { type: 'started', callId: 'x'.repeat(500) }],
    ['a result without content', result(undefined)],
    ['a result with a text for content', result('text')],
    ['a result with too many blocks', result(Array(65).fill({ type: 'text', text: '' }))],
    ['a text block without text', result([{ type: 'text' }])],
    ['a block of another type', result([{ type: 'tool_use', id: 'x' }])],
    ['an image of another kind', image('image/svg+xml', 'aaaa')],
    ['an image that is not base64', image('image/png', '<svg>')],
    ['an image from a URL', result([{ type: 'image', source: { type: 'url', url: 'http://x' } }])],
    ['a pong with a fraction', { type: 'pong', n: 0.5 }],
    ['an isError that is a number', { type: 'result', callId: 'c', content: [], isError: 1 }],
  ])('refuses %s', (_name, value) => {
    expect(() => asRunnerFrame(value)).toThrow(FrameError);
  });

  test('drops every field that is not part of a block', () => {
    const block = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' }, id: 'y' };
    expect(asRunnerFrame({ ...result([block]), extra: 1 })).toEqual(
      result([{ type: 'text', text: 'x' }]),
    );
  });

  test('passes an image and a PDF in base64', () => {
    expect(asRunnerFrame(image('image/png', 'aGk='))).toEqual(image('image/png', 'aGk='));
    const source = { type: 'base64', media_type: 'application/pdf', data: 'aGk=' };
    const document = result([{ type: 'document', source }]);
    expect(asRunnerFrame(document)).toEqual(document);
  });
});

describe('frames of the host', () => {
  test.each([
    ['an unknown tool', { type: 'call', callId: 'c', tool: 'web_fetch', input: {} }],
    ['an input that is a list', { type: 'call', callId: 'c', tool: 'bash', input: [] }],
    ['a cancel without an id', { type: 'cancel' }],
    ['an unknown type', { type: 'shutdown' }],
  ])('refuses %s', (_name, value) => {
    expect(() => asHostFrame(value)).toThrow(FrameError);
  });

  test('refuses to make a frame over the bound', () => {
    const content = 'x'.repeat(RUNNER_FRAME_BYTES_MAX);
    const call = { type: 'call', callId: 'c', tool: 'write', input: { content } } as const;
    expect(() => encodeFrame(call)).toThrow(FrameError);
  });
});
