// The frames between host and runner: u32 big-endian length, then JSON. Shared by both ends, and
// strict on both: a frame is checked for size before it is read and for shape before it is used, as
// the runner shares its user with the agent's own processes and so cannot be trusted.
import {
  RUNNER_CONTENT_BLOCKS_MAX,
  RUNNER_FRAME_BYTES_MAX,
  RUNNER_ID_CHARS_MAX,
} from '../../protocol/limits.ts';
import type { SandboxTool, ToolContent } from '../sandbox.ts';

export const RUNNER_PROTOCOL = 1;

export type HostFrame =
  | { type: 'call'; callId: string; tool: SandboxTool; input: Record<string, unknown> }
  | { type: 'cancel'; callId: string }
  | { type: 'acknowledge'; callId: string }
  | { type: 'ping'; n: number };

export type RunnerFrame =
  | { type: 'hello'; protocol: number; bootId: string }
  | { type: 'started'; callId: string }
  | { type: 'result'; callId: string; content: ToolContent[]; isError: boolean }
  /** the call was run under this boot, but its result is no longer kept */
  | { type: 'lost'; callId: string; reason: string }
  | { type: 'pong'; n: number };

/** The other end broke the rules of the frames; the connection cannot be used further. */
export class FrameError extends Error {
  override name = 'FrameError';
}

const LENGTH_BYTES = 4;

/** One frame as bytes; throws `FrameError` when it is over the bound. */
export function encodeFrame(frame: HostFrame | RunnerFrame): Buffer {
  const json = JSON.stringify(frame);
  const size = Buffer.byteLength(json);
  if (size > RUNNER_FRAME_BYTES_MAX) throw new FrameError(`a frame of ${size} bytes is too large`);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + size);
  bytes.writeUInt32BE(size, 0);
  bytes.write(json, LENGTH_BYTES, 'utf8');
  return bytes;
}

/** Cuts a byte stream into parsed JSON values; holds at most one frame of `maxBytes`. */
export class FrameReader {
  readonly #head = Buffer.alloc(LENGTH_BYTES);
  #headFilled = 0;
  #body: Buffer | null = null;
  #bodyFilled = 0;
  maxBytes: number;
  /** size of the frame that was read last */
  frameBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The frames completed by `chunk`, in order; throws `FrameError` on a bad length or bad JSON. */
  *push(chunk: Buffer): Generator<unknown> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headFilled < LENGTH_BYTES) {
        at += this.#fillHead(chunk, at);
        continue;
      }
      const size = this.#size();
      if (this.#body === null && chunk.length - at >= size) {
        // The usual case: the whole frame lies in one chunk, so nothing is copied.
        this.#headFilled = 0;
        this.frameBytes = size;
        yield parse(chunk.subarray(at, at + size));
        at += size;
        continue;
      }
      this.#body ??= Buffer.allocUnsafe(size);
      const copied = chunk.copy(this.#body, this.#bodyFilled, at);
      at += copied;
      this.#bodyFilled += copied;
      if (this.#bodyFilled === size) {
        const body = this.#body;
        this.#body = null;
        this.#bodyFilled = 0;
        this.#headFilled = 0;
        this.frameBytes = size;
        yield parse(body);
      }
    }
  }

  #fillHead(chunk: Buffer, at: number): number {
    const copied = chunk.copy(
      this.#head,
      this.#headFilled,
      at,
      at + LENGTH_BYTES - this.#headFilled,
    );
    this.#headFilled += copied;
    if (this.#headFilled === LENGTH_BYTES) this.#size();
    return copied;
  }

  #size(): number {
    const size = this.#head.readUInt32BE(0);
    if (size === 0 || size > this.maxBytes) throw new FrameError(`bad frame length ${size}`);
    return size;
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new FrameError('a frame is not JSON');
  }
}

/** A checked frame of a runner; throws `FrameError` naming what is wrong. */
export function asRunnerFrame(value: unknown): RunnerFrame {
  const frame = record(value);
  switch (frame['type']) {
    case 'hello':
      return { type: 'hello', protocol: int(frame['protocol']), bootId: id(frame['bootId']) };
    case 'started':
      return { type: 'started', callId: id(frame['callId']) };
    case 'result':
      return {
        type: 'result',
        callId: id(frame['callId']),
        content: contentBlocks(frame['content']),
        isError: bool(frame['isError']),
      };
    case 'lost':
      return {
        type: 'lost',
        callId: id(frame['callId']),
        reason: text(frame['reason'], RUNNER_ID_CHARS_MAX * 4),
      };
    case 'pong':
      return { type: 'pong', n: int(frame['n']) };
    default:
      throw new FrameError('a frame of unknown type');
  }
}

/** A checked frame of the host. */
export function asHostFrame(value: unknown): HostFrame {
  const frame = record(value);
  const type = frame['type'];
  if (type === 'ping') return { type, n: int(frame['n']) };
  if (type === 'cancel' || type === 'acknowledge') return { type, callId: id(frame['callId']) };
  if (type !== 'call') throw new FrameError('a frame of unknown type');
  const { tool } = frame;
  if (!isTool(tool)) throw new FrameError('a call of an unknown tool');
  return { type, callId: id(frame['callId']), tool, input: record(frame['input']) };
}

const TOOLS = [
  'bash',
  'read',
  'write',
  'edit',
  'glob',
  'grep',
  'keep',
] as const satisfies SandboxTool[];

/** True for the name of a tool that runs in a sandbox. */
export function isTool(value: unknown): value is SandboxTool {
  return TOOLS.some((tool) => tool === value);
}

function contentBlocks(value: unknown): ToolContent[] {
  if (!Array.isArray(value) || value.length > RUNNER_CONTENT_BLOCKS_MAX) {
    throw new FrameError('a result without a list of blocks');
  }
  return value.map(contentBlock);
}

const MEDIA_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

// Blocks are rebuilt field by field, so nothing else a runner sends travels on into a session's
// log.
function contentBlock(value: unknown): ToolContent {
  const block = record(value);
  const type = block['type'];
  if (type === 'text') return { type, text: text(block['text'], RUNNER_FRAME_BYTES_MAX) };
  if (type !== 'image' && type !== 'document') throw new FrameError('a block of unknown type');
  const source = record(block['source']);
  const data = text(source['data'], RUNNER_FRAME_BYTES_MAX);
  const mediaType = text(source['media_type'], RUNNER_ID_CHARS_MAX);
  const isKnown =
    type === 'image' ? MEDIA_TYPES.includes(mediaType) : mediaType === 'application/pdf';
  if (source['type'] !== 'base64' || !isKnown || !/^[A-Za-z0-9+/]*={0,2}$/.test(data)) {
    throw new FrameError('a block with a bad source');
  }
  return { type, source: { type: 'base64', media_type: mediaType, data } };
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FrameError('a value that is not an object');
  }
  return value as Record<string, unknown>;
}

function text(value: unknown, maxChars: number): string {
  if (typeof value !== 'string' || value.length > maxChars) {
    throw new FrameError('a value that is not a text within its bound');
  }
  return value;
}

function id(value: unknown): string {
  const checked = text(value, RUNNER_ID_CHARS_MAX);
  if (checked.length === 0) throw new FrameError('an empty id');
  return checked;
}

function int(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new FrameError('a value that is not an integer');
  return value as number;
}

function bool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new FrameError('a value that is not true or false');
  return value;
}
