// A request's JSON body: read within a bound and decoded strictly. Whatever is wrong is the
// caller's mistake and says so; what the value may hold is the protocol's business
// (protocol/parse.ts).

import type { Context } from 'hono';
import { ApiError } from '../protocol/errors.ts';
import { REQUEST_BODY_BYTES_MAX } from '../protocol/limits.ts';
import { nothing, parseBody } from '../protocol/parse.ts';

export interface JsonBody {
  value: unknown;
  /** as received, for digests */
  bytes: Uint8Array;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the body. ApiError 413 past the bound, 400 for a charset other than UTF-8, an encoding, a
 * media type other than JSON, bytes that are not UTF-8 and text that is not JSON.
 */
export async function readJsonBody(context: Context): Promise<JsonBody> {
  checkHeaders(context);
  const bytes = await readBytes(context);
  return { value: parseJson(decode(bytes)), bytes };
}

/**
 * Makes sure that a route without fields was sent none: no body, an empty one or `{}`. ApiError 400
 * that names what else is in it, and for any body of a GET, which cannot be read.
 */
export async function refuseFields(context: Context): Promise<void> {
  const length = context.req.header('content-length') ?? '0';
  if (length === '0' && context.req.header('transfer-encoding') === undefined) return;
  if (context.req.method === 'GET') {
    throw new ApiError('invalid_request_error', 'body: a GET request has none.');
  }
  const bytes = await readBytes(context);
  if (bytes.byteLength === 0) return;
  checkHeaders(context);
  parseBody(nothing, parseJson(decode(bytes)));
}

function checkHeaders(context: Context): void {
  const encoding = context.req.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ApiError(
      'invalid_request_error',
      'content-encoding: request bodies must be sent unencoded.',
      { error_code: 'request_body_encoding_unsupported' },
    );
  }
  const type = context.req.header('content-type');
  if (type === undefined) return;
  const [media = '', ...parameters] = type.toLowerCase().split(';');
  if (!/^\s*application\/([\w.-]+\+)?json\s*$/.test(media)) {
    throw new ApiError('invalid_request_error', 'content-type: expected `application/json`.');
  }
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(parameter)?.[1])
    .find((found) => found !== undefined);
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw new ApiError('invalid_request_error', 'content-type: the charset must be `utf-8`.', {
      error_code: 'unsupported_charset',
    });
  }
}

async function readBytes(context: Context): Promise<Uint8Array> {
  const declared = context.req.header('content-length');
  if (declared !== undefined) {
    if (Number(declared) > REQUEST_BODY_BYTES_MAX) throw tooLarge();
    // The HTTP parser holds the body to its declared length.
    return new Uint8Array(await context.req.raw.arrayBuffer());
  }
  const body = context.req.raw.body;
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > REQUEST_BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ApiError('invalid_request_error', 'The request body is not valid UTF-8.');
  }
}

function tooLarge(): ApiError {
  return new ApiError(
    'request_too_large',
    `The request body exceeds the maximum of ${REQUEST_BODY_BYTES_MAX} bytes.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = text.trim() === '' ? 'it is empty' : (error as SyntaxError).message;
    throw new ApiError('invalid_request_error', `The request body is not valid JSON: ${why}`);
  }
}
