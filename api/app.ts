// The HTTP API as one list. Each route is one function of the file named after its resource, and
// says where it has fields and whether it needs no beta header; all pass the gate (request.ts),
// which is where keys, limits, headers, unknown fields, errors, request ids and the audit log are
// dealt with.

import { type Context, Hono } from 'hono';
import * as agents from './agents.ts';
import { createAuditLog } from './audit.ts';
import type { ApiDeps } from './deps.ts';
import * as environments from './environments.ts';
import { answerHealth } from './health.ts';
import { createKeyCache } from './key-cache.ts';
import * as models from './models.ts';
import { createOpenStreams } from './open-streams.ts';
import { createRateLimiter } from './rate-limit.ts';
import {
  answerFailure,
  answerUnknownRoute,
  gate,
  type Guard,
  type RouteAccess,
  type RouteHandler,
  type RouteReads,
} from './request.ts';
import * as sessionEvents from './session-events.ts';
import * as sessionStream from './session-stream.ts';
import * as sessions from './sessions.ts';
import * as threads from './threads.ts';

const AGENT = '/v1/agents/:agent_id';
const ENVIRONMENT = '/v1/environments/:environment_id';
const SESSION = '/v1/sessions/:session_id';
const THREAD = `${SESSION}/threads/:thread_id`;

type Method = 'GET' | 'POST' | 'DELETE';

/** Every route with its handler, where it has fields, and who may call it. */
export const ROUTES: readonly (readonly [
  Method,
  string,
  RouteHandler,
  RouteReads,
  RouteAccess?,
])[] = [
  ['POST', '/v1/agents', agents.createAgent, 'body'],
  ['GET', '/v1/agents', agents.listAgents, 'query'],
  ['GET', AGENT, agents.retrieveAgent, 'query'],
  ['POST', AGENT, agents.updateAgent, 'body'],
  ['POST', `${AGENT}/archive`, agents.archiveAgent, 'nothing'],
  ['GET', `${AGENT}/versions`, agents.listAgentVersions, 'query'],

  ['POST', '/v1/environments', environments.createEnvironment, 'body'],
  ['GET', '/v1/environments', environments.listEnvironments, 'query'],
  ['GET', ENVIRONMENT, environments.retrieveEnvironment, 'nothing'],
  ['POST', ENVIRONMENT, environments.updateEnvironment, 'body'],
  ['DELETE', ENVIRONMENT, environments.deleteEnvironment, 'nothing'],
  ['POST', `${ENVIRONMENT}/archive`, environments.archiveEnvironment, 'nothing'],

  ['POST', '/v1/sessions', sessions.createSession, 'body'],
  ['GET', '/v1/sessions', sessions.listSessions, 'query'],
  ['GET', SESSION, sessions.retrieveSession, 'nothing'],
  ['POST', SESSION, sessions.updateSession, 'body'],
  ['DELETE', SESSION, sessions.deleteSession, 'nothing'],
  ['POST', `${SESSION}/archive`, sessions.archiveSession, 'nothing'],

  ['POST', `${SESSION}/events`, sessionEvents.sendEvents, 'body'],
  ['GET', `${SESSION}/events`, sessionEvents.listEvents, 'query'],
  ['GET', `${SESSION}/events/stream`, sessionStream.streamEvents, 'query'],

  ['GET', `${SESSION}/threads`, threads.listThreads, 'query'],
  ['GET', THREAD, threads.retrieveThread, 'nothing'],
  ['GET', `${THREAD}/events`, threads.listThreadEvents, 'query'],
  ['GET', `${THREAD}/stream`, threads.streamThread, 'query'],

  ['GET', '/v1/models', models.listModels, 'query', 'anyone'],
  ['GET', '/v1/models/:model_id', models.retrieveModel, 'nothing', 'anyone'],
];

/** Builds the API over its collaborators; it listens nowhere by itself and needs no closing. */
export function createApp(deps: ApiDeps): Hono {
  const app = new Hono();
  const guard: Guard = {
    keys: createKeyCache(deps),
    limiter: createRateLimiter(deps.rateLimits ?? {}),
    streams: createOpenStreams(deps, deps.rateLimits?.streams),
    audit: createAuditLog(deps.auditLog),
  };
  for (const [method, path, handler, reads, access = 'managed-agents'] of ROUTES) {
    app.on(method, path, gate(deps, guard, { method, path, handler, reads, access }));
  }
  app.get('/healthz', (context: Context) => answerHealth(deps, context));
  app.notFound((context) => answerUnknownRoute(deps, context, guard.audit));
  app.onError((error, context) => answerFailure(deps, context, error));
  return app;
}
