// What can go wrong with an MCP server, in words that may be shown: what we noticed, never what the
// server or a library wrote, since both like to quote URLs and headers. Each failure also says what
// may be done about it: whether the call certainly never reached its tool, and whether the
// connection is of any further use.

import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpError } from '@modelcontextprotocol/sdk/types.js';
import { RefusedAddressError } from './dial.ts';

/** An HTTP answer that is none to our request. */
export class McpHttpError extends Error {
  override readonly name = 'McpHttpError';
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/** More bytes than were asked for, or more requests than one connection may have under way. */
export class McpFloodError extends Error {
  override readonly name = 'McpFloodError';
}

/** The connection is over; what is asked of it now is not sent. */
export class McpEndedError extends Error {
  override readonly name = 'McpEndedError';
}

/** The credentials for a server could not be read. */
export class McpCredentialsError extends Error {
  override readonly name = 'McpCredentialsError';
}

/** The bound of time is reached. */
export class McpTimeoutError extends Error {
  override readonly name = 'McpTimeoutError';
  readonly afterMs: number;

  constructor(afterMs: number) {
    super(`nothing within ${afterMs} ms`);
    this.afterMs = afterMs;
  }
}

/**
 * Data of the JSON-RPC error that we give in the stead of an answer that cannot come any more. What
 * a server sends is never of this class.
 */
export class LostAnswer {
  /** What ended the whole connection; absent where only the answer is lost */
  readonly reason: Error | undefined;

  constructor(reason: Error | undefined) {
    this.reason = reason;
  }
}

export interface McpTrouble {
  /** sdk 1.11.0: the two MCP errors of BetaManagedAgentsSessionErrorEvent.error */
  type: 'mcp_connection_failed_error' | 'mcp_authentication_failed_error';
  /** What it did, to follow "the MCP server" */
  words: string;
  /** The request certainly reached no tool */
  isUnheard: boolean;
  /** The connection is to be given up */
  isFinal: boolean;
}

const FLOOD_WORDS = 'sent more than one answer may hold';

/** Failures to connect at all: nothing was sent. */
const UNSENT: readonly string[] = [
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
];

/** Reads any error of a connection; `hasSession` where the server gave the connection a session. */
export function troubleOf(error: unknown, hasSession: boolean): McpTrouble {
  if (error instanceof McpHttpError) return httpTrouble(error.status, hasSession);
  if (error instanceof StreamableHTTPError) return httpTrouble(error.code ?? -1, hasSession);
  if (error instanceof McpTimeoutError) {
    return trouble(`did not answer within ${Math.round(error.afterMs / 100) / 10} seconds`, {
      isFinal: false,
    });
  }
  if (error instanceof McpError) return rpcTrouble(error);
  if (error instanceof McpEndedError) return trouble('ended the connection', { isUnheard: true });
  if (error instanceof McpCredentialsError) {
    const words = 'was not asked, as its credentials could not be read';
    return { ...trouble(words, { isUnheard: true }), type: 'mcp_authentication_failed_error' };
  }
  const causes = causesOf(error);
  if (causes.some((cause) => cause instanceof RefusedAddressError)) {
    const words = 'has a link-local address or that of a metadata service, which is not dialled';
    return trouble(words, { isUnheard: true });
  }
  if (causes.some((cause) => cause instanceof McpFloodError)) {
    return trouble(FLOOD_WORDS);
  }
  const code = causes.map(codeOf).find((each) => each !== undefined);
  if (code !== undefined) {
    return trouble(`could not be reached (${code})`, { isUnheard: UNSENT.includes(code) });
  }
  return trouble('did not answer as an MCP server does');
}

function httpTrouble(status: number, hasSession: boolean): McpTrouble {
  if (status === 401 || status === 403) {
    const words = `refused the credentials, or the lack of any (HTTP ${status})`;
    return { ...trouble(words), type: 'mcp_authentication_failed_error' };
  }
  if (status >= 300 && status < 400) {
    return trouble(`redirects elsewhere (HTTP ${status}), which is not followed`);
  }
  if (status < 0) return trouble('did not answer as an MCP server does');
  // MCP, Streamable HTTP, session management: 404 says that the session is not known any more, so
  // the request was not looked at.
  const isExpired = status === 404 && hasSession;
  const isPassing = status === 429 || status >= 500;
  return trouble(`answered with HTTP status ${status}`, {
    isUnheard: isExpired,
    isFinal: !isPassing,
  });
}

function rpcTrouble(error: McpError): McpTrouble {
  if (error.data instanceof LostAnswer) {
    return error.data.reason instanceof McpFloodError
      ? trouble(FLOOD_WORDS)
      : trouble('ended the connection before it answered');
  }
  return trouble(`answered with an error (JSON-RPC ${error.code})`, { isFinal: false });
}

function trouble(
  words: string,
  options: { isUnheard?: boolean; isFinal?: boolean } = {},
): McpTrouble {
  const { isUnheard = false, isFinal = true } = options;
  return { type: 'mcp_connection_failed_error', words, isUnheard, isFinal };
}

/** An error and everything it names as its reason. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let each = error; each instanceof Error && causes.length < 8; each = each.cause) {
    causes.push(each, ...(each instanceof AggregateError ? each.errors.slice(0, 8) : []));
  }
  return causes;
}

/** The code of a failure of Node's or undici's; another program's error has none to show. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : undefined;
}
