// One reader of a session's event log. It only ever reads "seq > cursor", so replay, hand-over and
// live are the same loop; a notification merely says that a read is worth it, and a lost one costs
// a few seconds. Memory is bounded: one batch of events at a time, shared with whoever stands at
// the same place (store/shared-reads.ts), and who lags too far is cut off. Previews ride along
// between events, as a contiguous prefix or not at all.

import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../protocol/errors.ts';
import type { SessionEvent, StreamEvent } from '../protocol/events.ts';
import {
  FOLLOW_BATCH_EVENTS,
  FOLLOW_LAG_EVENTS_MAX,
  FOLLOW_REREAD_MS,
  FOLLOW_RETRY_MS,
  LATE_READER_MS,
} from '../protocol/limits.ts';
import { type Database, isConnectionLoss } from './database.ts';
import { sessionNotFound } from './events.ts';
import type { PreviewHub } from './previews.ts';
import { PreviewQueue } from './preview-queue.ts';
import type { Batch } from './shared-reads.ts';

export type DeltaType = 'agent.message' | 'agent.thinking';

export interface FollowQuery {
  sessionId: string;
  workspaceId: string;
  threadId?: string;
  /** Resume after this seq; without it the stream starts at its tail (or at a send just made) */
  after?: number;
  deltas: ReadonlySet<DeltaType>;
  signal: AbortSignal;
  /** Called when the reader lags too far and does not even read that it does */
  onStalled?: () => void;
}

export type FollowItem =
  | { kind: 'event'; seq: number; event: SessionEvent }
  | { kind: 'preview'; event: StreamEvent }
  | { kind: 'end'; reason: 'deleted' | 'terminated' | 'too_slow' };

/** Reads what stands behind a place in the session's log. */
export type ReadLog = (from: { cursor: number; threadId: string | undefined }) => Promise<Batch>;

export class LogReader {
  readonly #query: FollowQuery;
  readonly #previews: PreviewQueue;
  readonly #stallMs: number;
  readonly #readLog: ReadLog;
  /** Seq of the newest session.status_idle this reader was handed; 0 for none */
  idleSeq = 0;
  #cursor = 0;
  #newest = 0;
  #isLive = false;
  /** The session had ended before this reader came */
  #isOver = false;
  #wake: (() => void) | undefined;
  #isWoken = false;
  /** When the item was handed out that has not been read yet; undefined while one is awaited */
  #handedOutMs: number | undefined;

  constructor(
    query: FollowQuery,
    deps: { previews: PreviewHub; stallMs: number; readLog: ReadLog },
  ) {
    this.#query = query;
    this.#stallMs = deps.stallMs;
    this.#readLog = deps.readLog;
    this.#previews = new PreviewQueue(query, deps.previews, () => this.#rouse());
    query.signal.addEventListener('abort', () => this.#rouse(), { once: true });
  }

  /** Seq of the newest event this reader was handed, or of its place at the start */
  get cursor(): number {
    return this.#cursor;
  }

  notify(seq: number): void {
    this.#newest = Math.max(this.#newest, seq);
    if (this.#isStalled()) this.#query.onStalled?.();
    this.#rouse();
  }

  /** Lags too far, and has not read for so long that it would not read that it does. */
  #isStalled(): boolean {
    const waitedMs = performance.now() - (this.#handedOutMs ?? Infinity);
    return waitedMs > this.#stallMs && this.#lagsTooFar();
  }

  #lagsTooFar(): boolean {
    return this.#isLive && this.#newest - this.#cursor > FOLLOW_LAG_EVENTS_MAX;
  }

  close(): void {
    this.#previews.close();
  }

  /** Everything after the reader's place, until its end or the signal. */
  async *items(): AsyncGenerator<FollowItem, void, undefined> {
    for await (const item of this.#items()) {
      this.#handedOutMs = performance.now();
      yield item;
      this.#handedOutMs = undefined;
    }
  }

  async *#items(): AsyncGenerator<FollowItem, void, undefined> {
    const { signal } = this.#query;
    let isOver = this.#isOver;
    for (;;) {
      const { events, found } = await this.#readWhenThere();
      for (const { seq, event } of events) {
        if (signal.aborted) return;
        if (this.#lagsTooFar()) {
          yield { kind: 'end', reason: 'too_slow' };
          return;
        }
        yield* this.#shownPreviews();
        this.#cursor = seq;
        this.#previews.finish(event.id);
        if (event.type === 'session.status_idle') this.idleSeq = seq;
        yield { kind: 'event', seq, event };
        const reason = endReason(event.type);
        if (reason !== undefined) {
          isOver = true;
          if (reason === 'deleted') {
            yield { kind: 'end', reason };
            return;
          }
        }
      }
      if (signal.aborted) return;
      yield* this.#shownPreviews();
      if (events.length < found || events.length === FOLLOW_BATCH_EVENTS) continue;
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
    if (after !== undefined && after > Number(row.last_seq)) {
      throw new ApiError(
        'invalid_request_error',
        `Last-Event-ID, after_seq: this session's newest event is ${row.last_seq}.`,
      );
    }
    if (after !== undefined) this.#cursor = after;
    else if (row.is_late && row.sent_seq !== null) this.#cursor = Number(row.sent_seq) - 1;
    else this.#cursor = Number(row.last_seq);
    this.#isOver = row.status === 'terminated';
    return after === undefined && row.is_late;
  }

  *#shownPreviews(): Generator<FollowItem, void, undefined> {
    for (const event of this.#previews.take(this.#cursor)) yield { kind: 'preview', event };
  }

  /** Waits for a database that is away: the cursor makes the reader go on exactly where it was. */
  async #readWhenThere(): Promise<Batch> {
    for (;;) {
      try {
        this.#isWoken = false;
        return await this.#readLog({ cursor: this.#cursor, threadId: this.#query.threadId });
      } catch (error) {
        if (!isConnectionLoss(error) || this.#query.signal.aborted) throw error;
      }
      await pause(FOLLOW_RETRY_MS);
    }
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
