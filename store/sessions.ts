// Sessions as clients see them. Creating one is a single statement and a single row: the agent and
// the environment are looked up, checked and copied in it, so a running session keeps what it began
// with. What happens inside a session is the event log's (store/events.ts), its end is
// session-life.ts's.

import { type AgentOverrides, overriddenAgent } from '../protocol/session-agent.ts';
import type { AgentVersionFields } from '../protocol/agents.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import { ApiError } from '../protocol/errors.ts';
import type { ClientEventParams } from '../protocol/events.ts';
import { newId } from '../protocol/ids.ts';
import { type Session, type SessionAgent, type SessionStatus } from '../protocol/sessions.ts';
import { insertInitialEvents, type Ring, type StartFacts } from './accept-events.ts';
import type { Database } from './database.ts';
import { getAgentVersion } from './agents.ts';
import { sessionNotFound } from './events.ts';
import { createdWithin, cutPage, pageTail, type CreatedRange, type PageRequest } from './keyset.ts';
import { notFound } from './not-found.ts';

export interface SessionKey {
  workspaceId: string;
  sessionId: string;
}

export interface NewSession {
  workspaceId: string;
  agentId: string;
  /** absent: the newest version */
  agentVersion?: number | undefined;
  environmentId: string;
  title: string | null;
  metadata: Record<string, string>;
  initialEvents: ClientEventParams[];
  budget: Session['budget'];
  /** Changes of the agent; absent: as it is */
  overrides?: AgentOverrides | undefined;
  models: ModelCatalog;
  /** Refuses the agent as the session would run it, throwing an ApiError */
  check: (agent: AgentVersionFields) => void;
}

/** A session's row as the queries below read it. */
export interface SessionRow {
  id: string;
  agent: SessionAgent;
  environment_id: string;
  title: string | null;
  metadata: Record<string, string>;
  budget: Session['budget'];
  status: SessionStatus;
  created_at: string;
  updated_at: string;
  archived_at: string | null;
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_5m_tokens: number;
  cache_creation_1h_tokens: number;
  web_searches: number;
  /** Whole cents; null where a model without a list price was used */
  list_cost: string | null;
  /** The same without the time it ran, as its threads show it */
  thread_list_cost: string | null;
  /** `s` in status running, up to now */
  active_seconds: number;
  /** `s` since creation, up to now or to the end */
  duration_seconds: number;
  /** `s` from creation to the first turn; null before it */
  startup_seconds: number | null;
  has_been_idle: boolean;
}

/**
 * Creates a session and, in the same transaction, its initial events: with any it is born `running`
 * and `ring` is what its workflow must be told after the commit (behaviour 5.1). ApiError 404 for
 * an unknown agent, version or environment, 400 for an archived one.
 */
export async function createSession(
  sql: Database,
  session: NewSession,
): Promise<{ session: Session; ring: Ring | null }> {
  const id = newId('session');
  const chosen = await withOverrides(sql, session);
  if (session.initialEvents.length === 0) {
    return { session: await insertSession(sql, id, chosen), ring: null };
  }
  return sql.begin(async (tx) => {
    const created = await insertSession(tx as unknown as Database, id, chosen);
    const [row] = await tx<{ facts: StartFacts }[]>`
      select start_facts(s) as facts from sessions s where s.id = ${id}`;
    const start = { sessionId: id, workspaceId: session.workspaceId, ...row!.facts };
    return { session: created, ring: await insertInitialEvents(tx, start, session.initialEvents) };
  });
}

/** A new session whose agent is settled: null, the version in the database as it is. */
type ChosenSession = NewSession & { agent: AgentVersionFields | null };

/**
 * Reads the agent where a session changes something of it, or caps its cost, and settles its
 * version with that.
 */
async function withOverrides(sql: Database, session: NewSession): Promise<ChosenSession> {
  const { agentId, agentVersion: version, workspaceId, overrides } = session;
  if (overrides === undefined && session.budget === null) return { ...session, agent: null };
  const found = await getAgentVersion(sql, { workspaceId, agentId, version });
  const agent = overriddenAgent(found.fields, overrides ?? {}, session.models);
  session.check(agent);
  return { ...session, agentVersion: found.version, agent };
}

interface InsertAnswer {
  agent_found: boolean;
  version_found: boolean;
  agent_archived: boolean;
  environment_found: boolean;
  environment_archived: boolean;
  mcp_blocked: boolean;
  agent: SessionAgent | null;
  created_at: string | null;
}

