// The audit log: one line a request, one more when a stream closes. Promise: a line holds ids,
// figures and the route as the server knows it; no body, no query, no header and nothing of a path
// that is not an id.

import type { Context } from 'hono';
import type { Logger } from 'pino';
import { isId } from '../protocol/ids.ts';
import type { OpenedKey } from '../store/keys.ts';

/** A request as far as it came. */
export interface Visit {
  readonly context: Context;
  readonly requestId: string;
  /** pattern, `/v1/agents/:agent_id`; null where there is none of that kind */
  readonly route: string | null;
  /** on the clock of `performance.now`, `ms` */
  readonly startedAt: number;
  /** undefined while nobody knows whose it is */
  key: OpenedKey | undefined;
}

export interface AuditLog {
  answered(visit: Visit, status: number): void;
  /** `events` is how many frames of events were sent, previews included */
  streamClosed(visit: Visit, events: number): void;
}

/** Makes the log; without a logger, or with one that is silent at `info`, it does nothing. */
export function createAuditLog(log: Logger | undefined): AuditLog {
  if (log?.isLevelEnabled('info') !== true) return { answered() {}, streamClosed() {} };
  return {
    answered(visit, status) {
      log.info(lineOf(visit, { status }), 'request');
    },
    streamClosed(visit, events) {
      log.info(lineOf(visit, { events }), 'stream closed');
    },
  };
}

function lineOf(
  { context, requestId, route, startedAt, key }: Visit,
  { status, events }: { status?: number; events?: number },
) {
  const sessionId = route === null ? undefined : context.req.param('session_id');
  // What is undefined, the logger leaves out.
  return {
    method: context.req.method,
    route,
    status,
    events,
    duration_ms: Math.round((performance.now() - startedAt) * 10) / 10,
    request_id: requestId,
    key_id: key?.keyId,
    workspace_id: key?.workspaceId,
    session_id: isId('session', sessionId) ? sessionId : undefined,
  };
}
