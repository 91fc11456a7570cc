// Many readers of one session, and what previews promise each of them: everything once and in
// order, whoever else reads or does not, and no piece of a message that began before they came.
// docs: managed-agents/events-and-streaming, event deltas; the SDK's accumulator is the judge.

import { connect, type Socket } from 'node:net';
import type Anthropic from '@anthropic-ai/sdk';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  ofType,
  Scene,
  type StreamEvent,
  type Talk,
  textOf,
  typesOf,
} from '../../helpers/scene.ts';
import { type SseFrame, sseReader } from '../../helpers/sse-frames.ts';

const server = inject('server');
const HEADERS = { 'x-api-key': server.apiKey, 'anthropic-beta': 'managed-agents-2026-04-01' };
const READERS = 50;
const DEAF_READERS = 3;
/** sdk 1.11.0 names two kinds of previews; docs: at most 100 values. */
const PREVIEWS = { event_deltas: ['agent.message' as const, 'agent.thinking' as const] };
const PREVIEW_QUERY = '?event_deltas[]=agent.message&event_deltas[]=agent.thinking';
const VALUES_MAX = 100;

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

const isPreview = ({ type }: { type: string }): boolean => type.startsWith('event_');
const storedIds = (events: readonly StreamEvent[]): string[] =>
  events.flatMap((event) => ('id' in event && event.id !== undefined ? [event.id] : []));

/** What the previews of one event are about. */
function previewedId(event: StreamEvent): string | undefined {
  if (event.type === 'event_start') return event.event.id;
  return event.type === 'event_delta' ? event.event_id : undefined;
}

/** Every promise about previews, for one connection that was there from the start. */
function expectPreviewsInOrder(events: readonly StreamEvent[]): void {
  const started = ofType(events, 'event_start').map(({ event }) => event.id);
  expect(new Set(started).size).toBe(started.length);
  let snapshot: ReturnType<typeof accumulateManagedAgentsEvent> = undefined;
  const finished = new Set<string>();
  for (const event of events) {
    const shown = textOf(snapshot ?? {});
    // The accumulator throws where a piece comes before its start or a block is left out.
    snapshot = accumulateManagedAgentsEvent(snapshot, event);
    if (event.type === 'agent.message') {
      expect(textOf(event).startsWith(shown)).toBe(true);
      snapshot = undefined;
    }
    if ('id' in event && event.id !== undefined) finished.add(event.id);
    expect(finished.has(previewedId(event) ?? '')).toBe(false);
  }
}

/** Reads a stream as it is on the wire until `isEnough`, then leaves it. */
async function readFrames(
  talk: Talk,
  from: { query?: string; headers?: Record<string, string> },
  isEnough: (events: readonly StreamEvent[]) => boolean,
): Promise<{ frames: SseFrame[]; events: StreamEvent[] }> {
  const stop = new AbortController();
  const path = `${server.url}/v1/sessions/${talk.id}/events/stream${from.query ?? ''}`;
  const headers = { ...HEADERS, ...from.headers };
  const response = await fetch(path, { headers, signal: stop.signal });
  const frames: SseFrame[] = [];
  const events: StreamEvent[] = [];
  const read = sseReader((frame) => {
    if (frame.event !== 'message') return;
    frames.push(frame);
    events.push(JSON.parse(frame.data) as StreamEvent);
  });
  for await (const chunk of response.body!) {
    read(chunk);
    if (isEnough(events)) break;
  }
  stop.abort();
  return { frames, events };
}

const isIdle = (events: readonly StreamEvent[]): boolean =>
  events.some(({ type }) => type === 'session.status_idle');

