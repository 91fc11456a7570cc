// The event log's front door. Every event enters a session's history through appendEvents (what the
// server says) or acceptEvents (what a client sends, store/accept-events.ts); both number it under
// the session's row lock, so the sequence has no gap and readers never see a later number before an
// earlier one.
// History goes by position, the order of processing; the stream goes by seq (store/follow.ts).

import { ApiError } from '../protocol/errors.ts';
import type { SessionEvent, StopReason } from '../protocol/events.ts';
import { generatedEventId } from '../protocol/ids.ts';
import { EVENTS_PAGE_BYTES_MAX } from '../protocol/limits.ts';
import { encodeCursor, type PageCursor, type PageKey, type PageList } from '../protocol/page.ts';
import { storableJson } from '../protocol/text.ts';
import type { Database } from './database.ts';
import { timeParameter } from './keyset.ts';

/** The wire body of an event without `processed_at`, which the log adds. */
export type EventBody = { id: string; type: string } & Record<string, unknown>;

export interface NewEvent {
  id: string;
  thread_id: string;
  body: EventBody;
  /** What only the transcript reads: provider blocks, provider ids; never served */
  private?: unknown;
}

export interface TokenUsage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_5m_tokens: number;
  cache_creation_1h_tokens: number;
  web_searches?: number;
  /** Exact US dollars at list price; absent where the model has none */
  cost?: string;
  price_version?: string;
}

export interface Append {
  sessionId: string;
  /** Null: an append that is harmless to repeat because its event ids are its identity */
  stepKey: string | null;
  events: NewEvent[];
  /** Kept with the step and given back, with the fields of StepOutcome, to every repetition */
  result?: Record<string, unknown>;
  usage?: TokenUsage;
  /** Web searches that a tool made */
  searches?: number;
  /** A pause before the next attempt: the session's clock stops */
  status?: 'rescheduling';
  /** Calls of this append that a client must answer, by the ids of their events */
  waits?: Record<string, { for: 'confirmation' | 'result' }>;
  /** Calls whose answers are taken up: no longer waited for, their confirmations processed */
  takes?: string[];
  /** Told first, if `takes` leaves a session with nothing to wait for, which then runs again */
  announcing?: NewEvent[];
  /** The last of the events sums up everything before it: the conversation begins there */
  isCompaction?: true;
  /** Goes idle in the same transaction, if nothing waits (or whatever waits, see the flags) */
  idle?: IdleCommit;
}

/** The end of a model request, which is not taken once its turn is over. */
export interface RequestEnd extends Append {
  turn: number;
}

export interface IdleCommit {
  /**
   * Stop reason of the events. The log names the calls of `requires_action`, which no interrupt or
   * answer may be waiting behind, makes an `end_turn` over the cap `budget_reached`, and pauses for
   * a `budget_reached` only while the cap is still reached.
   */
  stop: StopReason['type'];
  /** Only if the session is idle and waits for answers still */
  again?: boolean;
  /** A waiting message keeps the session running, unless an interrupt waits too */
  unless_messages: boolean;
  /** Stamps waiting messages as processed: their turn is dead */
  flush: boolean;
  /** Appends the events even if the session is idle already */
  always?: boolean;
  events: NewEvent[];
}

/** What every append answers beside the caller's own result. */
export interface StepOutcome {
  seq: number;
  /** The session is idle by this append; absent where it is not */
  idle?: true;
  /** Highest seq of messages that still wait; absent where none does */
  messagesThrough?: number;
  /** Highest seq of interrupts that still wait; absent where none does */
  interruptsThrough?: number;
  /** Highest seq of answers to tool calls that nobody has taken up; absent where there is none */
  answersThrough?: number;
}

export type AppendAnswer<R> =
  | { outcome: 'appended' | 'repeated'; result: R & StepOutcome }
  /** The session was archived or deleted: nothing was written, nothing more may be */
  | { outcome: 'ended' };

/** An attempt that its engine had given up; the turn ended without it, and nothing was written */
export type Overtaken = { outcome: 'overtaken' };

