// The HTTP API as one list. Each route is one function of the file named after its resource; all
// pass the gate (request.ts), which is where keys, headers, errors and request ids are dealt with.

import { type Context, Hono } from 'hono';
import * as agents from './agents.ts';
import type { ApiDeps } from './deps.ts';
import * as environments from './environments.ts';
import { answerHealth } from './health.ts';
import { createKeyCache } from './key-cache.ts';
import { answerFailure, answerUnknownRoute, gate, type RouteHandler } from './request.ts';
import * as sessionEvents from './session-events.ts';
import * as sessionStream from './session-stream.ts';
import * as sessions from './sessions.ts';
import * as threads from './threads.ts';

const AGENT = '/v1/agents/:agent_id';
const ENVIRONMENT = '/v1/environments/:environment_id';
const SESSION = '/v1/sessions/:session_id';
const THREAD = `${SESSION}/threads/:thread_id`;

const ROUTES: readonly (readonly ['GET' | 'POST' | 'DELETE', string, RouteHandler])[] = [
  ['POST', '/v1/agents', agents.createAgent],
  ['GET', '/v1/agents', agents.listAgents],
  ['GET', AGENT, agents.retrieveAgent],
  ['POST', AGENT, agents.updateAgent],
  ['POST', `${AGENT}/archive`, agents.archiveAgent],
  ['GET', `${AGENT}/versions`, agents.listAgentVersions],

  ['POST', '/v1/environments', environments.createEnvironment],
  ['GET', '/v1/environments', environments.listEnvironments],
  ['GET', ENVIRONMENT, environments.retrieveEnvironment],
  ['POST', ENVIRONMENT, environments.updateEnvironment],
  ['DELETE', ENVIRONMENT, environments.deleteEnvironment],
  ['POST', `${ENVIRONMENT}/archive`, environments.archiveEnvironment],

  ['POST', '/v1/sessions', sessions.createSession],
  ['GET', '/v1/sessions', sessions.listSessions],
  ['GET', SESSION, sessions.retrieveSession],
  ['POST', SESSION, sessions.updateSession],
  ['DELETE', SESSION, sessions.deleteSession],
  ['POST', `${SESSION}/archive`, sessions.archiveSession],

  ['POST', `${SESSION}/events`, sessionEvents.sendEvents],
  ['GET', `${SESSION}/events`, sessionEvents.listEvents],
  ['GET', `${SESSION}/events/stream`, sessionStream.streamEvents],

  ['GET', `${SESSION}/threads`, threads.listThreads],
  ['GET', THREAD, threads.retrieveThread],
  ['GET', `${THREAD}/events`, threads.listThreadEvents],
  ['GET', `${THREAD}/stream`, threads.streamThread],
];

/** Builds the API over its collaborators; it listens nowhere by itself and needs no closing. */
export function createApp(deps: ApiDeps): Hono {
  const app = new Hono();
  const keys = createKeyCache(deps.sql);
  for (const [method, path, handler] of ROUTES) app.on(method, path, gate(deps, keys, handler));
  app.get('/healthz', (context: Context) => answerHealth(deps, context));
  app.notFound((context) => answerUnknownRoute(deps, context));
  app.onError((error, context) => answerFailure(deps, context, error));
  return app;
}
