// Holds everything the server says against the SDK's types while other tests go about their work.
// `conformingFetch` passes answers through untouched, checks every JSON body and every streamed
// event on the way, and what the official client sent and the server took; conformance-setup.ts
// puts it in the place of `fetch` and fails the test during which something deviated.

import { VERSION } from '@anthropic-ai/sdk/version';
import { variantsIn } from '../coverage/event-variants.ts';
import { note } from '../coverage/records.ts';
import { sdkRouteOf } from '../coverage/sdk-routes.ts';
import type { SentKind } from '../conformance-schemas/sent.ts';
import type { WireKind } from '../conformance-schemas/wire.ts';
import { type Deviations, deviationsFrom, deviationsOfRequest } from './wire-schemas.ts';
import { sseReader, type SseFrame } from './sse-frames.ts';

export interface ConformanceLog {
  /** answers and events that do not fit the SDK's type, in words */
  violations: string[];
  /** properties the SDK's type does not have, in words */
  unknown: string[];
  bodiesChecked: number;
  requestsChecked: number;
  eventsChecked: number;
}

/** What `conformingFetch` has found since the last `resetConformance`. */
export const conformanceLog: ConformanceLog = {
  violations: [],
  unknown: [],
  bodiesChecked: 0,
  requestsChecked: 0,
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

// Documented routes that take a body, and what the SDK's types call it.
const REQUESTS: Readonly<Record<string, SentKind>> = {
  'POST /v1/agents': 'createAgent',
  'POST /v1/agents/{id}': 'updateAgent',
  'POST /v1/environments': 'createEnvironment',
  'POST /v1/environments/{id}': 'updateEnvironment',
  'POST /v1/sessions': 'createSession',
  'POST /v1/sessions/{id}': 'updateSession',
  'POST /v1/sessions/{id}/events': 'sendEvents',
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
  report(where, deviationsFrom(kind, value));
}

function report(where: string, found: Deviations): void {
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
  noteEventsIn(body);
  const kind = ANSWERS[route];
  if (kind === undefined || kind === 'stream' || kind === 'threadStream') {
    conformanceLog.violations.push(`${where}: a JSON answer that no documented route gives`);
    return;
  }
  record(where, kind, body);
}

/** An answer that lists or echoes events carries them as a stream does. */
function noteEventsIn(body: unknown): void {
  const data = (body as { data?: unknown } | null | undefined)?.data;
  if (!Array.isArray(data)) return;
  for (const variant of data.flatMap(variantsIn)) note('event', variant);
}

/** Checks a body that the server took, where the official client of this version sent it. */
export function checkRequest(path: string, method: string, body: unknown): void {
  const route = `${method.toUpperCase()} ${routeOf(path)}`;
  conformanceLog.requestsChecked += 1;
  const kind = REQUESTS[route];
  if (kind === undefined) {
    conformanceLog.violations.push(`${route}: a body that no documented route takes`);
    return;
  }
  report(`accepted by ${route}`, deviationsOfRequest(kind, body));
}

/** Checks one event as a session's stream, or a thread's, carries it. */
export function checkEvent(
  event: unknown,
  kind: 'streamEvent' | 'threadStreamEvent' = 'streamEvent',
): void {
  conformanceLog.eventsChecked += 1;
  const type = (event as { type?: unknown } | null)?.type;
  for (const variant of variantsIn(event)) note('event', variant);
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

interface Call {
  method: string;
  path: string;
  headers: Headers;
  /** parsed; undefined where there is none or it is not JSON */
  body: unknown;
}

function callOf(input: string | URL | Request, init: RequestInit | undefined): Call {
  const request = input instanceof Request ? input : undefined;
  const text = init?.body;
  return {
    method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
    path: new URL(input instanceof Request ? input.url : input).pathname,
    headers: new Headers(init?.headers ?? request?.headers),
    body: typeof text === 'string' ? parsed(text) : undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What an accepted request proves: the events in it, and the body of the official client. */
function judgeAccepted({ method, path, headers, body }: Call): void {
  if (body === undefined) return;
  const { events, initial_events: initial } = body as Record<string, unknown>;
  for (const list of [events, initial]) {
    if (!Array.isArray(list)) continue;
    for (const variant of list.flatMap(variantsIn)) note('sent', variant);
  }
  if (headers.get('x-stainless-package-version') === VERSION) checkRequest(path, method, body);
}

function judge(call: Call, { status }: Response): void {
  const route = sdkRouteOf(call.method, call.path);
  if (route !== undefined) note('answer', `${route} ${String(status)[0]}xx`);
  if (status < 300) judgeAccepted(call);
}

/** Whether an answer is one of the API's; the scripted model speaks another. */
const isOurs = (path: string): boolean => path.startsWith('/v1/') && path !== '/v1/messages';

const bareFetch = globalThis.fetch;

/** `fetch`, with everything of the API held against the contract on its way. */
export const conformingFetch: typeof fetch = async (input, init) => {
  const response = await bareFetch(input, init);
  const call = callOf(input, init);
  if (!isOurs(call.path)) return response;
  const { method, path } = call;
  judge(call, response);
  checkHeaders(`${method} ${routeOf(path)} ${response.status}`, response);
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const ofThread = ANSWERS[`${method} ${routeOf(path)}`] === 'threadStream';
    return checkedStream(response, ofThread ? 'threadStreamEvent' : 'streamEvent');
  }
  // An answer to HEAD has no body.
  if (method === 'HEAD') return response;
  checkBody(path, method, response.status, parsed(await response.clone().text()));
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
