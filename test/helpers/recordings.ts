// Plays a recorded conversation with the hosted service (May 2026) against a server and compares.
// Judged are status codes, which headers exist, id shapes, JSON types, null against absent, and the
// values that do not depend on time or id. Everything that may differ is in known-differences.ts,
// each with its cause; a difference that is not listed there is reported, and so is which rows of
// the list were needed, so that none stays when it no longer is.

import { readFileSync, readdirSync } from 'node:fs';
import { KNOWN_DIFFERENCES, type KnownDifference, UNJUDGED_HEADERS } from './known-differences.ts';

export interface Exchange {
  method: string;
  path: string;
  status: number;
  request: unknown;
  response: unknown;
  response_header_names: string[];
}

export interface Target {
  baseUrl: string;
  apiKey: string;
  /** called before each exchange, with the path as sent; a place to wait until a session is idle */
  before?: (method: string, path: string) => Promise<void>;
}

export interface Replay {
  /** every difference that is not a known one, in words */
  differences: string[];
  /** the known ones that were met */
  met: Set<KnownDifference>;
  /** the routes that were called, as rows of known differences name them */
  routes: string[];
}

const ID = /^([a-z]+)_[A-Za-z0-9]{20,}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const DIRECTORY = new URL('../recordings/', import.meta.url);

/** The names of all recordings, sorted. */
export const RECORDINGS: readonly string[] = readdirSync(DIRECTORY)
  .map((file) => file.replace(/\.jsonl$/, ''))
  .toSorted();

/** The exchanges of one file of test/recordings, in order. */
export function readRecording(name: string): Exchange[] {
  const file = new URL(`${name}.jsonl`, DIRECTORY);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Exchange);
}

const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;

/** Compares values at one path; a difference is a line `<route> <path>: <what was, what is>`. */
class Comparison {
  readonly differences: string[] = [];
  readonly route: string;
  readonly #met: Set<KnownDifference>;

  constructor(route: string, met: Set<KnownDifference>) {
    this.route = route;
    this.#met = met;
  }

  private report(path: string, what: 'missing' | 'added' | 'value' | 'type', text: string): void {
    const known = KNOWN_DIFFERENCES.find(
      (one) => one.route.test(this.route) && one.path.test(path) && one.what === what,
    );
    if (known !== undefined) this.#met.add(known);
    else this.differences.push(`${this.route} ${path || '(top)'}: ${text}`);
  }

  compare(path: string, recorded: unknown, actual: unknown): void {
    const [was, is] = [kindOf(recorded), kindOf(actual)];
    if (was !== is) return this.report(path, 'type', `was ${was}, is ${is}`);
    if (was === 'array') return this.compareLists(path, recorded as unknown[], actual as unknown[]);
    if (was === 'object') return this.compareObjects(path, recorded as object, actual as object);
    this.compareScalars(path, recorded, actual);
  }

  private compareLists(path: string, recorded: unknown[], actual: unknown[]): void {
    if (actual.length < recorded.length) {
      this.report(path, 'missing', `had ${recorded.length} items, has ${actual.length}`);
    } else if (actual.length > recorded.length) {
      this.report(path, 'added', `had ${recorded.length} items, has ${actual.length}`);
    }
    for (const [index, item] of recorded.entries()) {
      if (index < actual.length) this.compare(`${path}[${index}]`, item, actual[index]);
    }
  }

  private compareObjects(path: string, recorded: object, actual: object): void {
    const [before, now] = [new Map(Object.entries(recorded)), new Map(Object.entries(actual))];
    for (const [key, value] of before) {
      const at = path ? `${path}.${key}` : key;
      if (now.has(key)) this.compare(at, value, now.get(key));
      else this.report(at, 'missing', 'was there, is absent');
    }
    for (const key of now.keys()) {
      const at = path ? `${path}.${key}` : key;
      if (!before.has(key)) this.report(at, 'added', 'was absent, is there');
    }
  }

