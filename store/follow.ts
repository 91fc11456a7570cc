// The event log's back door: one generator for one reader, in order, without gap or duplicate. It
// subscribes first and then only ever reads "seq > cursor" from the log, so replay, hand-over and
// live are the same loop; a notification merely says that a read is worth it, and a lost one costs
// a few seconds. Previews ride along between events, as a contiguous prefix or not at all.

import { setTimeout as pause } from 'node:timers/promises';
import type { SessionEvent, StreamEvent } from '../protocol/events.ts';
import {
  FOLLOW_BATCH_EVENTS,
  FOLLOW_LAG_EVENTS_MAX,
  FOLLOW_REREAD_MS,
  LATE_READER_MS,
  LEAVING_READER_MS,
} from '../protocol/limits.ts';
import type { Database } from './database.ts';
import { type EventBody, sessionNotFound, toWire } from './events.ts';
import type { PreviewHub } from './previews.ts';
import { PreviewQueue } from './preview-queue.ts';

export type DeltaType = 'agent.message' | 'agent.thinking';

export interface FollowQuery {
  sessionId: string;
  workspaceId: string;
  threadId?: string;
  /** Resume after this seq; without it the stream starts at its tail (or at a send just made) */
  after?: number;
  deltas: ReadonlySet<DeltaType>;
  signal: AbortSignal;
}

export type FollowItem =
  | { kind: 'event'; seq: number; event: SessionEvent }
  | { kind: 'preview'; event: StreamEvent }
  | { kind: 'end'; reason: 'deleted' | 'terminated' | 'too_slow' };

export interface Follower {
  /**
   * Resolves when the reader's place is fixed: whatever is appended from then on, it will see.
   * Throws 404 for a session unknown in this workspace. The items end when the signal aborts.
   */
  follow(query: FollowQuery): Promise<AsyncGenerator<FollowItem, void, undefined>>;
  close(): Promise<void>;
}

const CHANNEL = 'holdfast_events';
const LEAVING_POLL_MS = 10;

/** Starts listening; one connection serves every reader of this process. */
export async function createFollower(sql: Database, previews: PreviewHub): Promise<Follower> {
  const readers = new Map<string, Set<Reader>>();
  /** Closes that are being noted on their session's row */
  const edges = new Map<string, Promise<void>>();
  const wake = (payload: string): void => {
    const [sessionId = '', seq = ''] = payload.split(' ');
    for (const reader of readers.get(sessionId) ?? []) reader.notify(Number(seq));
  };
  const wakeAll = (): void => {
    for (const set of readers.values()) for (const reader of set) reader.notify(0);
  };
  // wakeAll on every (re)connection: what was said while we were deaf is in the log.
  const listening = await sql.listen(CHANNEL, wake, wakeAll);
  return {
    async follow(query) {
      const reader = new Reader(query, previews);
      const set = readers.get(query.sessionId) ?? new Set<Reader>();
      readers.set(query.sessionId, set);
      const others = [...set];
      set.add(reader);
      const leave = (): void => {
        if (!set.delete(reader)) return;
        reader.close();
        if (set.size === 0) readers.delete(query.sessionId);
        const noted = noteEdge(sql, query.sessionId, reader.idleSeq).catch(() => {});
        edges.set(query.sessionId, noted);
        void noted.then(() => {
          if (edges.get(query.sessionId) === noted) edges.delete(query.sessionId);
        });
      };
      // Also for a reader that goes away before it reads anything.
      query.signal.addEventListener('abort', leave, { once: true });
      try {
        await edges.get(query.sessionId);
        const isLate = await reader.start(sql);
        if (isLate && (await someoneLeaves(set, others, reader))) {
          await edges.get(query.sessionId);
          await reader.start(sql);
        }
        await noteEdge(sql, query.sessionId, 'newest');
      } catch (error) {
        leave();
        throw error;
      }
      return itemsOf(reader, sql, leave);
    },
    async close() {
      await listening.unlisten();
    },
  };
}

/**
 * Whether a reader that saw the newest send's turn end is leaving this very moment: a client that
 * closes one stream and opens the next is not late, but its close may take a moment to arrive.
 */
async function someoneLeaves(
  set: Set<Reader>,
  others: Reader[],
  newcomer: Reader,
): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < LEAVING_READER_MS; waitedMs += LEAVING_POLL_MS) {
    const done = others.filter((other) => other.idleSeq > newcomer.cursor);
    if (done.some((other) => !set.has(other))) return true;
    if (done.length === 0) return false;
    await pause(LEAVING_POLL_MS);
  }
  return false;
}

async function* itemsOf(
  reader: Reader,
  sql: Database,
  leave: () => void,
): AsyncGenerator<FollowItem, void, undefined> {
  try {
    yield* reader.items(sql);
  } finally {
    leave();
  }
}

type Row = { seq: string; body: EventBody; processed_at: Date | null };

