// What the readers of one session in one process read of its log, once for all that stand at the
// same place: a thousand readers of a live session make one query of each append, and share its
// events. Promise: whoever asks after a notification gets what it told of, so a read that was under
// way then is joined by nobody any more; what was read stays true, as events are never changed.

import type { SessionEvent } from '../protocol/events.ts';
import {
  FOLLOW_BATCH_BYTES,
  FOLLOW_BATCH_EVENTS,
  FOLLOW_SHARED_BYTES_MAX,
} from '../protocol/limits.ts';
import type { Database } from './database.ts';
import { type EventBody, toWire } from './events.ts';

/** Events that follow a place in the log: a bounded number, and of large ones fewer. */
export interface Batch {
  events: { seq: number; event: SessionEvent }[];
  /** rows that the read has found, those left out for their bytes too */
  found: number;
  /** of all bodies, as the database writes them */
  bytes: number;
}

type Row = {
  seq: string;
  body: EventBody;
  processed_at: Date | null;
  found: string;
  bytes: string;
};

export class SharedReads {
  readonly #sessionId: string;
  /** By place: reads under way, and the newest that were finished while others were behind */
  readonly #reads = new Map<string, Promise<Batch>>();
  readonly #finished = new Map<string, number>();
  #finishedBytes = 0;

  constructor(sessionId: string) {
    this.#sessionId = sessionId;
  }

  /** Something was appended: a read that is under way may not have it. */
  age(): void {
    for (const place of this.#reads.keys()) {
      if (!this.#finished.has(place)) this.#reads.delete(place);
    }
  }

  /** The events behind a seq, of one thread or of all. `keeps`: others may come for the same. */
  async after(
    sql: Database,
    from: { cursor: number; threadId: string | undefined },
    keeps: () => boolean,
  ): Promise<Batch> {
    const place = `${from.cursor} ${from.threadId ?? ''}`;
    const known = this.#reads.get(place);
    if (known !== undefined) return known;
    const read = this.#read(sql, from);
    this.#reads.set(place, read);
    try {
      const batch = await read;
      // One that grew old meanwhile is no longer in the list.
      if (this.#reads.get(place) === read) this.#finish(place, batch, keeps());
      return batch;
    } catch (error) {
      if (this.#reads.get(place) === read) this.#reads.delete(place);
      throw error;
    }
  }

  /** An end of the log is asked for anew each time, and what is large is read again. */
  #finish(place: string, { events, bytes }: Batch, isKept: boolean): void {
    if (!isKept || events.length === 0 || bytes > FOLLOW_SHARED_BYTES_MAX) {
      this.#reads.delete(place);
      return;
    }
    this.#finished.set(place, bytes);
    this.#finishedBytes += bytes;
    for (const [oldest, itsBytes] of this.#finished) {
      if (this.#finishedBytes <= FOLLOW_SHARED_BYTES_MAX) return;
      this.#finished.delete(oldest);
      this.#reads.delete(oldest);
      this.#finishedBytes -= itsBytes;
    }
  }

  async #read(
    sql: Database,
    { cursor, threadId }: { cursor: number; threadId: string | undefined },
  ): Promise<Batch> {
    const rows = await sql<Row[]>`
      select seq, body, processed_at, found, bytes
        from (
          select *, count(*) over () as found,
                 sum(octet_length(body::text)) over (order by seq) as bytes
            from (
              select seq, body, processed_at from events
               where session_id = ${this.#sessionId} and seq > ${cursor}
                 ${threadId === undefined ? sql`` : sql`and thread_id = ${threadId}`}
               order by seq limit ${FOLLOW_BATCH_EVENTS}) batch) sized
       where bytes - octet_length(body::text) < ${FOLLOW_BATCH_BYTES}
       order by seq`;
    return {
      events: rows.map((row) => ({
        seq: Number(row.seq),
        event: toWire(row.body, row.processed_at),
      })),
      found: Number(rows[0]?.found ?? 0),
      bytes: Number(rows.at(-1)?.bytes ?? 0),
    };
  }
}
