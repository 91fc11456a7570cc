// The gate before every route and the only way out of one. In: a request id, the key's workspace
// and limits, the version and beta headers, no field where the route has none. Out: JSON with
// `request-id`, or the documented error body, and a line in the audit log. A handler between them
// only parses, asks the store and answers a value.

import type { Context } from 'hono';
import { ApiError, errorBody, HTTP_STATUS } from '../protocol/errors.ts';
import { ID_PREFIXES, isId, newId } from '../protocol/ids.ts';
import { DATABASE_RETRY_AFTER_SECONDS, ERROR_ECHO_CHARS_MAX } from '../protocol/limits.ts';
import {
  checkCursor,
  decodeCursor,
  type PageCursor,
  type PageList,
  type PageOrder,
  type TimeRange,
} from '../protocol/page.ts';
import { nothing, parseQuery } from '../protocol/parse.ts';
import { isConnectionLoss } from '../store/database.ts';
import type { OpenedKey } from '../store/keys.ts';
import { notFound } from '../store/not-found.ts';
import type { AuditLog, Visit } from './audit.ts';
import { opensManagedAgents } from './beta.ts';
import { refuseFields } from './body.ts';
import type { ApiDeps } from './deps.ts';
import type { KeyCache } from './key-cache.ts';
import type { OpenStreams } from './open-streams.ts';
import { kindOf, RateLimitError, type RateLimiter } from './rate-limit.ts';

/** A request that passed the gate. */
export interface ApiRequest {
  deps: ApiDeps;
  guard: Guard;
  visit: Visit;
  context: Context;
  requestId: string;
  keyId: string;
  workspaceId: string;
}

/** What stands at the gate: one of each in a process. */
export interface Guard {
  keys: KeyCache;
  limiter: RateLimiter;
  streams: OpenStreams;
  audit: AuditLog;
}

export interface Route {
  method: string;
  /** pattern, `/v1/agents/:agent_id` */
  path: string;
  handler: RouteHandler;
  reads: RouteReads;
  access: RouteAccess;
}

/** Answers a value to be sent as JSON with status 200, or a whole response. */
export type RouteHandler = (request: ApiRequest) => Promise<object>;

/** Where a route has fields; what a client sends elsewhere is refused before the handler runs. */
export type RouteReads = 'query' | 'body' | 'nothing';

/**
 * Who may call a route: `managed-agents`, only a request with that beta, others find nothing there;
 * `anyone`, every request with a key, whatever betas it names (docs: beta-headers).
 */
export type RouteAccess = 'managed-agents' | 'anyone';

/** Wraps a route's handler in the gate. Whatever it throws leaves as the documented error body. */
export function gate(
  deps: ApiDeps,
  guard: Guard,
  route: Route,
): (context: Context) => Promise<Response> {
  const { method, path, handler, reads, access } = route;
  const kind = kindOf(method, path);
  return async (context) => {
    const visit = newVisit(context, path);
    let leave: (() => void) | undefined;
    let response: Response;
    try {
      // The router would answer HEAD by a GET whose body nobody reads, and a stream would never
      // end.
      if (context.req.method === 'HEAD') throw unknownRoute(context);
      const key = await authenticate(context, guard.keys);
      visit.key = key;
      leave = guard.limiter.enter(key.keyId, kind);
      checkWorkspace(context, key.workspaceId);
      checkVersion(context);
      const isOpened = opensManagedAgents(context.req.header('anthropic-beta'));
      if (!isOpened && access === 'managed-agents') throw unknownRoute(context);
      const { requestId } = visit;
      const { keyId, workspaceId } = key;
      const request = { deps, guard, visit, context, requestId, keyId, workspaceId };
      if (reads !== 'query') parseQuery(nothing, queryOf(request));
      if (reads !== 'body') await refuseFields(context);
      const answer = await handler(request);
      response =
        answer instanceof Response
          ? answer
          : json(answer, 200, responseHeaders(deps, requestId, workspaceId));
    } catch (error) {
      response = refuse(deps, visit, error);
    }
    leave?.();
    guard.audit.answered(visit, response.status);
    return response;
  };
}

function newVisit(context: Context, route: string | null): Visit {
  // `key` from the start, so that every visit has one shape.
  return {
    context,
    requestId: newId('request'),
    route,
    startedAt: performance.now(),
    key: undefined,
  };
}

/** The headers that every answer carries. */
export function responseHeaders(
  deps: Pick<ApiDeps, 'organizationId'>,
  requestId: string,
  workspaceId: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'request-id': requestId,
    'anthropic-organization-id': deps.organizationId,
  };
  if (workspaceId !== undefined) headers['anthropic-workspace-id'] = workspaceId;
  return headers;
}

/**
 * Reads a path parameter `<kind>_id`. ApiError 400 for another prefix, 404 for what no id looks
 * like.
 */