/**
 * Appends a step's events, all or nothing, once: a repetition of the step key writes nothing and
 * gets the first answer. One round trip.
 */
export async function appendEvents<R = unknown>(
  sql: Database,
  append: RequestEnd,
): Promise<AppendAnswer<R> | Overtaken>;
export async function appendEvents<R = unknown>(
  sql: Database,
  append: Append,
): Promise<AppendAnswer<R>>;
export async function appendEvents<R = unknown>(
  sql: Database,
  append: Append & { turn?: number },
): Promise<AppendAnswer<R> | Overtaken> {
  // What containers and models say may hold what the database cannot.
  const argument = storableJson({
    session_id: append.sessionId,
    step_key: append.stepKey,
    events: append.events,
    result: append.result ?? {},
    status: append.status ?? null,
    ...(append.turn === undefined ? {} : { turn: append.turn }),
    ...(append.usage === undefined ? {} : { usage: append.usage }),
    ...(append.isCompaction === undefined ? {} : { is_compaction: true }),
    ...(append.searches === undefined ? {} : { searches: append.searches }),
    ...(append.waits === undefined ? {} : { waits: append.waits }),
    ...(append.takes === undefined
      ? {}
      : { takes: append.takes, announcing: append.announcing ?? [] }),
    ...(append.idle === undefined ? {} : { idle: { always: false, again: false, ...append.idle } }),
  });
  const [row] = await sql<{ answer: AppendAnswer<R> | Overtaken }[]>`
    select append_events(${sql.json(argument as never)}) as answer`;
  return row!.answer;
}

export interface ListEvents {
  workspaceId: string;
  sessionId: string;
  threadId?: string;
  order: 'asc' | 'desc';
  limit: number;
  types?: string[];
  /** Bounds on the time of processing (sdk 1.11.0: EventListParams); what waits has none */
  createdAt?: { gt?: string; gte?: string; lt?: string; lte?: string };
  cursor?: PageCursor;
}

/**
 * One page of a session's history, by the order of processing; what still waits comes last in both
 * orders. A page ends early where its events are large. Pages have no gap and no duplicate, also
 * when what waits is processed between two of them. The cursor is one of this list and order (see
 * checkCursor in protocol/page.ts). Throws 404 for an unknown session.
 */
export async function listEvents(
  sql: Database,
  query: ListEvents,
): Promise<{ data: SessionEvent[]; nextPage: string | null }> {
  const { cursor, order, limit } = query;
  const { rows, found } = await readPage(sql, query);
  if (rows.length === 0) await requireSession(sql, query.workspaceId, query.sessionId);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const nextPage =
    found > page.length && last !== undefined
      ? encodeCursor({
          list: eventsList(query),
          order,
          direction: 'next',
          key: keyOf(last, cursor),
          at: last.processed_at?.toISOString(),
        })
      : null;
  return { data: page.map((row) => toWire(row.body, row.processed_at)), nextPage };
}

/** The list that the events of a session, or of one of its threads, are to cursors. */
export function eventsList(of: { sessionId: string; threadId?: string | undefined }): PageList {
  return { name: 'events', within: of.threadId ?? of.sessionId };
}

interface PageRow {
  seq: string;
  position: string | null;
  /** Newest position of the session when this page was read */
  newest: string;
  body: EventBody;
  processed_at: Date | null;
  /** Rows that the page could have, one more than its limit at most */
  found: string;
}

/** At most one row more than the limit, and fewer where their bodies are large; never none. */
async function readPage(
  sql: Database,
  query: ListEvents,
): Promise<{ rows: PageRow[]; found: number }> {
  const order = pageOrder(sql, query);
  const rows = await sql<PageRow[]>`
    select seq, position, newest, body, processed_at, found
      from (
        select *, count(*) over () as found,
               sum(octet_length(body::text)) over (order by ${order}) as bytes
          from (
            select e.seq, e.position, s.last_position as newest, e.body, e.processed_at
              from sessions s join events e on e.session_id = s.id
             where s.id = ${query.sessionId} and s.workspace_id = ${query.workspaceId}
               and s.deleted_at is null
               ${query.threadId === undefined ? sql`` : sql`and e.thread_id = ${query.threadId}`}
               ${query.types === undefined ? sql`` : sql`and e.type = any(${query.types})`}
               ${processedWithin(sql, query.createdAt ?? {})}
               ${query.cursor === undefined ? sql`` : afterCursor(sql, query.cursor)}
             order by ${order}
             limit ${query.limit + 1}) wanted) sized
     where bytes - octet_length(body::text) < ${EVENTS_PAGE_BYTES_MAX}
     order by ${order}`;
  return { rows, found: Number(rows[0]?.found ?? 0) };
}

