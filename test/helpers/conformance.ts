// Holds everything the server says against the SDK's types while other tests go about their work.
// Hand `conformingFetch` to a client: it passes answers through untouched, checks every JSON body
// and every streamed event on the way, and keeps what it found. conformance-setup.ts then fails the
// test during which something deviated.

import type { WireKind } from '../conformance-schemas/wire.ts';
import { deviationsFrom } from './wire-schemas.ts';
import { sseReader, type SseFrame } from './sse-frames.ts';

export interface ConformanceLog {
  /** answers and events that do not fit the SDK's type, in words */
  violations: string[];
  /** properties the SDK's type does not have, in words */
  unknown: string[];
  bodiesChecked: number;
  eventsChecked: number;
}

/** What `conformingFetch` has found since the last `resetConformance`. */
export const conformanceLog: ConformanceLog = {
  violations: [],
  unknown: [],
  bodiesChecked: 0,
  eventsChecked: 0,
};

// Documented routes and what a 200 of each carries. docs: the API reference, one row a method.
const ANSWERS: Record<string, WireKind | 'stream' | 'threadStream'> = {
  'POST /v1/agents': 'agent',
  'GET /v1/agents': 'agentPage',
  'GET /v1/agents/{id}': 'agent',
  'POST /v1/agents/{id}': 'agent',
  'POST /v1/agents/{id}/archive': 'agent',
  'GET /v1/agents/{id}/versions': 'agentPage',
  'POST /v1/environments': 'environment',
  'GET /v1/environments': 'environmentPage',
  'GET /v1/environments/{id}': 'environment',
  'POST /v1/environments/{id}': 'environment',
  'DELETE /v1/environments/{id}': 'deletedEnvironment',
  'POST /v1/environments/{id}/archive': 'environment',
  'POST /v1/sessions': 'session',
  'GET /v1/sessions': 'sessionPage',
  'GET /v1/sessions/{id}': 'session',
  'POST /v1/sessions/{id}': 'session',
  'DELETE /v1/sessions/{id}': 'deletedSession',
  'POST /v1/sessions/{id}/archive': 'session',
  'GET /v1/sessions/{id}/events': 'eventPage',
  'POST /v1/sessions/{id}/events': 'sentEvents',
  'GET /v1/sessions/{id}/events/stream': 'stream',
  'GET /v1/models': 'modelPage',
  'GET /v1/models/{id}': 'model',
  'GET /v1/sessions/{id}/threads': 'threadPage',
  'GET /v1/sessions/{id}/threads/{id}': 'thread',
  'POST /v1/sessions/{id}/threads/{id}/archive': 'thread',
  'GET /v1/sessions/{id}/threads/{id}/events': 'eventPage',
  'GET /v1/sessions/{id}/threads/{id}/stream': 'threadStream',
};

// Properties of ours beyond the SDK's types, each with its row in docs/differences.md. None so far.
const OUR_EXTENSIONS: readonly string[] = [];

/** `/v1/sessions/sesn_1/threads/sthr_2` → `/v1/sessions/{id}/threads/{id}`. */
function routeOf(path: string): string {
  const words = path.replace(/\?.*$/, '').replace(/\/+$/, '').split('/');
  return words
    .map((word, index) => (index >= 3 && index % 2 === 1 && !isVerb(words, index) ? '{id}' : word))
    .join('/');
}

// An odd position holds an id, save for the actions that end a path there.
const isVerb = (words: string[], index: number): boolean =>
  index === words.length - 1 && words[index - 1] === 'events' && words[index] === 'stream';

function record(where: string, kind: WireKind, value: unknown): void {
  const found = deviationsFrom(kind, value);
  conformanceLog.violations.push(...found.violations.map((text) => `${where}: ${text}`));
  conformanceLog.unknown.push(
    ...found.unknown
      .filter((path) => !OUR_EXTENSIONS.includes(path))
      .map((path) => `${where}: ${path}`),
  );
}

/** Checks one JSON answer of `method path`; `path` is concrete or a template with `{id}`. */
export function checkBody(path: string, method: string, status: number, body: unknown): void {
  conformanceLog.bodiesChecked += 1;
  const route = `${method.toUpperCase()} ${routeOf(path)}`;
  const where = `${route} ${status}`;
  if (status >= 400) return record(where, 'error', body);
  const kind = ANSWERS[route];
  if (kind === undefined || kind === 'stream' || kind === 'threadStream') {
    conformanceLog.violations.push(`${where}: a JSON answer that no documented route gives`);
    return;
  }
  record(where, kind, body);
}

/** Checks one event as a session's stream, or a thread's, carries it. */
export function checkEvent(
  event: unknown,
  kind: 'streamEvent' | 'threadStreamEvent' = 'streamEvent',
): void {
  conformanceLog.eventsChecked += 1;
  const type = (event as { type?: unknown } | null)?.type;
  record(`event ${typeof type === 'string' ? type : '(no type)'}`, kind, event);
}

function checkFrame(frame: SseFrame, kind: 'streamEvent' | 'threadStreamEvent'): void {
  if (frame.event === 'ping') return;
  const body = JSON.parse(frame.data) as unknown;
  if (frame.event === 'error') return record('event: error frame', 'error', body);
  // Frames without an `event:` line are dropped by every SDK, named frames by older ones.
  if (frame.event !== 'message') {
    conformanceLog.violations.push(`frame named ${JSON.stringify(frame.event)}, not "message"`);
  }
  checkEvent(body, kind);
}

function checkHeaders(where: string, response: Response): void {
  const requestId = response.headers.get('request-id');
  if (!requestId?.startsWith('req_')) {
    conformanceLog.violations.push(`${where}: request-id header is ${JSON.stringify(requestId)}`);
  }
}

/** Passes a stream on byte by byte and checks its frames; cancelling it cancels the source. */
function checkedStream(response: Response, kind: 'streamEvent' | 'threadStreamEvent'): Response {
  const read = sseReader((frame) => checkFrame(frame, kind));
  const passing = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      read(chunk);
      controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body?.pipeThrough(passing) ?? null, { status, statusText, headers });
}

/** A `fetch` for the SDK's clients: `new Anthropic({ fetch: conformingFetch })`. */
export const conformingFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const url = new URL(input instanceof Request ? input.url : input);
  if (!url.pathname.startsWith('/v1/')) return response;
  const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase();
  checkHeaders(`${method} ${routeOf(url.pathname)} ${response.status}`, response);
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const ofThread = ANSWERS[`${method} ${routeOf(url.pathname)}`] === 'threadStream';
    return checkedStream(response, ofThread ? 'threadStreamEvent' : 'streamEvent');
  }
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  checkBody(url.pathname, method, response.status, body);
  return response;
};

/** Forgets what was found; counts stay, so that a suite can say how much it checked. */
export function resetConformance(): void {
  conformanceLog.violations.length = 0;
  conformanceLog.unknown.length = 0;
}

/** Throws one error that lists every deviation found since the last reset, and resets. */
export function assertConformance(): void {
  const { violations, unknown } = conformanceLog;
  const lines = [
    ...violations.map((text) => `  breaks the SDK's type: ${text}`),
    ...unknown.map((text) => `  unknown to the SDK's type: ${text}`),
  ];
  resetConformance();
  if (lines.length > 0) {
    throw new Error(`the server left the contract:\n${[...new Set(lines)].join('\n')}`);
  }
}
