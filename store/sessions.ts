// Sessions as clients see them. Creating one is a single statement and a single row: the agent and
// the environment are looked up, checked and copied in it, so a running session keeps what it began
// with. What happens inside a session is the event log's (store/events.ts), its end is
// session-life.ts's.

import { withShownEffort } from '../protocol/effort.ts';
import { ApiError } from '../protocol/errors.ts';
import type { ClientEventParams } from '../protocol/events.ts';
import { mergeMetadata } from '../protocol/fields.ts';
import { newId, primaryThreadId } from '../protocol/ids.ts';
import {
  type Session,
  type SessionAgent,
  type SessionStatus,
  type UpdateSessionRequest,
} from '../protocol/sessions.ts';
import { insertInitialEvents, type Ring, type StartFacts } from './accept-events.ts';
import type { Database } from './database.ts';
import { appendEvents, sessionNotFound } from './events.ts';
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
}

/** A session's row as the queries below read it. */
export interface SessionRow {
  id: string;
  agent: SessionAgent;
  environment_id: string;
  title: string | null;
  metadata: Record<string, string>;
  status: SessionStatus;
  created_at: string;
  updated_at: string;
  archived_at: string | null;
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_5m_tokens: number;
  cache_creation_1h_tokens: number;
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
  if (session.initialEvents.length === 0) {
    return { session: await insertSession(sql, id, session), ring: null };
  }
  return sql.begin(async (tx) => {
    const created = await insertSession(tx as unknown as Database, id, session);
    const [row] = await tx<{ facts: StartFacts }[]>`
      select start_facts(s) as facts from sessions s where s.id = ${id}`;
    const start = { sessionId: id, workspaceId: session.workspaceId, ...row!.facts };
    return { session: created, ring: await insertInitialEvents(tx, start, session.initialEvents) };
  });
}

interface InsertAnswer {
  agent_found: boolean;
  version_found: boolean;
  agent_archived: boolean;
  environment_found: boolean;
  environment_archived: boolean;
  agent: SessionAgent | null;
  created_at: string | null;
}

async function insertSession(sql: Database, id: string, session: NewSession): Promise<Session> {
  const status: SessionStatus = session.initialEvents.length > 0 ? 'running' : 'idle';
  const [answer] = await sql<InsertAnswer[]>`
    with found as (
      select a.id as agent_id, v.version, a.archived_at as agent_archived_at,
             v.body - 'metadata'
               || jsonb_build_object('type', 'agent', 'id', a.id, 'version', v.version) as agent,
             e.id as environment_id, e.archived_at as environment_archived_at,
             e.body -> 'config' as config
      from (values (1)) as one
      left join agents a on a.id = ${session.agentId} and a.workspace_id = ${session.workspaceId}
      left join agent_versions v on v.agent_id = a.id
        and v.version = coalesce(${session.agentVersion ?? null}::bigint, a.version)
      left join environments e
        on e.id = ${session.environmentId} and e.workspace_id = ${session.workspaceId}
    ), made as (
      insert into sessions (id, workspace_id, agent_id, agent_version, agent, environment_id,
                            environment, title, metadata, status, created_at, updated_at)
      select ${id}, ${session.workspaceId}, agent_id, version, agent, environment_id,
             config, ${session.title}, ${sql.json(session.metadata)}, ${status}, now(), now()
      from found
      where version is not null and agent_archived_at is null
        and environment_id is not null and environment_archived_at is null
      returning created_at
    )
    select agent_id is not null as agent_found, version is not null as version_found,
           agent_archived_at is not null as agent_archived,
           environment_id is not null as environment_found,
           environment_archived_at is not null as environment_archived,
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

/**
 * Changes title and metadata and, if either differs afterwards, appends `session.updated` with what
 * changed; a no-op writes nothing (sdk 1.11.0: BetaManagedAgentsSessionUpdatedEvent). ApiError 404
 * when unknown, 400 when terminated.
 */
export async function updateSession(
  sql: Database,
  key: SessionKey,
  request: UpdateSessionRequest,
): Promise<Session> {
  return sql.begin(async (transaction) => {
    const tx = transaction as unknown as Database;
    await tx`
      select 1 from sessions
      where id = ${key.sessionId} and workspace_id = ${key.workspaceId} for update`;
    const current = await getSession(tx, key);
    if (current.status === 'terminated') {
      throw new ApiError(
        'invalid_request_error',
        `Session \`${key.sessionId}\` is terminated and cannot be updated.`,
      );
    }
    const title = request.title === undefined ? current.title : request.title;
    const metadata = mergeMetadata(current.metadata, request.metadata);
    const changes = {
      ...(title === current.title ? {} : { title }),
      ...(sameBag(metadata, current.metadata) ? {} : { metadata }),
    };
    if (Object.keys(changes).length === 0) return current;
    await tx`
      update sessions set title = ${title}, metadata = ${tx.json(metadata)}
      where id = ${key.sessionId}`;
    // `metadata` cleared to empty is absent from the event, as documented.
    const cleared = Object.keys(metadata).length === 0;
    const body = {
      id: newId('event'),
      type: 'session.updated',
      ...changes,
      ...(cleared ? { metadata: undefined } : {}),
    };
    await appendEvents(tx, {
      sessionId: key.sessionId,
      stepKey: null,
      events: [{ id: body.id, thread_id: primaryThreadId(key.sessionId), body }],
    });
    return getSession(tx, key);
  });
}

function sameBag(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function sessionColumns(sql: Database) {
  return sql`
    s.id, s.agent, s.environment_id, s.title, s.metadata, s.status,
    wire_time(s.created_at) as created_at, wire_time(s.updated_at) as updated_at,
    wire_time(s.archived_at) as archived_at,
    s.input_tokens::float8 as input_tokens, s.output_tokens::float8 as output_tokens,
    s.cache_read_input_tokens::float8 as cache_read_input_tokens,
    s.cache_creation_5m_tokens::float8 as cache_creation_5m_tokens,
    s.cache_creation_1h_tokens::float8 as cache_creation_1h_tokens,
    round(s.active_ms / 1000.0
      + coalesce(extract(epoch from clock_timestamp() - s.running_since), 0), 3)::float8
      as active_seconds,
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
    status: made.status,
    created_at: made.created_at,
    updated_at: made.created_at,
    archived_at: null,
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation_5m_tokens: 0,
    cache_creation_1h_tokens: 0,
    active_seconds: 0,
    duration_seconds: 0,
    startup_seconds: null,
    has_been_idle: false,
  });
}

/** The counters of a row as the wire's usage; `list_cost` is absent until a price is known. */
export function usageOf(row: SessionRow) {
  return {
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cache_read_input_tokens: row.cache_read_input_tokens,
    cache_creation: {
      ephemeral_5m_input_tokens: row.cache_creation_5m_tokens,
      ephemeral_1h_input_tokens: row.cache_creation_1h_tokens,
    },
    active_seconds: row.active_seconds,
  };
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    type: 'session',
    agent: withShownEffort(row.agent),
    environment_id: row.environment_id,
    title: row.title,
    metadata: row.metadata,
    status: row.status,
    stats: { active_seconds: row.active_seconds, duration_seconds: row.duration_seconds },
    usage: usageOf(row),
    budget: null,
    outcome_evaluations: [],
    resources: [],
    vault_ids: [],
    deployment_id: null,
    created_at: row.created_at,
    updated_at: row.updated_at,
    archived_at: row.archived_at,
  };
}
