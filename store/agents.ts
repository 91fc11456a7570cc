// Agents and their versions. A version, once written, never changes; the agent's own row only says
// which one is newest and whether the agent is archived.

import type { JSONValue } from 'postgres';
import {
  agentAfterUpdate,
  sameAgentVersion,
  type Agent,
  type AgentVersionFields,
  type UpdateAgentRequest,
} from '../protocol/agents.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import { ApiError } from '../protocol/errors.ts';
import { newId } from '../protocol/ids.ts';
import { encodeCursor } from '../protocol/page.ts';
import type { Database } from './database.ts';
import { createdWithin, cutPage, pageTail, type CreatedRange, type PageRequest } from './keyset.ts';
import { notFound } from './not-found.ts';

interface AgentRow {
  id: string;
  version: number;
  body: AgentVersionFields;
  created_at: string;
  /** when this version was written */
  updated_at: string;
  archived_at: string | null;
}

export interface AgentKey {
  workspaceId: string;
  agentId: string;
}

/** Stores a new agent at version 1. */
export async function createAgent(
  sql: Database,
  agent: { workspaceId: string; fields: AgentVersionFields },
): Promise<Agent> {
  const id = newId('agent');
  const [row] = await sql<{ created_at: string }[]>`
    with agent as (
      insert into agents (id, workspace_id, version, created_at, updated_at)
      values (${id}, ${agent.workspaceId}, 1, now(), now())
      returning created_at
    ), version as (
      insert into agent_versions (agent_id, version, workspace_id, body, created_at)
      select ${id}, 1, ${agent.workspaceId}, ${json(sql, agent.fields)}, created_at from agent
    )
    select wire_time(created_at) as created_at from agent`;
  const createdAt = row!.created_at;
  return toAgent({
    id,
    version: 1,
    body: agent.fields,
    created_at: createdAt,
    updated_at: createdAt,
    archived_at: null,
  });
}

/**
 * Reads an agent: its newest version, or the one asked for. ApiError 404 when either is unknown.
 */
export async function getAgent(
  sql: Database,
  key: AgentKey & { version?: number | undefined },
): Promise<Agent> {
  const row = await getAgentRow(sql, key);
  if (row) return toAgent(row);
  if (key.version === undefined) throw notFound('agent', key.agentId);
  await getAgent(sql, { workspaceId: key.workspaceId, agentId: key.agentId });
  throw new ApiError('not_found_error', `Agent \`${key.agentId}\` has no version ${key.version}.`);
}

/** One version's own fields, as they are stored. ApiError 404 when agent or version is unknown. */
export async function getAgentVersion(
  sql: Database,
  key: AgentKey & { version?: number | undefined },
): Promise<{ version: number; fields: AgentVersionFields }> {
  const row = await getAgentRow(sql, key);
  if (row) return { version: row.version, fields: row.body };
  await getAgent(sql, key);
  throw notFound('agent', key.agentId);
}

async function getAgentRow(
  sql: Database,
  key: AgentKey & { version?: number | undefined },
): Promise<AgentRow | undefined> {
  const [row] = await sql<AgentRow[]>`
    select a.id, v.version, v.body, wire_time(a.created_at) as created_at,
           wire_time(v.created_at) as updated_at, wire_time(a.archived_at) as archived_at
    from agents a
    join agent_versions v
      on v.agent_id = a.id and v.version = coalesce(${key.version ?? null}::bigint, a.version)
    where a.id = ${key.agentId} and a.workspace_id = ${key.workspaceId}`;
  return row;
}

/**
 * Writes a new version, unless the update changes nothing: then the newest version is returned as
 * it is. ApiError 409 when `request.version` is not the newest (docs: agent-setup, update
 * semantics), 400 when the agent is archived, 404 when it is unknown.
 */
