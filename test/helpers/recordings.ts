// Plays a recorded conversation with the hosted service (May 2026) against a server and compares.
// Judged are status codes, which headers exist, id shapes, JSON types, null against absent, and the
// values that do not depend on time or id. Everything that may differ is in known-differences.ts,
// each with its cause; a difference that is not listed there is reported.

import { readFileSync } from 'node:fs';
import { KNOWN_DIFFERENCES, UNJUDGED_HEADERS } from './known-differences.ts';

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

const ID = /^([a-z]+)_[A-Za-z0-9]{20,}$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** The exchanges of one file of test/recordings, in order. */
export function readRecording(name: string): Exchange[] {
  const file = new URL(`../recordings/${name}.jsonl`, import.meta.url);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Exchange);
}

const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;

const isKnown = (route: string, path: string, what: string): boolean =>
  KNOWN_DIFFERENCES.some(
    (known) => known.route.test(route) && known.path.test(path) && known.what === what,
  );

/** Compares values at one path; a difference is a line `<route> <path>: <what was, what is>`. */
class Comparison {
  readonly differences: string[] = [];
  readonly route: string;

  constructor(route: string) {
    this.route = route;
  }

  private report(path: string, what: 'missing' | 'added' | 'value' | 'type', text: string): void {
    if (!isKnown(this.route, path, what)) {
      this.differences.push(`${this.route} ${path || '(top)'}: ${text}`);
    }
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

function compareAnswer(exchange: Exchange, response: Response, body: unknown): string[] {
  const comparison = new Comparison(routeOf(exchange));
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

/**
 * Sends the recorded requests in order, with recorded ids replaced by the server's own, and returns
 * every difference that is not a known one. Stops at the first status that differs, since what
 * follows builds on it.
 */
export async function replayRecording(name: string, target: Target): Promise<string[]> {
  const ids = new Map<string, string>();
  const withOurIds = (text: string): string => {
    let result = text;
    for (const [theirs, ours] of ids) result = result.replaceAll(theirs, ours);
    return result;
  };
  const differences: string[] = [];
  for (const exchange of readRecording(name)) {
    const path = withOurIds(exchange.path);
    await target.before?.(exchange.method, path);
    const response = await fetch(`${target.baseUrl}${path}`, {
      method: exchange.method,
      headers: {
        'x-api-key': target.apiKey,
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'managed-agents-2026-04-01',
        'content-type': 'application/json',
      },
      ...(exchange.request === null ? {} : { body: withOurIds(JSON.stringify(exchange.request)) }),
    });
    const body: unknown = await response.json();
    differences.push(...compareAnswer(exchange, response, body));
    if (response.status !== exchange.status) break;
    learnIds(ids, exchange.response, body);
  }
  return differences;
}
