// The live stream: who sees what, resuming, previews, heartbeats and every way in which a stream
// ends. docs: managed-agents/events-and-streaming.

import { connect, type Socket } from 'node:net';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SEND_EVENTS_MAX } from '../../protocol/field-limits.ts';
import { FOLLOW_LAG_EVENTS_MAX } from '../../protocol/limits.ts';
import {
  message,
  ofType,
  Scene,
  type StreamEvent,
  type Talk,
  textOf,
  typesOf,
} from '../helpers/scene.ts';
import { type SseFrame, sseReader } from '../helpers/sse-frames.ts';
import { until } from '../helpers/until.ts';

const server = inject('server');
const REPEATS = 20;
const HEADERS = { 'x-api-key': server.apiKey, 'anthropic-beta': 'managed-agents-2026-04-01' };

let scene: Scene;
/** Of an agent without tools: its sessions need no container. */
let plain: Scene;

beforeAll(async () => {
  scene = await Scene.open(server);
  plain = await Scene.open(server, { agent: { tools: [] } });
});

afterAll(async () => {
  await scene.close();
  await plain.close();
});

const PLAIN_TURN = [
  'user.message',
  'session.status_running',
  'session.thread_status_running',
  'span.model_request_start',
  'agent.message',
  'span.model_request_end',
  'session.thread_status_idle',
  'session.usage',
  'session.status_idle',
];

describe('a fast turn, with no delay in the model', () => {
  it(`is seen whole by a client that opens the stream first, ${REPEATS} times`, async () => {
    const talk = await plain.newTalk();
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      const tape = await talk.tape();
      await talk.say('= Hello.');
      expect(typesOf(await tape.untilIdle())).toEqual(PLAIN_TURN);
      tape.close();
    }
  });

  it(`is seen whole by a client that sends first, in ${REPEATS} sessions`, async () => {
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      const talk = await plain.newTalk();
      await talk.say('= Hello.');
      const tape = await talk.tape();
      expect(typesOf(await tape.untilIdle())).toEqual(PLAIN_TURN);
    }
  });

  it(`is seen whole by a client that sends first, ${REPEATS} times`, async () => {
    const talk = await plain.newTalk();
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      await talk.say('= Hello.');
      const tape = await talk.tape();
      expect(typesOf(await tape.untilIdle())).toEqual(PLAIN_TURN);
      tape.close();
    }
  });

  it('is seen whole by a client that opens the stream when the turn is over', async () => {
    const talk = await plain.newTalk();
    await talk.say('= Hello.');
    await until('the turn is over', async () => (await talk.history()).length === 9);
    const tape = await talk.tape();
    expect(typesOf(await tape.untilIdle())).toEqual(PLAIN_TURN);
  });

  it('that initial events began is seen whole by who opens the stream next', async () => {
    const talk = await plain.newTalk({ initial_events: [message('= Hello.')] });
    const tape = await talk.tape();
    expect(typesOf(await tape.untilIdle())).toEqual(PLAIN_TURN);
  });

  it('is not replayed to who has seen it: the next stream begins at its tail', async () => {
    const talk = await plain.newTalk();
    const first = await talk.tape();
    await talk.say('= One.');
    await first.untilIdle();
    first.close();
    const second = await talk.tape();
    await talk.say('= Two.');
    expect(textOf(...ofType(await second.untilIdle(), 'agent.message'))).toBe('Two.');
  });
});

/** Reads frames as they are on the wire until `isEnough`; the caller aborts. */
async function readFrames(
  talk: Talk,
  from: { query?: string; headers?: Record<string, string> },
  isEnough: (frames: readonly SseFrame[]) => boolean,
): Promise<SseFrame[]> {
  const stop = new AbortController();
  const path = `${server.url}/v1/sessions/${talk.id}/events/stream${from.query ?? ''}`;
  const response = await fetch(path, {
    headers: { ...HEADERS, ...from.headers },
    signal: stop.signal,
  });
  const frames: SseFrame[] = [];
  const read = sseReader((frame) => frames.push(frame));
  for await (const chunk of response.body!) {
    read(chunk);
    if (isEnough(frames)) break;
  }
  stop.abort();
  return frames;
}

const eventOf = (frame: SseFrame) => JSON.parse(frame.data) as StreamEvent & { id: string };
const isIdleFrame = (frame: SseFrame) => eventOf(frame).type === 'session.status_idle';