describe('of many readers', () => {
  it(`each of ${READERS} gets every event once and in order`, async () => {
    const talk = await scene.newTalk();
    const tapes = await Promise.all(
      Array.from({ length: READERS }, (_, index) => talk.tape(index % 2 === 0 ? PREVIEWS : {})),
    );
    await talk.say('# think\n# tokens 120 2\n$& echo one\n$& echo two\n= A last word.');
    const all = await Promise.all(tapes.map((tape) => tape.untilIdle()));
    const first = await readFrames(talk, { query: '?after_seq=0' }, isIdle);
    expect(first.frames.map(({ id }) => Number(id))).toEqual(first.frames.map((_, at) => at + 1));
    for (const [index, events] of all.entries()) {
      expect(storedIds(events)).toEqual(storedIds(first.events));
      expect(events.some(isPreview)).toBe(index % 2 === 0);
      expectPreviewsInOrder(events);
    }
    const history = await talk.history();
    expect(storedIds(first.events).toSorted()).toEqual(history.map(({ id }) => id).toSorted());
  });

  it('one that stalls holds nobody up, and misses nothing when it goes on', async () => {
    const talk = await plain.newTalk();
    const tape = await talk.tape();
    const deaf = await Promise.all(Array.from({ length: DEAF_READERS }, () => openDeafly(talk)));
    // More than what the sockets of a connection hold between its two ends.
    const long = 'x'.repeat(100_000);
    await talk.say(...Array.from({ length: 100 }, () => long), '= Heard by who listens.');
    const events = await tape.untilIdle();
    const whole = storedIds(events);
    expect(ofType(events, 'user.message')).toHaveLength(101);
    for (const socket of deaf) {
      // It stood still all the while: most had not come to it when the others had all.
      expect(socket.bytesRead).toBeLessThan(long.length * 10);
      const late = await readOut(socket);
      expect(storedIds(late)).toEqual(whole);
    }
  });
});