export async function updateAgent(
  sql: Database,
  key: AgentKey,
  request: UpdateAgentRequest,
  models: ModelCatalog,
): Promise<Agent> {
  return sql.begin(async (tx) => {
    // The lock makes concurrent updates one after the other, so no version is written twice. The
    // version is read after it: a join in the locking statement would still see the older one.
    const [locked] = await tx`
      select 1 from agents
      where id = ${key.agentId} and workspace_id = ${key.workspaceId} for update`;
    const current = locked && (await getAgentRow(tx as unknown as Database, key));
    if (!current) throw notFound('agent', key.agentId);
    checkUpdatable(current, request);
    const fields = agentAfterUpdate(current.body, request, models);
    if (sameAgentVersion(current.body, fields)) return toAgent(current);
    const version = current.version + 1;
    const [row] = await tx<{ updated_at: string }[]>`
      with version as (
        insert into agent_versions (agent_id, version, workspace_id, body, created_at)
        values (${key.agentId}, ${version}, ${key.workspaceId}, ${json(sql, fields)}, now())
        returning created_at
      )
      update agents set version = ${version}, updated_at = version.created_at
      from version where id = ${key.agentId}
      returning wire_time(agents.updated_at) as updated_at`;
    return toAgent({
      ...current,
      version,
      body: fields,
      updated_at: row!.updated_at,
    });
  });
}

function checkUpdatable(current: AgentRow, request: UpdateAgentRequest): void {
  if (request.version !== undefined && request.version !== current.version) {
    throw new ApiError(
      'conflict_error',
      `version: expected ${current.version}, the newest, got ${request.version}. ` +
        'Retrieve the agent and apply the change to its newest version.',
    );
  }
  if (current.archived_at !== null) {
    throw new ApiError(
      'invalid_request_error',
      `Agent \`${current.id}\` is archived and cannot be updated.`,
    );
  }
}

/** Archives an agent for good; idempotent, the first time stays. ApiError 404 when unknown. */
export async function archiveAgent(sql: Database, key: AgentKey): Promise<Agent> {
  await sql`
    update agents set archived_at = now()
    where id = ${key.agentId} and workspace_id = ${key.workspaceId} and archived_at is null`;
  return getAgent(sql, key);
}

/** Lists a workspace's agents at their newest versions. */
export async function listAgents(
  sql: Database,
  query: PageRequest & { workspaceId: string; includeArchived: boolean; created: CreatedRange },
): Promise<{ data: Agent[]; next_page: string | null }> {
  const found = await sql<AgentRow[]>`
    select a.id, v.version, v.body, wire_time(a.created_at) as created_at,
           wire_time(v.created_at) as updated_at, wire_time(a.archived_at) as archived_at
    from agents a
    join agent_versions v on v.agent_id = a.id and v.version = a.version
    where a.workspace_id = ${query.workspaceId}
    ${query.includeArchived ? sql`` : sql`and a.archived_at is null`}
    ${createdWithin(sql, 'a', query.created)}
    ${pageTail(sql, 'a', query)}`;
  const page = cutPage(found, query);
  return { data: page.rows.map(toAgent), next_page: page.nextPage };
}

/**
 * Lists an agent's versions, cut at the version's number. ApiError 404 when the agent is unknown.
 */
export async function listAgentVersions(
  sql: Database,
  query: AgentKey & PageRequest,
): Promise<{ data: Agent[]; next_page: string | null }> {
  await getAgent(sql, { workspaceId: query.workspaceId, agentId: query.agentId });
  const { cursor, limit, list, order } = query;
  const isDescending = order === 'desc';
  const version = cursor?.key[0];
  const past = isDescending
    ? sql`and v.version < ${version ?? null}::bigint`
    : sql`and v.version > ${version ?? null}::bigint`;
  const found = await sql<AgentRow[]>`
    select a.id, v.version, v.body, wire_time(a.created_at) as created_at,
           wire_time(v.created_at) as updated_at, wire_time(a.archived_at) as archived_at
    from agents a
    join agent_versions v on v.agent_id = a.id
    where a.id = ${query.agentId} and a.workspace_id = ${query.workspaceId}
    ${version === undefined ? sql`` : past}
    order by v.version ${isDescending ? sql`desc` : sql`asc`} limit ${limit + 1}`;
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const next_page =
    found.length > limit && last
      ? encodeCursor({ list, order, direction: 'next', key: [String(last.version)] })
      : null;
  return { data: rows.map(toAgent), next_page };
}

function toAgent(row: AgentRow): Agent {
  return {
    id: row.id,
    type: 'agent',
    ...row.body,
    version: row.version,
    created_at: row.created_at,
    updated_at: row.updated_at,
    archived_at: row.archived_at,
  };
}

function json(sql: Database, fields: AgentVersionFields): ReturnType<Database['json']> {
  return sql.json(fields as unknown as JSONValue);
}