  private compareScalars(path: string, recorded: unknown, actual: unknown): void {
    const [was, is] = [String(recorded), String(actual)];
    const prefix = ID.exec(was)?.[1];
    if (prefix !== undefined) {
      if (ID.exec(is)?.[1] !== prefix) {
        this.report(path, 'value', `was an id like ${was}, is ${is}`);
      }
    } else if (TIMESTAMP.test(was)) {
      if (!TIMESTAMP.test(is)) this.report(path, 'value', `was a time like ${was}, is ${is}`);
    } else if (was !== is) {
      this.report(path, 'value', `was ${JSON.stringify(recorded)}, is ${JSON.stringify(actual)}`);
    }
  }
}

/** `POST /v1/sessions/sesn_01…/events` → `POST /v1/sessions/{id}/events`. */
function routeOf(exchange: Exchange): string {
  const words = exchange.path.split('/').map((word) => (ID.test(word) ? '{id}' : word));
  return `${exchange.method} ${words.join('/')}`;
}

/** Remembers which of our ids stands for a recorded one, wherever both answers have one. */
function learnIds(ids: Map<string, string>, recorded: unknown, actual: unknown): void {
  if (typeof recorded === 'string' && typeof actual === 'string') {
    if (ID.test(recorded) && !ids.has(recorded)) ids.set(recorded, actual);
  } else if (recorded !== null && actual !== null && kindOf(recorded) === kindOf(actual)) {
    if (typeof recorded !== 'object') return;
    const now = new Map(Object.entries(actual as object));
    for (const [key, value] of Object.entries(recorded)) learnIds(ids, value, now.get(key));
  }
}

function compareAnswer(
  exchange: Exchange,
  { response, body }: { response: Response; body: unknown },
  met: Set<KnownDifference>,
): string[] {
  const comparison = new Comparison(routeOf(exchange), met);
  const differences: string[] = [];
  if (response.status !== exchange.status) {
    const said = JSON.stringify(body).slice(0, 300);
    return [`${comparison.route}: status was ${exchange.status}, is ${response.status} (${said})`];
  }
  for (const name of exchange.response_header_names) {
    if (!UNJUDGED_HEADERS.has(name) && !response.headers.has(name)) {
      differences.push(`${comparison.route}: header ${name} was there, is absent`);
    }
  }
  comparison.compare('', exchange.response, body);
  return [...differences, ...comparison.differences];
}

/** Sends one recorded request, as it was but for the key. */
export async function sendRecorded(exchange: Exchange, target: Target): Promise<Response> {
  return fetch(`${target.baseUrl}${exchange.path}`, {
    method: exchange.method,
    headers: {
      'x-api-key': target.apiKey,
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'managed-agents-2026-04-01',
      'content-type': 'application/json',
    },
    ...(exchange.request === null ? {} : { body: JSON.stringify(exchange.request) }),
  });
}

/**
 * Sends the recorded requests in order, with recorded ids replaced by the server's own, and
 * compares the answers. Stops at the first status that differs: what follows builds on it.
 */
export async function replayRecording(name: string, target: Target): Promise<Replay> {
  const ids = new Map<string, string>();
  const withOurIds = <T>(value: T): T => {
    let text = JSON.stringify(value);
    for (const [theirs, ours] of ids) text = text.replaceAll(theirs, ours);
    return JSON.parse(text) as T;
  };
  const replay: Replay = { differences: [], met: new Set(), routes: [] };
  for (const exchange of readRecording(name)) {
    const { path, request } = withOurIds({ path: exchange.path, request: exchange.request });
    await target.before?.(exchange.method, path);
    const response = await sendRecorded({ ...exchange, path, request }, target);
    const body: unknown = await response.json();
    replay.routes.push(routeOf(exchange));
    replay.differences.push(...compareAnswer(exchange, { response, body }, replay.met));
    if (response.status !== exchange.status) break;
    learnIds(ids, exchange.response, body);
  }
  return replay;
}
