// One GET that may be redirected: each hop is checked before it is dialled, the body is bounded as
// it arrives and again as it unpacks, and the whole has one deadline. What goes wrong out there is
// a WebFailure; only the caller's abort is thrown as it is.

import { pipeline } from 'node:stream/promises';
import { Transform, type Duplex } from 'node:stream';
import { MIMEType } from 'node:util';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import { Agent, request, type Dispatcher } from 'undici';
import {
  WEB_BODY_BYTES_MAX,
  WEB_FETCH_MS,
  WEB_HEADER_BYTES_MAX,
  WEB_REDIRECTS_MAX,
} from '../../protocol/server-tool-limits.ts';
import type { AddressGuard } from './address-guard.ts';
import { WebFailure } from './web-outcome.ts';

export interface Download {
  /** Where the redirects ended */
  url: URL;
  /** Lower case without parameters; null when the server names none that can be read */
  mediaType: string | null;
  charset: string | null;
  bytes: Buffer;
}

export interface DownloadRules {
  guard: AddressGuard;
  /** Called for every hop before it is dialled; throws a WebFailure for one that is not wanted */
  checkUrl: (url: URL) => void;
  /** `ms`, for tests; `WEB_FETCH_MS` without it */
  timeoutMs?: number | undefined;
}

const HEADERS = {
  accept: 'text/html, application/xhtml+xml, text/markdown, text/plain, application/pdf, */*;q=0.5',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'accept-language': 'en, *;q=0.5',
  'user-agent': 'Mozilla/5.0 (compatible; Holdfast web_fetch)',
};
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** Fetches a URL. Throws a WebFailure, or the reason of `signal` once that is aborted. */
export async function download(
  start: URL,
  rules: DownloadRules,
  signal: AbortSignal,
): Promise<Download> {
  const timeoutMs = rules.timeoutMs ?? WEB_FETCH_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  const dispatcher = new Agent({
    connect: { lookup: rules.guard.lookup },
    allowH2: false,
    // No connection outlives its call: what was checked then is not trusted later.
    pipelining: 0,
    maxHeaderSize: WEB_HEADER_BYTES_MAX,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  try {
    return await follow(start, rules, {
      dispatcher,
      signal: AbortSignal.any([signal, deadline]),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (deadline.aborted) {
      const reason = `no complete answer within ${timeoutMs / 1000} seconds`;
      throw new WebFailure('url_not_accessible', reason);
    }
    throw asFailure(error);
  } finally {
    await dispatcher.destroy();
  }
}

interface Connection {
  dispatcher: Dispatcher;
  signal: AbortSignal;
}

async function follow(start: URL, rules: DownloadRules, via: Connection): Promise<Download> {
  let url = start;
  for (let hop = 0; hop <= WEB_REDIRECTS_MAX; hop += 1) {
    rules.checkUrl(url);
    rules.guard.checkLiteral(url);
    const response = await request(url.href, { ...via, method: 'GET', headers: HEADERS });
    const location = response.headers['location'];
    if (!REDIRECTS.includes(response.statusCode) || location === undefined) {
      return { url, ...(await readResponse(response, via.signal)) };
    }
    discard(response);
    const next = URL.parse(String(location), url.href);
    if (next === null || !/^https?:$/.test(next.protocol)) {
      throw new WebFailure('url_not_accessible', 'the server redirects to what is no web address');
    }
    url = next;
  }
  throw new WebFailure('url_not_accessible', `more than ${WEB_REDIRECTS_MAX} redirects`);
}

async function readResponse(
  response: Dispatcher.ResponseData,
  signal: AbortSignal,
): Promise<Omit<Download, 'url'>> {
  const { statusCode, headers } = response;
  if (statusCode < 200 || statusCode > 299) {
    discard(response);
    throw new WebFailure('url_not_accessible', `the server answered with status ${statusCode}`);
  }
  if (Number(headers['content-length'] ?? 0) > WEB_BODY_BYTES_MAX) {
    discard(response);
    throw tooLarge();
  }
  const unpack = unpacker(String(headers['content-encoding'] ?? ''));
  const chunks: Buffer[] = [];
  const stages = unpack === null ? [] : [bounded(), unpack];
  await pipeline([response.body, ...stages, bounded((chunk) => chunks.push(chunk))], { signal });
  return { ...contentType(headers['content-type']), bytes: Buffer.concat(chunks) };
}

/** A stage that fails when more than the bound has passed; the last one keeps what it sees. */
function bounded(keep?: (chunk: Buffer) => void): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      bytes += chunk.length;
      if (bytes > WEB_BODY_BYTES_MAX) callback(tooLarge());
      else if (keep === undefined) callback(null, chunk);
      else {
        keep(chunk);
        callback();
      }
    },
  });
}

function unpacker(encoding: string): Duplex | null {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return null;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      return createZstdDecompress();
    default:
      throw new WebFailure('url_not_accessible', 'the server packs its answer in an unknown way');
  }
}

function contentType(header: string | string[] | undefined): {
  mediaType: string | null;
  charset: string | null;
} {
  try {
    const type = new MIMEType(String(header));
    return { mediaType: type.essence.toLowerCase(), charset: type.params.get('charset') };
  } catch {
    return { mediaType: null, charset: null };
  }
}

/** Ends a response whose body nobody reads. */
function discard(response: Dispatcher.ResponseData): void {
  response.body.on('error', () => {});
  response.body.destroy();
}

function tooLarge(): WebFailure {
  return new WebFailure('content_too_large', `more than ${WEB_BODY_BYTES_MAX} bytes`);
}

/** The failure behind an error of the network; a refused address arrives inside of one. */
function asFailure(error: unknown): WebFailure {
  if (error instanceof WebFailure) return error;
  const inner = error instanceof AggregateError ? error.errors[0] : (error as Error).cause;
  if (inner instanceof WebFailure) return inner;
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  return new WebFailure('url_not_accessible', `the server cannot be read${detail}`);
}
