// The ends of a session: archive and delete. Both are refused while it runs; both are decided under
// the row lock, so they and a message that arrives at the same moment have one order.

import { ApiError } from '../protocol/errors.ts';
import { generatedEventId, primaryThreadId } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import type { Ring, StartFacts } from './accept-events.ts';
import { type NewEvent, sessionNotFound } from './events.ts';

type EndAnswer =
  | { error: 'not_found' | 'running' | 'rescheduling' }
  | { outcome: 'already' }
  | { outcome: 'ended'; start: StartFacts };

/**
 * Archives or deletes a session and appends its last events. Archiving an archived session changes
 * nothing and answers null; otherwise answers what tells the workflow to let go of its sandbox.
 * Throws 404 for an unknown session and 400 for a running one (behaviour 5.4).
 */
export async function terminateSession(
  sql: Database,
  end: { workspaceId: string; sessionId: string; how: 'archive' | 'delete' },
): Promise<Ring | null> {
  const { sessionId, workspaceId } = end;
  const argument = {
    session_id: sessionId,
    workspace_id: workspaceId,
    how: end.how,
    events: lastEvents(end),
  };
  const [row] = await sql<{ answer: EndAnswer }[]>`
    select end_session(${sql.json(argument as never)}) as answer`;
  const answer = row!.answer;
  if ('error' in answer) {
    if (answer.error === 'not_found') throw sessionNotFound(sessionId);
    throw new ApiError(
      'invalid_request_error',
      `Session \`${sessionId}\` is ${answer.error} and cannot be ${end.how}d: ` +
        'send user.interrupt, wait for session.status_idle, then try again.',
    );
  }
  if (answer.outcome === 'already') return null;
  return { start: { sessionId, workspaceId, ...answer.start }, events: [] };
}

function lastEvents(end: { sessionId: string; how: string }): NewEvent[] {
  const threadId = primaryThreadId(end.sessionId);
  const event = (type: string, fields: Record<string, unknown> = {}): NewEvent => {
    const id = generatedEventId(end.sessionId, 'end', type);
    return { id, thread_id: threadId, body: { id, type, ...fields } };
  };
  if (end.how === 'delete') return [event('session.deleted')];
  return [
    event('session.thread_status_terminated', {
      session_thread_id: threadId,
    }),
    event('session.status_terminated'),
  ];
}

/** Notes that the session's workflow has let go of the sandbox, so that nobody rings it again. */
export async function markReleased(sql: Database, sessionId: string): Promise<void> {
  await sql`update sessions set released_at = now() where id = ${sessionId}`;
}

/** Which of these sessions may still need a sandbox; the rest are archived, deleted or unknown. */
export async function liveSessions(sql: Database, ids: string[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    select id from sessions where id = any(${ids}) and status <> 'terminated'`;
  return new Set(rows.map((row) => row.id));
}