async function insertSession(sql: Database, id: string, session: ChosenSession): Promise<Session> {
  const status: SessionStatus = session.initialEvents.length > 0 ? 'running' : 'idle';
  const [answer] = await sql<InsertAnswer[]>`
    with found as (
      select a.id as agent_id, v.version, a.archived_at as agent_archived_at,
             coalesce(${session.agent === null ? null : sql.json(session.agent as never)}::jsonb,
                      v.body) - 'metadata'
               || jsonb_build_object('type', 'agent', 'id', a.id, 'version', v.version) as agent,
             e.id as environment_id, e.archived_at as environment_archived_at,
             e.body -> 'config' as config,
             e.body -> 'config' -> 'networking' ->> 'type' = 'limited'
               and e.body -> 'config' -> 'networking' -> 'allow_mcp_servers'
                   is distinct from 'true'
               as is_closed
      from (values (1)) as one
      left join agents a on a.id = ${session.agentId} and a.workspace_id = ${session.workspaceId}
      left join agent_versions v on v.agent_id = a.id
        and v.version = coalesce(${session.agentVersion ?? null}::bigint, a.version)
      left join environments e
        on e.id = ${session.environmentId} and e.workspace_id = ${session.workspaceId}
    ), made as (
      insert into sessions (id, workspace_id, agent_id, agent_version, agent, environment_id,
                            environment, title, metadata, budget, status, created_at,
                            updated_at)
      select ${id}, ${session.workspaceId}, agent_id, version, agent, environment_id,
             config, ${session.title}, ${sql.json(session.metadata)},
             ${session.budget === null ? null : sql.json(session.budget as never)}::jsonb,
             ${status}, now(), now()
      from found
      where version is not null and agent_archived_at is null
        and environment_id is not null and environment_archived_at is null
        and not (coalesce(is_closed, false) and agent -> 'mcp_servers' <> '[]')
      returning created_at
    )
    select agent_id is not null as agent_found, version is not null as version_found,
           agent_archived_at is not null as agent_archived,
           environment_id is not null as environment_found,
           environment_archived_at is not null as environment_archived,
           coalesce(is_closed, false) and agent -> 'mcp_servers' <> '[]' as mcp_blocked,
           agent, (select wire_time(created_at) from made) as created_at
    from found`;
  const { agent, created_at } = answer!;
  if (agent === null || created_at === null) throw createRefused(answer!, session);
  return newSession({ id, status, agent, created_at, session });
}

function createRefused(answer: InsertAnswer, session: NewSession): ApiError {
  const { agentId, agentVersion, environmentId } = session;
  if (!answer.agent_found) return notFound('agent', agentId);
  if (!answer.version_found) {
    return new ApiError(
      'not_found_error',
      `Agent \`${agentId}\` has no version ${String(agentVersion)}.`,
    );
  }
  if (answer.agent_archived) {
    return new ApiError(
      'invalid_request_error',
      `agent: agent \`${agentId}\` is archived; new sessions cannot use it.`,
    );
  }
  if (!answer.environment_found) return notFound('environment', environmentId);
  if (!answer.environment_archived) {
    return new ApiError(
      'invalid_request_error',
      `environment_id: the agent has MCP servers, and the limited networking of environment ` +
        `\`${environmentId}\` allows none: set \`allow_mcp_servers\`.`,
    );
  }
  return new ApiError(
    'invalid_request_error',
    `environment_id: environment \`${environmentId}\` is archived; new sessions cannot use it.`,
    { error_code: 'environment_archived' },
  );
}

/** Reads a session. ApiError 404 when it is unknown, deleted or another workspace's. */
export async function getSession(sql: Database, key: SessionKey): Promise<Session> {
  return toSession(await getSessionRow(sql, key));
}

/** As `getSession`, with what only the primary thread shows. */
export async function getSessionRow(sql: Database, key: SessionKey): Promise<SessionRow> {
  const [row] = await sql<SessionRow[]>`
    select ${sessionColumns(sql)} from sessions s
    where s.id = ${key.sessionId} and s.workspace_id = ${key.workspaceId}
      and s.deleted_at is null`;
  if (!row) throw sessionNotFound(key.sessionId);
  return row;
}

export interface ListSessions extends PageRequest {
  workspaceId: string;
  includeArchived: boolean;
  created: CreatedRange;
  agentId?: string | undefined;
  agentVersion?: number | undefined;
  statuses?: readonly string[] | undefined;
}

