// Agents and their versions: create, list, retrieve, update, archive, list versions.
// docs: managed-agents/agent-setup. There is no delete.

import {
  type Agent,
  agentFromCreate,
  createAgentRequest,
  listAgentsQuery,
  listAgentVersionsQuery,
  retrieveAgentQuery,
  updateAgentRequest,
} from '../protocol/agents.ts';
import { withShownEffort } from '../protocol/models/public-models.ts';
import { refuseNotYetAgent } from '../protocol/not-yet.ts';
import { parseBody, parseQuery } from '../protocol/parse.ts';
import * as store from '../store/agents.ts';
import { readJsonBody } from './body.ts';
import { type ApiRequest, cursorOf, pathId, queryOf } from './request.ts';

/** POST /v1/agents */
export async function createAgent(request: ApiRequest) {
  const body = parseBody(createAgentRequest, (await readJsonBody(request.context)).value);
  refuseNotYetAgent(body, { models: request.deps.models });
  const agent = await store.createAgent(request.deps.sql, {
    workspaceId: request.workspaceId,
    fields: agentFromCreate(body, request.deps.models),
  });
  return shown(request, agent);
}

/** GET /v1/agents */
export async function listAgents(request: ApiRequest) {
  const query = parseQuery(listAgentsQuery, queryOf(request));
  const list = { name: 'agents' } as const;
  const cursor = cursorOf(query.page, list, { order: 'desc', createdAt: query.created_at });
  const page = await store.listAgents(request.deps.sql, {
    list,
    workspaceId: request.workspaceId,
    includeArchived: query.include_archived,
    created: query.created_at ?? {},
    limit: query.limit,
    order: 'desc',
    cursor,
  });
  return { ...page, data: page.data.map((agent) => shown(request, agent)) };
}

/** GET /v1/agents/{agent_id} */
export async function retrieveAgent(request: ApiRequest) {
  const { version } = parseQuery(retrieveAgentQuery, queryOf(request));
  return shown(request, await store.getAgent(request.deps.sql, { ...agentKey(request), version }));
}

/** POST /v1/agents/{agent_id} */
export async function updateAgent(request: ApiRequest) {
  const key = agentKey(request);
  const body = parseBody(updateAgentRequest, (await readJsonBody(request.context)).value);
  refuseNotYetAgent(body, { models: request.deps.models });
  const { sql, models } = request.deps;
  return shown(request, await store.updateAgent(sql, key, body, models));
}

/** POST /v1/agents/{agent_id}/archive */
export async function archiveAgent(request: ApiRequest) {
  return shown(request, await store.archiveAgent(request.deps.sql, agentKey(request)));
}

/** GET /v1/agents/{agent_id}/versions */
export async function listAgentVersions(request: ApiRequest) {
  const key = agentKey(request);
  const query = parseQuery(listAgentVersionsQuery, queryOf(request));
  const list = { name: 'versions', within: key.agentId } as const;
  const cursor = cursorOf(query.page, list, { order: 'desc' });
  const page = await store.listAgentVersions(request.deps.sql, {
    ...key,
    list,
    limit: query.limit,
    order: 'desc',
    cursor,
  });
  return { ...page, data: page.data.map((agent) => shown(request, agent)) };
}

function shown(request: ApiRequest, agent: Agent): Agent {
  return withShownEffort(agent, request.deps.models);
}

function agentKey(request: ApiRequest): store.AgentKey {
  return { workspaceId: request.workspaceId, agentId: pathId(request, 'agent') };
}
