// The second bell. A client's event is committed before its workflow is signalled, so a process
// that dies in between, or a Temporal that is away, leaves rows that nobody was told of. This sweep
// finds what is older than a second and rings again, with growing pauses, until they are consumed.
// Ringing is idempotent, so any number of processes may sweep.

import {
  RELAY_BACKOFF_MS_MAX,
  RELAY_INTERVAL_MS,
  RELAY_SESSIONS_MAX,
  SIGNAL_EVENTS_MAX,
} from '../protocol/limits.ts';
import type { Database } from './database.ts';
import type { Ring, StartFacts } from './accept-events.ts';

const TICKS_A_PURGE = 30;

type Waiting = Ring & { ended: boolean; resumed: boolean };

/** Rings a session's workflow; resolves with whether Temporal has taken it, never rejects. */
export type RingBell = (
  sessionId: string,
  signal: Ring & { ended?: boolean; resumed?: boolean },
) => Promise<boolean>;

/** Starts the sweep; the answer stops it. */
export function startRelay(sql: Database, ring: RingBell): { stop(): void } {
  const bells = new Bells(ring);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;
  /** Where the next sweep goes on: each takes a bounded number of sessions, in turn */
  let after = '';
  const tick = async (): Promise<void> => {
    try {
      if (ticks % TICKS_A_PURGE === 0) await purge(sql);
      ticks += 1;
      const waiting = await waitingSessions(sql, after);
      for (const row of waiting) bells.ring(row);
      const isRoundOver = waiting.length < RELAY_SESSIONS_MAX;
      after = isRoundOver ? '' : waiting.at(-1)!.start.sessionId;
      if (isRoundOver) bells.endRound();
    } catch {
      // The database is away; what waits will still be there at the next tick.
    }
    if (!stopped) timer = setTimeout(tick, RELAY_INTERVAL_MS);
  };
  timer = setTimeout(tick, RELAY_INTERVAL_MS);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

interface Bell {
  dueMs: number;
  pauseMs: number;
  isRinging: boolean;
  /** Seen in the round of sweeps that is under way */
  isWaiting: boolean;
  newestSeq: number;
}

/**
 * When each waiting session is rung again: the pause grows with every bell that Temporal has taken,
 * since the workflow knows by then and each further one is an event in its history; a bell that was
 * not taken is tried again at the next sweep.
 */
class Bells {
  readonly #ring: RingBell;
  readonly #bells = new Map<string, Bell>();

  constructor(ring: RingBell) {
    this.#ring = ring;
  }

  ring(row: Waiting): void {
    const { sessionId } = row.start;
    const nowMs = performance.now();
    const bell = this.#bells.get(sessionId) ?? {
      dueMs: nowMs,
      pauseMs: RELAY_INTERVAL_MS,
      isRinging: false,
      isWaiting: true,
      newestSeq: 0,
    };
    bell.isWaiting = true;
    const newest = row.events.at(-1)?.seq ?? 0;
    // Something new waits, an interrupt perhaps: whatever was rung for is no reason to be slow.
    if (newest > bell.newestSeq) {
      Object.assign(bell, { newestSeq: newest, dueMs: nowMs, pauseMs: RELAY_INTERVAL_MS });
    }
    this.#bells.set(sessionId, bell);
    if (bell.isRinging || bell.dueMs > nowMs) return;
    bell.isRinging = true;
    void this.#ring(sessionId, row).then((isTaken) => {
      bell.isRinging = false;
      if (!isTaken) return;
      bell.dueMs = performance.now() + bell.pauseMs;
      bell.pauseMs = Math.min(bell.pauseMs * 2, RELAY_BACKOFF_MS_MAX);
    });
  }

  /** Every waiting session was seen: the others are forgotten. */
  endRound(): void {
    for (const [sessionId, bell] of this.#bells) {
      if (!bell.isWaiting && !bell.isRinging) this.#bells.delete(sessionId);
      bell.isWaiting = false;
    }
  }
}