function processedWithin(sql: Database, at: NonNullable<ListEvents['createdAt']>) {
  const { gt, gte, lt, lte } = at;
  return sql`
    ${gt === undefined ? sql`` : sql`and e.processed_at > ${timeParameter(sql, gt)}`}
    ${gte === undefined ? sql`` : sql`and e.processed_at >= ${timeParameter(sql, gte)}`}
    ${lt === undefined ? sql`` : sql`and e.processed_at < ${timeParameter(sql, lt)}`}
    ${lte === undefined ? sql`` : sql`and e.processed_at <= ${timeParameter(sql, lte)}`}`;
}

/** Processed events by position, then what waits by seq; among the latter see keyOf. */
function pageOrder(sql: Database, { order, cursor }: ListEvents) {
  const direction = order === 'desc' ? sql`desc` : sql`asc`;
  if (cursor?.key[0] === '') return sql`seq ${direction}`;
  return sql`position ${direction} nulls last, seq ${direction}`;
}

/**
 * Where the next page goes on. Once a page has reached what waits, positions no longer tell what
 * was shown, since what waits gets one at any moment: from then on it goes by seq, over everything
 * that had no position up to the newest one of that time.
 */
function keyOf(last: PageRow, cursor: PageCursor | undefined): PageKey {
  const watermark = cursor?.key[0] === '' ? cursor.key[2] : undefined;
  if (watermark !== undefined) return ['', last.seq, watermark];
  return last.position === null ? ['', last.seq, last.newest] : [last.position, last.seq];
}

/** Throws the 404 of an unknown, foreign or deleted session. */
export async function requireSession(
  sql: Database,
  workspaceId: string,
  sessionId: string,
): Promise<void> {
  const found = await sql`
    select 1 from sessions
     where id = ${sessionId} and workspace_id = ${workspaceId} and deleted_at is null`;
  if (found.length === 0) throw sessionNotFound(sessionId);
}

/** The one text for unknown, foreign and deleted sessions. */
export function sessionNotFound(sessionId: string): ApiError {
  return new ApiError('not_found_error', `Session \`${sessionId}\` was not found.`);
}

/**
 * An event as clients see it; one that still waits has no `processed_at` (recordings, May 2026).
 */
export function toWire(body: EventBody, processedAt: Date | string | null): SessionEvent {
  if (processedAt === null) return body as unknown as SessionEvent;
  const processed_at = new Date(processedAt).toISOString();
  return { ...body, processed_at } as unknown as SessionEvent;
}

/** An event of a step, named by the session, the step and its place in it. */
export function stepEvent(
  step: { sessionId: string; threadId: string; key: string },
  ordinal: number | string,
  body: { type: string } & Record<string, unknown>,
  hidden?: unknown,
): NewEvent {
  const id = generatedEventId(step.sessionId, step.key, body.type, ordinal);
  const event: NewEvent = { id, thread_id: step.threadId, body: { id, ...body } };
  return hidden === undefined ? event : { ...event, private: hidden };
}

function afterCursor(sql: Database, { order, key: [position, seq, watermark] }: PageCursor) {
  const descending = order === 'desc';
  if (position === '') {
    const unseen = sql`and (e.position > ${watermark!} or e.position is null)`;
    return descending ? sql`${unseen} and e.seq < ${seq!}` : sql`${unseen} and e.seq > ${seq!}`;
  }
  return descending
    ? sql`and (e.position < ${position!} or e.position is null)`
    : sql`and (e.position > ${position!} or e.position is null)`;
}