describe('resuming', () => {
  const program = Array.from({ length: 12 }, (_, index) => `$ sleep 0.0${index}; echo ${index}`);

  it.each([
    ['Last-Event-ID', (seq: string) => ({ headers: { 'last-event-id': seq } })],
    ['after_seq', (seq: string) => ({ query: `?after_seq=${seq}` })],
  ])(
    'by %s after every few events of a running turn has no gap and no duplicate',
    async (_, by) => {
      const talk = await scene.newTalk();
      const tape = await talk.tape();
      await talk.say(program.join('\n'));
      const frames: SseFrame[] = [];
      while (!frames.some(isIdleFrame)) {
        const from = by(frames.at(-1)?.id ?? '0');
        const wanted = 1 + (frames.length % 4);
        const more = await readFrames(talk, from, (read) => {
          return read.length >= wanted || read.some(isIdleFrame);
        });
        frames.push(...more);
      }
      const whole = await tape.untilIdle();
      const resumed = frames.slice(0, frames.findIndex(isIdleFrame) + 1);
      expect(resumed.map((frame) => eventOf(frame).id)).toEqual(
        whole.map((event) => ('id' in event ? event.id : '')),
      );
      expect(resumed.map(({ id }) => Number(id))).toEqual(
        resumed.map((_frame, index) => index + 1),
      );
    },
  );

  it('the documented pattern, open then list then dedupe by id, sees every event', async () => {
    const talk = await scene.newTalk();
    await talk.say(program.join('\n'));
    const stream = await talk.tape();
    const seen = new Set((await talk.history()).map(({ id }) => id));
    for (const event of await stream.untilIdle()) if ('id' in event) seen.add(event.id);
    expect([...seen].toSorted()).toEqual((await talk.history()).map(({ id }) => id).toSorted());
  });

  it('many readers of one session see the same', async () => {
    const talk = await scene.newTalk();
    const tapes = await Promise.all(Array.from({ length: 8 }, () => talk.tape()));
    await talk.say('$ echo one\n= Done.');
    const [first, ...others] = await Promise.all(tapes.map((tape) => tape.untilIdle()));
    const ids = (events: readonly StreamEvent[] | undefined) =>
      events?.map((event) => ('id' in event ? event.id : event.type));
    for (const other of others) expect(ids(other)).toEqual(ids(first));
  });
});

/** What the previews of a message showed, block by block, is how its blocks begin. */
function expectPrefix(events: readonly StreamEvent[], final: { id: string; content: object[] }) {
  for (const [index, block] of final.content.entries()) {
    const pieces = ofType(events, 'event_delta').filter(
      ({ event_id: id, delta }) => id === final.id && (delta.index ?? 0) === index,
    );
    const shown = pieces.map(({ delta }) => textOf({ content: [delta.content] })).join('');
    expect(textOf({ content: [block] }).startsWith(shown)).toBe(true);
  }
}

describe('previews', () => {
  const deltas = { event_deltas: ['agent.message' as const, 'agent.thinking' as const] };
  const words = '# think\n# tokens 80 5\n$ echo one\n= A last word.';

  async function previewed(): Promise<StreamEvent[]> {
    const talk = await scene.newTalk();
    const tape = await talk.tape(deltas);
    await talk.say(words);
    return tape.untilIdle();
  }

  it('begin with a start, are a prefix of the message and end with it', async () => {
    const events = await previewed();
    const starts = ofType(events, 'event_start').map(({ event }) => event);
    const messages = ofType(events, 'agent.message');
    const thoughts = ofType(events, 'agent.thinking');
    expect(starts.filter(({ type }) => type === 'agent.message').map(({ id }) => id)).toContain(
      messages[0]!.id,
    );
    expect(starts.filter(({ type }) => type === 'agent.thinking').map(({ id }) => id)).toEqual(
      thoughts.map(({ id }) => id),
    );
    for (const final of messages) {
      expectPrefix(events, final);
      const last = events.findLastIndex(
        (event) => event.type === 'event_delta' && event.event_id === final.id,
      );
      expect(last).toBeLessThan(events.indexOf(final));
    }
    const firstText = ofType(events, 'event_delta').filter((d) => d.event_id === messages[0]!.id);
    expect(firstText.length).toBeGreaterThan(1);
  });

  it("satisfy the SDK's own accumulator, event by event", async () => {
    let snapshot: ReturnType<typeof accumulateManagedAgentsEvent> = undefined;
    let before = '';
    for (const event of await previewed()) {
      snapshot = accumulateManagedAgentsEvent(snapshot, event);
      if (event.type === 'event_delta') before = textOf(snapshot!);
      if (event.type === 'agent.message') {
        expect(textOf(event).startsWith(before)).toBe(true);
        expect(snapshot).toEqual(event);
        before = '';
      }
    }
  });

  it('come only to those who ask, only of what they ask, and are never stored', async () => {
    const talk = await scene.newTalk();
    const without = await talk.tape();
    const thinking = await talk.tape({ event_deltas: ['agent.thinking'] });
    await talk.say(words);
    expect(typesOf(await without.untilIdle()).filter((type) => type.startsWith('event_'))).toEqual(
      [],
    );
    const asked = await thinking.untilIdle();
    expect(typesOf(asked)).not.toContain('event_delta');
    expect(ofType(asked, 'event_start').map(({ event }) => event.type)).toEqual(['agent.thinking']);
    expect(typesOf(await talk.history()).filter((type) => type.startsWith('event_'))).toEqual([]);
  });

  it('of an attempt that failed are not mixed with those of the next', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape(deltas);
    await talk.say('# tokens 30 5\n# fail 0 1\n= whole');
    const events = await tape.untilIdle();
    const [final] = ofType(events, 'agent.message');
    expectPrefix(events, final!);
    const started = ofType(events, 'event_start').map(({ event }) => event.id);
    expect(started).toHaveLength(2);
    expect(started[1]).toBe(final!.id);
  });

  it('of an unknown kind are refused', async () => {
    const talk = await scene.newTalk();
    const asked = talk.tape({ event_deltas: ['agent.tool_use' as never] });
    await expect(asked).rejects.toMatchObject({ status: 400 });
  });
});