/** A connection that asks for the stream and then does not read. */
async function openDeafly(talk: Talk): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  const headers = Object.entries({ host: hostname, ...HEADERS }).map((pair) => pair.join(': '));
  const request = `GET /v1/sessions/${talk.id}/events/stream HTTP/1.1`;
  socket.write(`${[request, ...headers].join('\r\n')}\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve));
  socket.pause();
  return socket;
}

/** Everything that waits in a connection, up to the end of the turn; leaves it then. */
async function readOut(socket: Socket): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  let unread = Buffer.alloc(0);
  const read = sseReader((frame) => {
    if (frame.event === 'message') events.push(JSON.parse(frame.data) as StreamEvent);
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let isBody = false;
  socket.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    if (!isBody) {
      const head = unread.indexOf('\r\n\r\n');
      if (head < 0) return;
      unread = unread.subarray(head + 4);
      isBody = true;
    }
    for (let piece = nextPiece(unread); piece; piece = nextPiece(unread)) {
      read(piece.data);
      unread = piece.rest;
    }
    if (isIdle(events)) socket.destroy();
  });
  socket.resume();
  await closed;
  return events;
}

/** The next whole chunk of a chunked body. */
function nextPiece(bytes: Buffer<ArrayBuffer>) {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return undefined;
  const start = end + 2;
  const length = Number.parseInt(bytes.toString('latin1', 0, end), 16);
  if (bytes.length < start + length + 2) return undefined;
  return {
    data: bytes.subarray(start, start + length),
    rest: bytes.subarray(start + length + 2),
  };
}

describe('a connection opened while the model speaks', () => {
  const words = '# think\n# tokens 300 5\n$ echo one\n# tokens 60 5';
  const hasDelta = (events: readonly StreamEvent[]): boolean =>
    events.some(({ type }) => type === 'event_delta');

  it('gets the message whole, no piece of it, and the previews of the next', async () => {
    const talk = await scene.newTalk();
    const early = await talk.tape(PREVIEWS);
    await talk.say(words);
    await early.until('a piece was shown', hasDelta);
    const late = await talk.tape(PREVIEWS);
    const events = await late.untilIdle();
    const [current, next] = ofType(await early.untilIdle(), 'agent.message');
    expect(storedIds(events)).toContain(current!.id);
    const about = new Set(events.map(previewedId));
    expect(about.has(current!.id)).toBe(false);
    expect(about.has(next!.id)).toBe(true);
    expectPreviewsInOrder(events);
  });

  it('that resumes by Last-Event-ID goes on without gap, and likewise', async () => {
    const talk = await scene.newTalk();
    const whole = await talk.tape(PREVIEWS);
    await talk.say(words);
    const query = PREVIEW_QUERY;
    const before = await readFrames(
      talk,
      { query, headers: { 'last-event-id': '0' } },
      (events) => events.filter(({ type }) => type === 'event_delta').length > 2,
    );
    // A preview has no id: the last one that had is where the reader was.
    const lastId = before.frames.findLast(({ id }) => id !== undefined)!.id!;
    const after = await readFrames(talk, { query, headers: { 'last-event-id': lastId } }, isIdle);
    const [current, next] = ofType(await whole.untilIdle(), 'agent.message');
    expect(before.events.map(previewedId)).toContain(current!.id);
    const about = new Set(after.events.map(previewedId));
    expect(about.has(current!.id)).toBe(false);
    expect(about.has(next!.id)).toBe(true);
    const ids = [...before.frames, ...after.frames].flatMap(({ id }) => id ?? []).map(Number);
    expect(ids).toEqual(ids.map((_, index) => index + 1));
    expect(storedIds(after.events).at(-1)).toBe(storedIds(whole.events).at(-1));
  });
});

/** The first thread of a session, read to the end of a turn. */
async function threadTurn(client: Anthropic, talk: Talk, text: string) {
  const [thread] = (await client.beta.sessions.threads.list(talk.id)).data;
  const stream = await client.beta.sessions.threads.events.stream(thread!.id, {
    session_id: talk.id,
    ...PREVIEWS,
  });
  await talk.say(text);
  const events: StreamEvent[] = [];
  for await (const event of stream) {
    events.push(event as StreamEvent);
    if (event.type === 'session.thread_status_idle') break;
  }
  return events;
}

describe('the stream of a thread', () => {
  it('carries previews as that of its session does', async () => {
    const talk = await plain.newTalk();
    const events = await threadTurn(plain.client, talk, '# think\n# tokens 80 5');
    expectPreviewsInOrder(events);
    const starts = ofType(events, 'event_start').map(({ event }) => event);
    const [thought] = ofType(events, 'agent.thinking');
    const [said] = ofType(events, 'agent.message');
    expect(starts).toEqual([
      { type: 'agent.thinking', id: thought!.id },
      { type: 'agent.message', id: said!.id },
    ]);
    const pieces = ofType(events, 'event_delta').map(({ event_id: id }) => id);
    expect(new Set(pieces)).toEqual(new Set([said!.id]));
  });

  it('ends a refused turn with refusal, as that of its session does', async () => {
    const talk = await plain.newTalk();
    const events = await threadTurn(plain.client, talk, '# refuse');
    const [idle] = ofType(events, 'session.thread_status_idle');
    expect(idle!.stop_reason).toEqual({ type: 'refusal' });
    expect(typesOf(events)).toContain('span.model_request_end');
  });
});

describe('the kinds of previews asked for', () => {
  const asked = (count: number, value = 'agent.message') =>
    Array.from({ length: count }, () => `event_deltas[]=${value}`).join('&');

  it.each([
    [`are at most ${VALUES_MAX}`, asked(VALUES_MAX), 200],
    [`are not ${VALUES_MAX + 1}`, asked(VALUES_MAX + 1), 400],
    ['are not others than two', asked(1, 'agent.tool_use'), 400],
    ['are not nothing', asked(1, ''), 400],
  ])('%s, on both streams', async (_, query, status) => {
    const talk = await plain.newTalk();
    const [thread] = (await plain.client.beta.sessions.threads.list(talk.id)).data;
    for (const path of ['events/stream', `threads/${thread!.id}/stream`]) {
      const stop = new AbortController();
      const response = await fetch(`${server.url}/v1/sessions/${talk.id}/${path}?${query}`, {
        headers: HEADERS,
        signal: stop.signal,
      });
      expect(response.status, path).toBe(status);
      if (status === 400) expect(await response.json()).toMatchObject({ type: 'error' });
      stop.abort();
    }
  });
});
