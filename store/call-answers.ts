// What clients answered to tool calls that wait for them and nobody has taken up yet
// (`sessions.waits`, written by acceptEvents, cleared by appendEvents).

import type { Database } from './database.ts';

export interface CallAnswer {
  /** Id and type of the call's event */
  id: string;
  type: string;
  /** The provider's id of the tool use */
  toolUseId: string;
  answer: 'allow' | 'deny' | 'result';
  /** Of the event that gave it */
  seq: number;
  denyMessage: string | null;
}

/** Reads the answers in the order in which they were given. */
export async function loadAnswers(sql: Database, sessionId: string): Promise<CallAnswer[]> {
  return sql<CallAnswer[]>`
    select c.id, c.type, c.private ->> 'tool_use_id' as "toolUseId",
           w.value ->> 'answer' as answer, (w.value ->> 'seq')::float8 as seq,
           a.body ->> 'deny_message' as "denyMessage"
      from sessions s
      cross join jsonb_each(s.waits) w
      join events c on c.session_id = s.id and c.id = w.key
      join events a on a.session_id = s.id and a.id = w.value ->> 'event'
     where s.id = ${sessionId} and w.value ? 'answer'
     order by a.seq`;
}
