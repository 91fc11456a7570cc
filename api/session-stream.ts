// A session's live stream as server-sent events. Every frame is named `message` (the one name that
// all official clients deliver), stored events carry their seq as `id:`, a silent stream is kept
// alive by `ping`. One frame is read from the follower at a time, when the connection has room for
// it, so a slow reader costs no memory here; readers of one event share its bytes. docs:
// managed-agents/events-and-streaming; behaviour 6.10.

import { ApiError, errorBody } from '../protocol/errors.ts';
import { streamEventsQuery } from '../protocol/events.ts';
import { STREAM_HEARTBEAT_MS } from '../protocol/limits.ts';
import { parseQuery } from '../protocol/parse.ts';
import type { FollowItem } from '../store/log-reader.ts';
import { type ApiRequest, destroyAnswer, queryOf, responseHeaders } from './request.ts';
import { sessionKey } from './sessions.ts';

const HEARTBEAT = Symbol('heartbeat');
const ENCODER = new TextEncoder();
const PING_FRAME = ENCODER.encode('event: ping\ndata: {"type":"ping"}\n\n');
/** Frames by their event, which all who read it at about the same time are handed alike */
const FRAMES = new WeakMap<object, Uint8Array>();
const SEQ = /^\d{1,15}$/;

/** GET /v1/sessions/{session_id}/events/stream */
export async function streamEvents(request: ApiRequest): Promise<Response> {
  return streamEventsOf(request, undefined);
}

/**
 * Opens the stream of a session or of one of its threads. `Last-Event-ID` or `after_seq` (our
 * extensions) resume right after that event; without them the stream begins now.
 */
export async function streamEventsOf(
  request: ApiRequest,
  threadId: string | undefined,
): Promise<Response> {
  const key = sessionKey(request);
  const query = parseQuery(streamEventsQuery, queryOf(request));
  const after = query.after_seq ?? lastEventId(request);
  const stream = new OpenStream(request);
  // The reader's place is fixed before the headers go out: a client that has them misses nothing.
  const following = request.deps.follower.follow({
    ...key,
    ...(threadId === undefined ? {} : { threadId }),
    ...(after === undefined ? {} : { after }),
    deltas: new Set(query.event_deltas ?? []),
    signal: stream.signal,
    onStalled: () => destroyAnswer(request.context),
  });
  const items = await following.catch((error: unknown) => {
    stream.leave();
    throw error;
  });
  return new Response(bodyOf(request, stream, items), {
    headers: {
      ...responseHeaders(request.deps, request.requestId, request.workspaceId),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // Proxies of the nginx family would otherwise hold frames back.
      'x-accel-buffering': 'no',
    },
  });
}

function lastEventId(request: ApiRequest): number | undefined {
  const header = request.context.req.header('last-event-id');
  if (header === undefined || header === '') return undefined;
  if (SEQ.test(header)) return Number(header);
  throw new ApiError('invalid_request_error', 'Last-Event-ID: expected the id of a stream frame.');
}

/** One stream while it is open: counted for its key, and ended by the drain or a revoked key. */
class OpenStream {
  /** frames of events that were sent */
  sent = 0;
  /** set once its key was revoked */
  refusal: ApiError | undefined;
  readonly #reader = new AbortController();
  readonly #leave: () => void;
  #isOpen = true;

  constructor({ guard, keyId }: ApiRequest) {
    this.#leave = guard.streams.open(keyId, (error) => {
      this.refusal = error ?? undefined;
      this.stop();
    });
  }

  get signal(): AbortSignal {
    return this.#reader.signal;
  }

  /** Wakes the follower, which then ends by itself. */
  stop(): void {
    this.#reader.abort();
  }

  /** Uncounts it; true the first time, as a client that goes away ends it from two sides. */
  leave(): boolean {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#leave();
    return wasOpen;
  }
}

/** Makes the body: pulled by the connection, ended by the follower, the client or `stream`. */
function bodyOf(
  request: ApiRequest,
  stream: OpenStream,
  items: AsyncIterator<FollowItem>,
): ReadableStream<Uint8Array> {
  const frames = framesOf(request, stream, items);
  const close = (): void => {
    if (stream.leave()) request.guard.audit.streamClosed(request.visit, stream.sent);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await frames.next();
        if (done !== true) return controller.enqueue(value);
        close();
        controller.close();
      },
      cancel() {
        close();
        stream.stop();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* framesOf(
  request: ApiRequest,
  stream: OpenStream,
  items: AsyncIterator<FollowItem>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { deps, requestId } = request;
  let next: Promise<IteratorResult<FollowItem>> | undefined;
  try {
    for (;;) {
      next ??= items.next();
      const result = await beforeHeartbeat(next);
      if (result === HEARTBEAT) {
        yield PING_FRAME;
        continue;
      }
      next = undefined;
      if (stream.refusal !== undefined) return yield errorFrame(stream.refusal, requestId);
      if (result.done === true) return;
      const item = result.value;
      if (item.kind === 'end') {
        if (item.reason === 'too_slow') yield tooSlow(requestId);
        return;
      }
      stream.sent += 1;
      yield frameOf(item);
    }
  } catch (error) {
    // The status was sent long ago: an error frame is what the client libraries raise.
    deps.log.warn({ err: error, request_id: requestId }, 'a stream ended by an error');
    yield errorFrame(error, requestId);
  }
}

async function beforeHeartbeat<T>(next: Promise<T>): Promise<T | typeof HEARTBEAT> {
  let timer: NodeJS.Timeout | undefined;
  const heartbeat = new Promise<typeof HEARTBEAT>((resolve) => {
    timer = setTimeout(resolve, STREAM_HEARTBEAT_MS, HEARTBEAT);
  });
  try {
    return await Promise.race([next, heartbeat]);
  } finally {
    clearTimeout(timer);
  }
}

function frameOf(item: Exclude<FollowItem, { kind: 'end' }>): Uint8Array {
  const known = FRAMES.get(item.event);
  if (known !== undefined) return known;
  const id = item.kind === 'event' ? `id: ${item.seq}\n` : '';
  const frame = ENCODER.encode(`${id}event: message\ndata: ${JSON.stringify(item.event)}\n\n`);
  FRAMES.set(item.event, frame);
  return frame;
}

function tooSlow(requestId: string): Uint8Array {
  const error = new ApiError(
    'overloaded_error',
    'This reader fell too far behind and was cut off. Open the stream again with the header ' +
      'Last-Event-ID set to the last `id` it read; nothing is lost.',
    { error_code: 'stream_reader_too_slow' },
  );
  return errorFrame(error, requestId);
}

function errorFrame(error: unknown, requestId: string): Uint8Array {
  const data = JSON.stringify(errorBody(error, requestId));
  return ENCODER.encode(`event: error\ndata: ${data}\n\n`);
}
