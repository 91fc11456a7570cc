// The second bell. A client's event is committed before its workflow is signalled, so a process
// that dies in between, or a Temporal that is away, leaves rows that nobody was told of. This sweep
// finds rows older than a second and rings again, with growing pauses, until they are consumed.
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

type Waiting = Ring & { ended: boolean };

/** Starts the sweep; `ring` must not throw. The answer stops it. */
export function startRelay(
  sql: Database,
  ring: (sessionId: string, signal: Ring & { ended?: boolean }) => void,
): { stop(): void } {
  const pauses = new Map<string, { dueMs: number; pauseMs: number }>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;
  const tick = async (): Promise<void> => {
    try {
      if (ticks % TICKS_A_PURGE === 0) await purge(sql);
      ticks += 1;
      const waiting = await waitingSessions(sql);
      const nowMs = performance.now();
      const names = new Set(waiting.map((row) => row.start.sessionId));
      for (const name of pauses.keys()) if (!names.has(name)) pauses.delete(name);
      for (const row of waiting) {
        const { sessionId } = row.start;
        const last = pauses.get(sessionId);
        if (last !== undefined && last.dueMs > nowMs) continue;
        const pauseMs = Math.min(
          (last?.pauseMs ?? RELAY_INTERVAL_MS / 2) * 2,
          RELAY_BACKOFF_MS_MAX,
        );
        pauses.set(sessionId, { dueMs: nowMs + pauseMs, pauseMs });
        ring(sessionId, row);
      }
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

/** Sessions with events that waited over a second, or that ended and still hold a sandbox. */
async function waitingSessions(sql: Database): Promise<Waiting[]> {
  const rows = await sql<
    {
      id: string;
      workspace_id: string;
      facts: StartFacts;
      ended: boolean;
      events: { seq: number; id: string; type: string }[] | null;
    }[]
  >`
    with late as (
      select session_id,
             jsonb_agg(jsonb_build_object('seq', seq, 'id', id, 'type', type) order by seq)
               as events
        from events
       where processed_at is null and created_at < now() - interval '1 second'
       group by session_id limit ${RELAY_SESSIONS_MAX}),
    unreleased as (
      select id from sessions
       where archived_at is not null and released_at is null
         and archived_at < now() - interval '1 second' limit ${RELAY_SESSIONS_MAX})
    select s.id, s.workspace_id, start_facts(s) as facts, late.events,
           s.status = 'terminated' as ended
      from sessions s left join late on late.session_id = s.id
     where s.id in (select session_id from late union all select id from unreleased)`;
  return rows.map((row) => ({
    start: { sessionId: row.id, workspaceId: row.workspace_id, ...row.facts },
    events: (row.events ?? []).slice(0, SIGNAL_EVENTS_MAX),
    ended: row.ended,
  }));
}