/** Forgets sends nobody can repeat any more, and what is left of sessions deleted a day ago. */
async function purge(sql: Database): Promise<void> {
  await sql`
    delete from sends
     where created_at < now() - interval '60 seconds'
       and (idempotency_key is null or created_at < now() - interval '24 hours')`;
  await sql`
    with gone as (
      select id from sessions
       where deleted_at < now() - interval '24 hours' and released_at is not null
       limit ${RELAY_SESSIONS_MAX}),
    events_gone as (delete from events where session_id in (select id from gone)),
    steps_gone as (delete from steps where session_id in (select id from gone)),
    sends_gone as (delete from sends where session_id in (select id from gone))
    select 1`;
  await sql`
    delete from sessions s
     where s.deleted_at < now() - interval '24 hours' and s.released_at is not null
       and not exists (select 1 from events e where e.session_id = s.id)
       and not exists (select 1 from steps t where t.session_id = s.id)
       and not exists (select 1 from sends d where d.session_id = s.id)`;
}

/**
 * The next sessions, by id, with events that waited over a second, or that ended and still hold a
 * sandbox.
 */
async function waitingSessions(sql: Database, after: string): Promise<Waiting[]> {
  const rows = await sql<
    {
      id: string;
      workspace_id: string;
      facts: StartFacts;
      ended: boolean;
      resumed: boolean;
      events: Ring['events'] | null;
      answers: Ring['events'] | null;
    }[]
  >`
    with late as (
      select e.session_id,
             jsonb_agg(jsonb_build_object('seq', e.seq, 'id', e.id, 'type', e.type) order by e.seq)
               as events
        from events e join sessions s on s.id = e.session_id
       where e.processed_at is null and e.created_at < now() - interval '1 second'
         and e.session_id > ${after} and e.type <> 'system.message'
         -- What a parked session cannot take up yet waits without a bell.
         and (e.type = 'user.interrupt' or s.status <> 'idle'
              or (s.stop_reason is distinct from 'requires_action' and not s.is_held))
       group by e.session_id order by e.session_id limit ${RELAY_SESSIONS_MAX}),
    waking as (
      select id from sessions
       where wake_at < now() - interval '1 second' and id > ${after}
       order by id limit ${RELAY_SESSIONS_MAX}),
    unreleased as (
      select id from sessions
       where archived_at is not null and released_at is null
         and archived_at < now() - interval '1 second' and id > ${after}
       order by id limit ${RELAY_SESSIONS_MAX})
    select s.id, s.workspace_id, start_facts(s) as facts, late.events,
           s.status = 'terminated' as ended, s.is_held and s.wake_at is not null as resumed,
           (select jsonb_agg(jsonb_build_object('seq', w.value -> 'seq',
                     'id', w.value -> 'event', 'type', 'user.tool_confirmation')
                     order by w.value -> 'seq')
              from jsonb_each(s.waits) w where w.value ? 'answer') as answers
      from sessions s left join late on late.session_id = s.id
     where s.id in (select session_id from late union all select id from waking
                    union all select id from unreleased)
     order by s.id limit ${RELAY_SESSIONS_MAX}`;
  return rows.map((row) => ({
    start: { sessionId: row.id, workspaceId: row.workspace_id, ...row.facts },
    events: namedEvents([...(row.events ?? []), ...(row.answers ?? [])]),
    ended: row.ended,
    resumed: row.resumed,
  }));
}

/** The newest of each kind are what a workflow needs to know of; the log has the rest. */
function namedEvents(waiting: Ring['events']): Ring['events'] {
  const newest = waiting.slice(-SIGNAL_EVENTS_MAX);
  const interrupt = waiting.findLast(({ type }) => type === 'user.interrupt');
  if (interrupt === undefined || newest.includes(interrupt)) return newest;
  return [interrupt, ...newest.slice(1)];
}
