// Sessions: create, list, retrieve, update, archive, delete. docs: managed-agents/sessions and
// managed-agents/session-operations. What is sent into one is session-events.ts's.

import { withClearedOverrides } from '../protocol/session-agent.ts';
import { ApiError } from '../protocol/errors.ts';
import { withShownEffort } from '../protocol/models/public-models.ts';
import { refuseNotYetSession } from '../protocol/not-yet.ts';
import { parseBody, parseQuery } from '../protocol/parse.ts';
import {
  checkSessionMetadata,
  createSessionRequest,
  listSessionsQuery,
  type Session,
  updateSessionRequest,
} from '../protocol/sessions.ts';
import { terminateSession } from '../store/session-life.ts';
import { updateSession as applyUpdate } from '../store/session-update.ts';
import * as store from '../store/sessions.ts';
import { readJsonBody } from './body.ts';
import { type ApiRequest, cursorOf, pathId, queryOf } from './request.ts';

/** POST /v1/sessions */
export async function createSession(request: ApiRequest) {
  const { value } = await readJsonBody(request.context);
  const body = parseBody(createSessionRequest, withClearedOverrides(value));
  refuseNotYetSession(body, request.deps.models);
  checkSessionMetadata(body.metadata ?? {});
  const agent =
    typeof body.agent === 'string' ? { type: 'agent' as const, id: body.agent } : body.agent;
  const { session, ring } = await store.createSession(request.deps.sql, {
    workspaceId: request.workspaceId,
    agentId: agent.id,
    agentVersion: 'version' in agent ? agent.version : undefined,
    environmentId: body.environment_id,
    title: body.title ?? null,
    metadata: body.metadata ?? {},
    initialEvents: body.initial_events ?? [],
    budget: body.budget ?? null,
    overrides: agent.type === 'agent_with_overrides' ? agent : undefined,
    models: request.deps.models,
    check: (agent) => body.budget !== undefined && checkBudgetable(request, agent),
  });
  if (ring !== null) void request.deps.doorbell.ring(session.id, ring);
  return shown(request, session);
}

/** GET /v1/sessions */
export async function listSessions(request: ApiRequest) {
  const query = parseQuery(listSessionsQuery, queryOf(request));
  const list = { name: 'sessions' } as const;
  const cursor = cursorOf(query.page, list, { order: query.order, createdAt: query.created_at });
  // No session of this server has a deployment or a memory store yet, so none can match one.
  if (query.deployment_id !== undefined || query.memory_store_id !== undefined) {
    return { data: [], next_page: null, prev_page: null };
  }
  const page = await store.listSessions(request.deps.sql, {
    list,
    workspaceId: request.workspaceId,
    includeArchived: query.include_archived,
    created: query.created_at ?? {},
    agentId: query.agent_id,
    // sdk 1.11.0: the version only counts beside an agent.
    agentVersion: query.agent_id === undefined ? undefined : query.agent_version,
    statuses: query.statuses,
    limit: query.limit,
    order: query.order,
    cursor,
  });
  return { ...page, data: page.data.map((session) => shown(request, session)) };
}

/** GET /v1/sessions/{session_id} */
export async function retrieveSession(request: ApiRequest) {
  return shown(request, await store.getSession(request.deps.sql, sessionKey(request)));
}

/** POST /v1/sessions/{session_id} */
export async function updateSession(request: ApiRequest) {
  const key = sessionKey(request);
  const body = parseBody(updateSessionRequest, (await readJsonBody(request.context)).value);
  refuseNotYetSession(body, request.deps.models);
  checkSessionMetadata(body.metadata ?? {});
  const { session, ring } = await applyUpdate(request.deps.sql, key, {
    request: body,
    models: request.deps.models,
    checkBudget: (agent) => checkBudgetable(request, agent),
  });
  if (ring !== null) void request.deps.doorbell.ring(key.sessionId, { ...ring, resumed: true });
  return shown(request, session);
}

/** POST /v1/sessions/{session_id}/archive */
export async function archiveSession(request: ApiRequest) {
  const key = sessionKey(request);
  await endSession(request, key, 'archive');
  return shown(request, await store.getSession(request.deps.sql, key));
}

/** DELETE /v1/sessions/{session_id} */
export async function deleteSession(request: ApiRequest) {
  const key = sessionKey(request);
  await endSession(request, key, 'delete');
  return { id: key.sessionId, type: 'session_deleted' };
}

function shown(request: ApiRequest, session: Session): Session {
  return { ...session, agent: withShownEffort(session.agent, request.deps.models) };
}

/** docs: managed-agents/budgets: every model that may run needs a public list price. */
function checkBudgetable(request: ApiRequest, agent: { model: { id: string } }): void {
  const { id } = agent.model;
  if (request.deps.models.find(id)?.price != null) return;
  throw new ApiError('invalid_request_error', `budget: \`${id}\` has no list price.`, {
    error_code: 'model_not_budgetable',
  });
}

/** Reads the key that names the session of a route. */
export function sessionKey(request: ApiRequest): store.SessionKey {
  return { workspaceId: request.workspaceId, sessionId: pathId(request, 'session') };
}

async function endSession(
  request: ApiRequest,
  key: store.SessionKey,
  how: 'archive' | 'delete',
): Promise<void> {
  const { sql, doorbell } = request.deps;
  const ring = await terminateSession(sql, { ...key, how });
  if (ring !== null) void doorbell.ring(key.sessionId, { ...ring, ended: true });
}
