// What an activity reads before it acts: the transcript of a thread in the order of processing, a tool
// call with everything needed to run it, and the spans that a dead attempt left open. Reads only.

import type { Environment } from '../protocol/environments.ts';
import type { SessionAgent } from '../protocol/sessions.ts';
import type { Database } from './database.ts';

/** One line of the conversation as the model will see it. */
export interface TranscriptRow {
  seq: number;
  type: string;
  /** Content of a client message or a tool result */
  content: unknown;
  isError: boolean;
  /** The provider's exact assistant blocks, on the first event of a reply */
  replyContent: unknown[] | null;
  /** The provider's id of the tool use that a result answers */
  toolUseId: string | null;
  /** Place in history; null for a client message that no model call has read yet */
  position: number | null;
}

export interface ModelContext {
  agent: SessionAgent;
  status: string;
  /** Newest turn that has started */
  turn: number;
  /** Answer of this very step, when an earlier attempt finished it */
  done: Record<string, unknown> | null;
  rows: TranscriptRow[];
}

/**
 * Everything a model call needs, in one round trip; null for a session that is gone. Rows up to
 * `afterPosition` are left out: the log is append-only, so whoever has read them has them still.
 */
export async function loadModelContext(
  sql: Database,
  query: { sessionId: string; threadId: string; stepKey: string; afterPosition: number },
): Promise<ModelContext | null> {
  const { sessionId, threadId, stepKey, afterPosition } = query;
  const [context] = await sql<ModelContext[]>`
    select s.agent, s.status, s.turn,
           (select result from steps t where t.session_id = s.id and t.step_key = ${stepKey}) as done,
           (select coalesce(json_agg(json_build_object(
                     'seq', seq, 'position', position, 'type', type, 'content', body -> 'content',
                     'isError', coalesce((body ->> 'is_error')::boolean, false),
                     'replyContent', private -> 'content', 'toolUseId', private ->> 'tool_use_id')
                   order by position nulls last, seq), '[]')
              from events
             where session_id = s.id and thread_id = ${threadId}
               and (position > ${afterPosition} or processed_at is null)
               and (type in ('user.message', 'agent.tool_result') or private ? 'content')) as rows
      from sessions s
     where s.id = ${sessionId} and s.deleted_at is null`;
  return context ?? null;
}

export interface ToolCallRow {
  name: string;
  input: Record<string, unknown>;
  /** The provider's id of this tool use */
  toolUseId: string;
  environment: Environment['config'];
  status: string;
  isAnswered: boolean;
}

/** A tool call from the log and whether its result is there; null when either row is gone. */
export async function loadToolCall(
  sql: Database,
  sessionId: string,
  callId: string,
): Promise<ToolCallRow | null> {
  const [row] = await sql<ToolCallRow[]>`
    select e.body ->> 'name' as name, e.body -> 'input' as input,
           e.private ->> 'tool_use_id' as "toolUseId", s.environment, s.status,
           exists (select 1 from steps t
                    where t.session_id = s.id and t.step_key = ${callId}) as "isAnswered"
      from sessions s join events e on e.session_id = s.id
     where s.id = ${sessionId} and e.id = ${callId} and s.deleted_at is null`;
  return row ?? null;
}

/** Ids of model request spans that have a start and no end: an attempt died between the two. */
export async function findOpenSpans(
  sql: Database,
  sessionId: string,
  threadId: string,
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select a.id from events a
     where a.session_id = ${sessionId} and a.thread_id = ${threadId}
       and a.type = 'span.model_request_start'
       and not exists (
         select 1 from events z
          where z.session_id = a.session_id and z.type = 'span.model_request_end'
            and z.seq > a.seq and z.body ->> 'model_request_start_id' = a.id)
     order by a.seq`;
  return rows.map((row) => row.id);
}

/** Name of a session's agent; null for a session that is gone. */
export async function loadSessionAgent(sql: Database, sessionId: string): Promise<string | null> {
  const [row] = await sql<{ name: string }[]>`
    select agent ->> 'name' as name from sessions
     where id = ${sessionId} and deleted_at is null`;
  return row?.name ?? null;
}

/** Environment a session started with; null for a session that is gone. */
export async function loadSessionEnvironment(
  sql: Database,
  sessionId: string,
): Promise<Environment['config'] | null> {
  const [row] = await sql<{ environment: Environment['config'] }[]>`
    select environment from sessions where id = ${sessionId} and deleted_at is null`;
  return row?.environment ?? null;
}
