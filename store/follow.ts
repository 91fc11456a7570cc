// The event log's back door: one generator for one reader, in order, without gap or duplicate
// (store/log-reader.ts). This file wakes the readers of a process by one listening connection, lets
// those of a session share what they read, and decides where a reader starts that comes late to a
// send, or just as another one leaves.

import { setTimeout as pause } from 'node:timers/promises';
import { FOLLOW_STALL_MS, LATE_READER_MS, LEAVING_READER_MS } from '../protocol/limits.ts';
import type { Database } from './database.ts';
import { type FollowItem, type FollowQuery, LogReader, type ReadLog } from './log-reader.ts';
import type { PreviewHub } from './previews.ts';
import { SharedReads } from './shared-reads.ts';

export interface Follower {
  /**
   * Resolves when the reader's place is fixed: whatever is appended from then on, it will see.
   * Throws 404 for a session unknown in this workspace. The items end when the signal aborts.
   */
  follow(query: FollowQuery): Promise<AsyncGenerator<FollowItem, void, undefined>>;
  close(): Promise<void>;
}

/** A session that somebody reads in this process. */
interface Watched {
  readers: Set<LogReader>;
  reads: SharedReads;
}

const CHANNEL = 'holdfast_events';
const LEAVING_POLL_MS = 10;

/**
 * Starts listening; one connection serves every reader of this process. `stallMs` is how long a
 * reader that lags too far may not read at all.
 */
export async function createFollower(
  sql: Database,
  previews: PreviewHub,
  { stallMs = FOLLOW_STALL_MS } = {},
): Promise<Follower> {
  const watched = new Map<string, Watched>();
  /** Closes that are being noted on their session's row */
  const edges = new Map<string, Promise<void>>();
  const wake = (payload: string): void => {
    const [sessionId = '', seq = ''] = payload.split(' ');
    wakeReaders(watched.get(sessionId), Number(seq));
  };
  const wakeAll = (): void => {
    for (const session of watched.values()) wakeReaders(session, 0);
  };
  // wakeAll on every (re)connection: what was said while we were deaf is in the log.
  const listening = await sql.listen(CHANNEL, wake, wakeAll);
  return {
    async follow(query) {
      const session = watched.get(query.sessionId) ?? {
        readers: new Set(),
        reads: new SharedReads(query.sessionId),
      };
      watched.set(query.sessionId, session);
      const set = session.readers;
      const readLog: ReadLog = (from) => session.reads.after(sql, from, () => set.size > 1);
      const reader = new LogReader(query, { previews, stallMs, readLog });
      const others = [...set];
      set.add(reader);
      const leave = (): void => {
        if (!set.delete(reader)) return;
        reader.close();
        if (set.size === 0) watched.delete(query.sessionId);
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
      return itemsOf(reader, leave);
    },
    async close() {
      await listening.unlisten();
    },
  };
}

function wakeReaders(session: Watched | undefined, seq: number): void {
  if (session === undefined) return;
  session.reads.age();
  for (const reader of session.readers) reader.notify(seq);
}

/**
 * Whether a reader that saw the newest send's turn end is leaving this very moment: a client that
 * closes one stream and opens the next is not late, but its close may take a moment to arrive.
 */
async function someoneLeaves(
  set: Set<LogReader>,
  others: LogReader[],
  newcomer: LogReader,
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
  reader: LogReader,
  leave: () => void,
): AsyncGenerator<FollowItem, void, undefined> {
  try {
    yield* reader.items();
  } finally {
    leave();
  }
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
