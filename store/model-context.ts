// What an activity needs before it acts: a model call begins by reading its transcript and
// appending its span's start, a tool call by reading itself; and the spans that a dead attempt left
// open.

import type { Environment } from '../protocol/environments.ts';
import type { ContentBlock } from '../protocol/events.ts';
import type { SessionAgent } from '../protocol/sessions.ts';
import type { Database } from './database.ts';
import type { NewEvent } from './events.ts';

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
  /** Stands for everything before it */
  summary: string | null;
  /** Place in history; null for a client message that no model call has read yet */
  position: number | null;
}

export interface BeginModelCall {
  sessionId: string;
  threadId: string;
  stepKey: string;
  turn: number;
  round: number;
  /** Reads what was processed, without taking up what waits */
  isCompaction?: true;
  /**
   * Rows up to here are left out: the log is append-only, so whoever has read them has them still
   */
  afterPosition: number;
  /** Ends of spans that dead attempts left open */
  closing: NewEvent[];
  /** Told only where the turn starts, or goes on after a pause for retrying */
  announcing: NewEvent[];
  /** The start of this attempt's span */
  events: NewEvent[];
}

export type ModelCallBegun =
  | {
      outcome: 'begun';
      agent: SessionAgent;
      rows: TranscriptRow[];
      seq: number;
      /** Newest client message that this call reads; 0 where it reads none */
      consumedThrough: number;
    }
  /** An earlier attempt finished the step: its answer */
  | { outcome: 'done'; result: Record<string, unknown> }
  /** The turn ended without this attempt, which its engine had given up */
  | { outcome: 'overtaken' }
  /** A turn was to start and nothing waits */
  | { outcome: 'nothing_new'; seq: number }
  /** The budget allows no further request */
  | { outcome: 'budget_reached' }
  /** The session's own limit of rounds is reached */
  | { outcome: 'rounds_reached' }
  /** Archived, deleted or unknown */
  | { outcome: 'ended' };

/**
 * Begins a model call: reads the conversation, stamps the messages it reads as processed and
 * appends the start of the span, all under the session's lock and in one round trip. Repeatable.
 */
export async function beginModelCall(
  sql: Database,
  begin: BeginModelCall,
): Promise<ModelCallBegun> {
  const argument = {
    session_id: begin.sessionId,
    thread_id: begin.threadId,
    step_key: begin.stepKey,
    turn: begin.turn,
    round: begin.round,
    ...(begin.isCompaction === undefined ? {} : { is_compaction: true }),
    after_position: begin.afterPosition,
    closing: begin.closing,
    announcing: begin.announcing,
    events: begin.events,
  };
  const [row] = await sql<{ answer: ModelCallBegun }[]>`
    select begin_model_call(${sql.json(argument as never)}) as answer`;
  return row!.answer;
}

export interface ToolCallRow {
  /** Type of the call's event */
  type: string;
  name: string;
  input: Record<string, unknown>;
  /** The provider's id of this tool use */
  toolUseId: string;
  /** MCP server that runs it; null for any other tool */
  server: string | null;
  /** When it entered the log, ms since 1970 */
  askedAt: number;
  agent: SessionAgent;
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
    select e.type, e.body ->> 'name' as name, e.body -> 'input' as input,
           e.body ->> 'mcp_server_name' as server, s.agent,
           e.private ->> 'tool_use_id' as "toolUseId", s.environment, s.status,
           extract(epoch from e.created_at)::float8 * 1000 as "askedAt",
           exists (select 1 from steps t
                    where t.session_id = s.id and t.step_key = ${callId}) as "isAnswered"
      from sessions s join events e on e.session_id = s.id
     where s.id = ${sessionId} and e.id = ${callId} and s.deleted_at is null`;
  return row ?? null;
}

/** Content of the conversation that came from outside the model. */
export interface ContentOrigin {
  kind: 'user_input' | 'client_tool_results' | 'server_tool_results';
  /** Name of the tool; null for what users wrote */
  tool: string | null;
  content: readonly Exclude<ContentBlock, { type: 'redacted' }>[];
}

/** Everything that came into a thread from outside the model, oldest first. */
export async function loadOrigins(
  sql: Database,
  sessionId: string,
  threadId: string,
): Promise<ContentOrigin[]> {
  return sql<ContentOrigin[]>`
    select case e.type when 'user.message' then 'user_input'
                       when 'user.custom_tool_result' then 'client_tool_results'
                       else 'server_tool_results' end as kind,
           c.body ->> 'name' as tool, coalesce(e.body -> 'content', '[]') as content
      from events e
      left join events c on c.session_id = e.session_id
        and c.id = coalesce(e.body ->> 'tool_use_id', e.body ->> 'mcp_tool_use_id',
                            e.body ->> 'custom_tool_use_id')
     where e.session_id = ${sessionId} and e.thread_id = ${threadId}
       and e.processed_at is not null
       and e.type in ('user.message', 'user.custom_tool_result', 'agent.tool_result',
                      'agent.mcp_tool_result')
     order by e.position`;
}

/** What users wrote in a thread, oldest first; the only thing that says what they want. */
export async function loadUserTexts(
  sql: Database,
  sessionId: string,
  threadId: string,
): Promise<string[]> {
  const rows = await sql<{ text: string }[]>`
    select b ->> 'text' as text
      from events e, jsonb_array_elements(e.body -> 'content') b
     where e.session_id = ${sessionId} and e.thread_id = ${threadId} and e.type = 'user.message'
       and e.processed_at is not null and b ->> 'type' = 'text'
     order by e.position`;
  return rows.map((row) => row.text);
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

/** How many earlier attempts of a model call asked the model in vain. */
export async function countFailedRequests(
  sql: Database,
  { sessionId }: { sessionId: string },
  { stepKey, key }: { stepKey: string; key: string },
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from steps
     where session_id = ${sessionId} and starts_with(step_key, ${`${stepKey}.a`})
       and step_key <> ${`${key}.end`}`;
  return row!.count;
}

/**
 * Ends a turn for every model request of it: from now on none is taken. Answers the calls of the
 * round that have no result, as its reply names them. Repeatable.
 */
export async function endTurn(
  sql: Database,
  end: { sessionId: string; turn: number; round: number },
): Promise<{ id: string; answeredBy: string }[]> {
  const { sessionId, turn, round } = end;
  const [row] = await sql<{ calls: { id: string; answeredBy: string }[] }[]>`
    select end_turn(${sql.json({ session_id: sessionId, turn, round })}) as calls`;
  return row!.calls;
}

/** What the newest failed model request of a thread was told; null where none failed. */
export async function findModelError(
  sql: Database,
  sessionId: string,
  threadId: string,
): Promise<{ type: string; message: string } | null> {
  const [row] = await sql<{ error: { type: string; message: string } }[]>`
    select private -> 'error' as error from events
     where session_id = ${sessionId} and thread_id = ${threadId}
       and type = 'span.model_request_end' and private ? 'error'
     order by seq desc limit 1`;
  return row?.error ?? null;
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
