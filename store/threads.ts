// The threads of a session. The primary thread needs no row of its own: it is the session seen as a
// thread, under an id that follows from the session's.

import { primaryThreadId } from '../protocol/ids.ts';
import type { SessionThread } from '../protocol/threads.ts';
import type { Database } from './database.ts';
import { notFound } from './not-found.ts';
import { getSessionRow, type SessionKey, type SessionRow, usageOf } from './sessions.ts';

/** Lists a session's threads, oldest first. ApiError 404 when the session is unknown. */
export async function listThreads(sql: Database, key: SessionKey): Promise<SessionThread[]> {
  return [primaryThread(await getSessionRow(sql, key))];
}

/** Reads one thread. ApiError 404 when it or its session is unknown. */
export async function getThread(
  sql: Database,
  key: SessionKey & { threadId: string },
): Promise<SessionThread> {
  const row = await getSessionRow(sql, key);
  if (key.threadId !== primaryThreadId(key.sessionId)) throw notFound('thread', key.threadId);
  return primaryThread(row);
}

function primaryThread(row: SessionRow): SessionThread {
  const { multiagent: _, ...agent } = row.agent;
  return {
    id: primaryThreadId(row.id),
    type: 'session_thread',
    session_id: row.id,
    parent_thread_id: null,
    workflow_run_id: null,
    agent,
    status: row.status,
    // sdk 1.11.0: stats are null until the first transition, usage until the first idle one.
    stats:
      row.startup_seconds === null
        ? null
        : {
            active_seconds: row.active_seconds,
            duration_seconds: row.duration_seconds,
            startup_seconds: row.startup_seconds,
          },
    usage: row.has_been_idle ? usageOf(row, row.thread_list_cost) : null,
    created_at: row.created_at,
    updated_at: row.updated_at,
    archived_at: row.archived_at,
  };
}