class Reader {
  readonly #query: FollowQuery;
  readonly #previews: PreviewQueue;
  /** Seq of the newest session.status_idle this reader was handed; 0 for none */
  idleSeq = 0;
  #cursor = 0;
  #newest = 0;
  #isLive = false;
  /** The session had ended before this reader came */
  #isOver = false;
  #wake: (() => void) | undefined;
  #isWoken = false;

  constructor(query: FollowQuery, hub: PreviewHub) {
    this.#query = query;
    this.#previews = new PreviewQueue(query, hub, () => this.#rouse());
    query.signal.addEventListener('abort', () => this.#rouse(), { once: true });
  }

  /** Seq of the newest event this reader was handed, or of its place at the start */
  get cursor(): number {
    return this.#cursor;
  }

  notify(seq: number): void {
    this.#newest = Math.max(this.#newest, seq);
    this.#rouse();
  }

  close(): void {
    this.#previews.close();
  }

  async *items(sql: Database): AsyncGenerator<FollowItem, void, undefined> {
    const { signal } = this.#query;
    let isOver = this.#isOver;
    for (;;) {
      const rows = await this.#read(sql);
      for (const row of rows) {
        if (signal.aborted) return;
        if (this.#isLive && this.#newest - this.#cursor > FOLLOW_LAG_EVENTS_MAX) {
          yield { kind: 'end', reason: 'too_slow' };
          return;
        }
        for (const event of this.#previews.take(this.#cursor)) yield { kind: 'preview', event };
        this.#cursor = Number(row.seq);
        this.#previews.finish(row.body.id);
        if (row.body.type === 'session.status_idle') this.idleSeq = this.#cursor;
        yield { kind: 'event', seq: this.#cursor, event: toWire(row.body, row.processed_at) };
        const reason = endReason(row.body.type);
        if (reason !== undefined) {
          isOver = true;
          if (reason === 'deleted') {
            yield { kind: 'end', reason };
            return;
          }
        }
      }
      if (signal.aborted) return;
      for (const event of this.#previews.take(this.#cursor)) yield { kind: 'preview', event };
      if (rows.length === FOLLOW_BATCH_EVENTS) continue;
      if (isOver) {
        yield { kind: 'end', reason: 'terminated' };
        return;
      }
      this.#isLive = true;
      await this.#sleep();
    }
  }

  /** Fixes the reader's place in the log; the answer is whether it comes late to a send. */
  async start(sql: Database): Promise<boolean> {
    const { sessionId, workspaceId, after } = this.#query;
    const [row] = await sql<
      {
        last_seq: string;
        sent_seq: string | null;
        is_late: boolean;
        status: string;
        gone: boolean;
      }[]
    >`
      with s as (
        select *, sent_at > clock_timestamp() - ${LATE_READER_MS} * interval '1 ms' as is_young
          from sessions where id = ${sessionId} and workspace_id = ${workspaceId})
      select last_seq, sent_seq, status, deleted_at is not null as gone,
             coalesce(is_young and coalesce(streamed_seq, 0) < sent_seq, false) as is_late
        from s`;
    if (row === undefined || (row.gone && after === undefined)) throw sessionNotFound(sessionId);
    if (after !== undefined) this.#cursor = after;
    else if (row.is_late && row.sent_seq !== null) this.#cursor = Number(row.sent_seq) - 1;
    else this.#cursor = Number(row.last_seq);
    this.#isOver = row.status === 'terminated';
    return after === undefined && row.is_late;
  }

  async #read(sql: Database): Promise<Row[]> {
    this.#isWoken = false;
    const { sessionId, threadId } = this.#query;
    return sql<Row[]>`
      select seq, body, processed_at from events
       where session_id = ${sessionId} and seq > ${this.#cursor}
         ${threadId === undefined ? sql`` : sql`and thread_id = ${threadId}`}
       order by seq limit ${FOLLOW_BATCH_EVENTS}`;
  }

  #rouse(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async #sleep(): Promise<void> {
    if (this.#isWoken || this.#query.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FOLLOW_REREAD_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

function endReason(type: string): 'deleted' | 'terminated' | undefined {
  if (type === 'session.deleted') return 'deleted';
  return type === 'session.status_terminated' ? 'terminated' : undefined;
}

/**
 * Notes what a stream has surely shown: the turn that one saw end before it was closed, or, for one
 * that was just opened, everything so far. Written only while a send is young enough for a late
 * reader to matter; compared by seq, so no clock decides.
 */
async function noteEdge(
  sql: Database,
  sessionId: string,
  shownSeq: number | 'newest',
): Promise<void> {
  const shown = shownSeq === 'newest' ? sql`last_seq` : sql`${shownSeq}::bigint`;
  await sql`
    update sessions set streamed_seq = greatest(streamed_seq, ${shown})
     where id = ${sessionId}
       and sent_at > clock_timestamp() - ${LATE_READER_MS} * interval '1 ms'`;
}
