// Search engines behind one function: an endpoint that speaks SearXNG's JSON, or Brave's API. They
// are the operator's own choice, so their addresses are not guarded; their answers are bounded.

import { request, type Dispatcher } from 'undici';
import { WEB_SEARCH_BYTES_MAX, WEB_SEARCH_MS } from '../../protocol/server-tool-limits.ts';
import type { UserLocation } from '../../protocol/web-settings.ts';
import { WebFailure } from './web-outcome.ts';

export interface SearchQuery {
  query: string;
  location: UserLocation | null;
}

export interface FoundPage {
  url: string;
  title: string;
  text: string;
}

/** Finds pages, best first. Throws a WebFailure, or the reason of `signal`. */
export type SearchProvider = (query: SearchQuery, signal: AbortSignal) => Promise<FoundPage[]>;

/** A provider for an endpoint with `GET /search?format=json`, as SearXNG has it. */
export function searxngProvider(baseUrl: string): SearchProvider {
  return async ({ query }, signal) => {
    const url = new URL(`${baseUrl.replace(/\/$/, '')}/search`);
    url.search = new URLSearchParams({ q: query, format: 'json' }).toString();
    const answer = await getJson(url, {}, signal);
    return pagesIn(field(answer, 'results'), 'content');
  };
}

/** A provider for Brave's search API; the user's location travels in its headers. */
export function braveProvider(baseUrl: string, apiKey: string): SearchProvider {
  return async ({ query, location }, signal) => {
    const url = new URL(`${baseUrl.replace(/\/$/, '')}/res/v1/web/search`);
    // Twenty is the most one request takes; the domain lists may drop some.
    const parameters = { q: query, count: '20', text_decorations: 'false', extra_snippets: 'true' };
    url.search = new URLSearchParams(parameters).toString();
    const place = {
      'x-loc-city': location?.city,
      'x-loc-state-name': location?.region,
      'x-loc-country': location?.country,
      'x-loc-timezone': location?.timezone,
    };
    const headers = Object.entries({ ...place, 'x-subscription-token': apiKey }).flatMap(
      ([name, value]) => (value == null ? [] : [[name, encodeHeader(value)] as const]),
    );
    const answer = await getJson(url, Object.fromEntries(headers), signal);
    return pagesIn(field(field(answer, 'web'), 'results'), 'description');
  };
}

/** Headers are ASCII; a city's name may not be. */
function encodeHeader(value: string): string {
  return /^[ -~]*$/.test(value) ? value : encodeURIComponent(value);
}

async function getJson(
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<unknown> {
  const deadline = AbortSignal.timeout(WEB_SEARCH_MS);
  try {
    const response = await request(url.href, {
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.any([signal, deadline]),
    });
    return await readJson(response);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof WebFailure) throw error;
    // Neither the address nor the key may reach the model; the code of a network error may.
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    const detail = typeof code === 'string' ? ` (${code})` : '';
    throw new WebFailure('unavailable', `the search provider cannot be read${detail}`);
  }
}

async function readJson({ statusCode, body }: Dispatcher.ResponseData): Promise<unknown> {
  body.on('error', () => {});
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (statusCode !== 200) {
    body.destroy();
    const code = statusCode === 429 ? 'too_many_requests' : 'unavailable';
    throw new WebFailure(code, `the search provider answered with status ${statusCode}`);
  }
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > WEB_SEARCH_BYTES_MAX) {
      throw new WebFailure('unavailable', 'the answer of the search provider is too large');
    }
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function pagesIn(results: unknown, textField: string): FoundPage[] {
  if (!Array.isArray(results)) return [];
  return results.flatMap((result: unknown) => {
    const url = field(result, 'url');
    if (typeof url !== 'string') return [];
    const more = field(result, 'extra_snippets');
    const texts = [field(result, textField), ...(Array.isArray(more) ? more : [])];
    const text = texts.filter((each) => typeof each === 'string' && each !== '').join('\n');
    const title = field(result, 'title');
    return [{ url, title: typeof title === 'string' ? title : '', text }];
  });
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