describe('a stream', () => {
  it('of an idle session is kept alive by heartbeats that no client sees', async () => {
    const talk = await plain.newTalk();
    const tape = await talk.tape();
    const frames = await readFrames(talk, {}, (read) => read.length === 1);
    expect(frames).toMatchObject([{ event: 'ping', id: undefined }]);
    expect(tape.events).toEqual([]);
    expect(typesOf(await talk.turn('= Still here.'))).toEqual(PLAIN_TURN);
  });

  it('ends after session.deleted, for every reader', async () => {
    const talk = await plain.newTalk();
    const tapes = [await talk.tape(), await talk.tape()];
    await plain.client.beta.sessions.delete(talk.id);
    for (const tape of tapes) {
      expect(await tape.over).toBeNull();
      expect(typesOf(tape.events)).toEqual(['session.deleted']);
    }
  });

  it('ends after session.status_terminated when the session is archived', async () => {
    const talk = await plain.newTalk();
    const tape = await talk.tape();
    await plain.client.beta.sessions.archive(talk.id);
    expect(await tape.over).toBeNull();
    expect(typesOf(tape.events)).toEqual([
      'session.thread_status_terminated',
      'session.status_terminated',
    ]);
  });
});

/** A connection that asks for the stream and then does not read. */
async function openDeafReader(talk: Talk): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    `GET /v1/sessions/${talk.id}/events/stream HTTP/1.1\r\nhost: ${hostname}\r\n` +
      `x-api-key: ${HEADERS['x-api-key']}\r\nanthropic-beta: ${HEADERS['anthropic-beta']}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once('readable', resolve));
  socket.pause();
  return socket;
}

it('a reader that does not read is cut off with the named error, and loses nothing', async () => {
  const talk = await plain.newTalk();
  const tape = await talk.tape();
  await talk.say('# wait 600000');
  await tape.untilType('span.model_request_start');
  const socket = await openDeafReader(talk);
  // More than the buffers of two sockets hold, and then more events than a reader may lag behind.
  const long = 'x'.repeat(100_000);
  await talk.say(...Array.from({ length: 100 }, () => long));
  const batches = 1 + Math.ceil(FOLLOW_LAG_EVENTS_MAX / SEND_EVENTS_MAX);
  for (let batch = 0; batch < batches; batch += 1) {
    await talk.say(...Array.from({ length: SEND_EVENTS_MAX }, () => 'short'));
  }
  const frames: SseFrame[] = [];
  // The socket carries HTTP chunks: their size lines are dropped, the frames are what is left.
  const read = sseReader((frame) => frames.push(frame));
  const decoder = new TextDecoder();
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.on('data', (chunk: Buffer) => {
    read(new TextEncoder().encode(decoder.decode(chunk, { stream: true })));
    if (frames.some(({ event }) => event === 'error')) socket.destroy();
  });
  socket.resume();
  await ended;
  const cut = frames.find(({ event }) => event === 'error');
  expect(JSON.parse(cut!.data)).toMatchObject({
    type: 'error',
    error: { details: { error_code: 'stream_reader_too_slow' } },
  });
  const last = frames.findLast(({ id }) => id !== undefined)!;
  const resumed = await readFrames(
    talk,
    { query: `?after_seq=${last.id}` },
    (all) => all.length > 0,
  );
  expect(Number(resumed[0]!.id)).toBe(Number(last.id) + 1);
});