export function pathId(
  request: ApiRequest,
  kind: 'agent' | 'environment' | 'session' | 'thread',
): string {
  const name = `${kind}_id`;
  const id = request.context.req.param(name) ?? '';
  const prefix = ID_PREFIXES[kind];
  if (!id.startsWith(prefix)) {
    throw new ApiError(
      'invalid_request_error',
      `${name}: expected an id that begins with \`${prefix}\`.`,
    );
  }
  if (!isId(kind, id)) throw notFound(kind, id);
  return id;
}

/** The query as the protocol's parsers read it: one string, or several where a name is repeated. */
export function queryOf(request: ApiRequest): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [name, values] of Object.entries(request.context.req.queries())) {
    query[name] = values.length === 1 ? values[0]! : values;
  }
  return query;
}

/** Reads the cursor of a list; a 400 when it is none of its own or belongs to another query. */
export function cursorOf(
  page: string | undefined,
  list: PageList,
  query: { order: PageOrder; createdAt?: TimeRange | undefined },
): PageCursor | undefined {
  if (page === undefined) return undefined;
  const cursor = decodeCursor(page, list);
  checkCursor(cursor, query);
  return cursor;
}

/** Answers a route or method that does not exist. */
export function answerUnknownRoute(deps: ApiDeps, context: Context, audit: AuditLog): Response {
  const visit = newVisit(context, null);
  const response = refuse(deps, visit, unknownRoute(context));
  audit.answered(visit, response.status);
  return response;
}

/** Answers a failure outside the gate: a health check that threw, a path that cannot be decoded. */
export function answerFailure(deps: ApiDeps, context: Context, error: unknown): Response {
  return refuse(deps, newVisit(context, null), error);
}

/** Runs `then` once the answer's last byte was handed to the system; never without a socket. */
export function afterAnswer(context: Context, then: () => void): void {
  const bindings = context.env as {
    outgoing?: { once(event: 'finish', listener: () => void): void };
  };
  bindings?.outgoing?.once('finish', then);
}

/** Closes the connection of an answer that its reader does not read. */
export function destroyAnswer(context: Context): void {
  (context.env as { outgoing?: { destroy(): void } }).outgoing?.destroy();
}

async function authenticate(context: Context, keys: KeyCache): Promise<OpenedKey> {
  const key = context.req.header('x-api-key') ?? bearer(context.req.header('authorization'));
  if (key === undefined) {
    throw new ApiError(
      'authentication_error',
      'No API key: send it as `x-api-key` or as `Authorization: Bearer`.',
    );
  }
  const opened = await keys.find(key);
  if (opened === null) throw new ApiError('authentication_error', 'The API key is not valid.');
  return opened;
}

function checkWorkspace(context: Context, workspaceId: string): void {
  const named = context.req.header('anthropic-workspace-id');
  // sdk 1.11.0: a credential of one workspace may omit the header; sent, it must match.
  if (named !== undefined && named !== workspaceId) {
    throw new ApiError(
      'permission_error',
      'anthropic-workspace-id: the API key belongs to another workspace.',
    );
  }
}

function bearer(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(header)?.[1];
}

/**
 * Both generations and whatever comes later are served alike; a missing version is too (our
 * choice).
 */
function checkVersion(context: Context): void {
  const version = context.req.header('anthropic-version');
  if (version !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(version)) {
    throw new ApiError(
      'invalid_request_error',
      'anthropic-version: expected a date such as `2026-10-21`.',
    );
  }
}

function unknownRoute(context: Context): ApiError {
  const { method, path } = context.req;
  return new ApiError(
    'not_found_error',
    `No such route: ${method} ${path.slice(0, ERROR_ECHO_CHARS_MAX)}`,
  );
}

/** Status of an answer that nobody reads any more; sdk 1.11.0 knows it too. */
const CLIENT_CLOSED_REQUEST = 499;

function refuse(deps: ApiDeps, { context, requestId, key }: Visit, error: unknown): Response {
  const headers = responseHeaders(deps, requestId, key?.workspaceId);
  const body = errorBody(error, requestId);
  if (error instanceof ApiError) {
    // The client libraries retry a 409 by themselves, which cannot help where a conflict stays.
    if (error.status === HTTP_STATUS.conflict_error) headers['x-should-retry'] = 'false';
    if (error instanceof RateLimitError) headers['retry-after'] = String(error.retryAfterSeconds);
    return json(body, error.status, headers);
  }
  const what = {
    err: error,
    request_id: requestId,
    method: context.req.method,
    path: context.req.path,
  };
  if (context.req.raw.signal.aborted) {
    deps.log.debug(what, 'the client went away before it was answered');
    return json(body, CLIENT_CLOSED_REQUEST, headers);
  }
  if (isConnectionLoss(error)) {
    deps.log.warn(what, 'the database cannot be reached');
    headers['retry-after'] = String(DATABASE_RETRY_AFTER_SECONDS);
    body.error.message = 'The database of this server cannot be reached at the moment; try again.';
    return json(body, 503, headers);
  }
  deps.log.error(what, 'request failed');
  return json(body, 500, headers);
}

/** Plain headers and a plain string: what @hono/node-server writes without building web objects. */
function json(body: object, status: number, headers: Record<string, string>): Response {
  return new Response(JSON.stringify(body), { status, headers });
}