/** Lists a workspace's sessions by creation; the only list that can be paged backwards too. */
export async function listSessions(
  sql: Database,
  query: ListSessions,
): Promise<{ data: Session[]; next_page: string | null; prev_page: string | null }> {
  const { agentId, agentVersion, statuses } = query;
  const rows = await sql<SessionRow[]>`
    select ${sessionColumns(sql)} from sessions s
    where s.workspace_id = ${query.workspaceId} and s.deleted_at is null
    ${query.includeArchived ? sql`` : sql`and s.archived_at is null`}
    ${agentId === undefined ? sql`` : sql`and s.agent_id = ${agentId}`}
    ${agentVersion === undefined ? sql`` : sql`and s.agent_version = ${agentVersion}::bigint`}
    ${statuses === undefined ? sql`` : sql`and s.status = any(${[...statuses]})`}
    ${createdWithin(sql, 's', query.created)}
    ${pageTail(sql, 's', query)}`;
  const page = cutPage(rows, query);
  return { data: page.rows.map(toSession), next_page: page.nextPage, prev_page: page.prevPage };
}

function sessionColumns(sql: Database) {
  return sql`
    s.id, s.agent, s.environment_id, s.title, s.metadata, s.budget, s.status,
    wire_time(s.created_at) as created_at, wire_time(s.updated_at) as updated_at,
    wire_time(s.archived_at) as archived_at,
    s.input_tokens::float8 as input_tokens, s.output_tokens::float8 as output_tokens,
    s.cache_read_input_tokens::float8 as cache_read_input_tokens,
    s.cache_creation_5m_tokens::float8 as cache_creation_5m_tokens,
    s.cache_creation_1h_tokens::float8 as cache_creation_1h_tokens,
    s.web_searches::float8 as web_searches,
    case when not s.is_unpriced
         then round(consumed_cost(s, clock_timestamp()) * 100)::text end as list_cost,
    case when not s.is_unpriced
         then round((s.list_cost + s.web_searches * 0.01) * 100)::text end as thread_list_cost,
    round(active_ms_at(s, clock_timestamp()) / 1000.0, 3)::float8 as active_seconds,
    round(extract(epoch from
      case when s.status = 'terminated' then s.updated_at else clock_timestamp() end
      - s.created_at), 3)::float8 as duration_seconds,
    round(extract(epoch from s.first_running_at - s.created_at), 3)::float8 as startup_seconds,
    s.first_idle_at is not null as has_been_idle`;
}

function newSession(made: {
  id: string;
  status: SessionStatus;
  agent: SessionAgent;
  created_at: string;
  session: NewSession;
}): Session {
  return toSession({
    id: made.id,
    agent: made.agent,
    environment_id: made.session.environmentId,
    title: made.session.title,
    metadata: made.session.metadata,
    budget: made.session.budget,
    status: made.status,
    created_at: made.created_at,
    updated_at: made.created_at,
    archived_at: null,
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_5m_tokens: 0,
    cache_creation_1h_tokens: 0,
    web_searches: 0,
    list_cost: '0',
    thread_list_cost: '0',
    active_seconds: 0,
    duration_seconds: 0,
    startup_seconds: null,
    has_been_idle: false,
  });
}

/** The counters of a row as the wire's usage; no list cost where a price is unknown. */
export function usageOf(row: SessionRow, cents: string | null) {
  return {
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cache_read_input_tokens: row.cache_read_input_tokens,
    cache_creation: {
      ephemeral_5m_input_tokens: row.cache_creation_5m_tokens,
      ephemeral_1h_input_tokens: row.cache_creation_1h_tokens,
    },
    active_seconds: row.active_seconds,
    list_cost: cents === null ? null : { amount: cents, currency: 'USD' as const },
    server_tool_use: { web_search_requests: row.web_searches, web_fetch_requests: 0 },
  };
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    type: 'session',
    agent: row.agent,
    environment_id: row.environment_id,
    title: row.title,
    metadata: row.metadata,
    status: row.status,
    stats: { active_seconds: row.active_seconds, duration_seconds: row.duration_seconds },
    usage: usageOf(row, row.list_cost),
    budget: row.budget,
    outcome_evaluations: [],
    resources: [],
    vault_ids: [],
    deployment_id: null,
    created_at: row.created_at,
    updated_at: row.updated_at,
    archived_at: row.archived_at,
  };
}
