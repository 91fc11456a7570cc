// Which machines run sandboxes, and whether they are still heard of.
// A host that was silent for two minutes counts as lost, and what ran there with it.

import { HOST_LOST_MS } from '../protocol/limits.ts';
import type { Database } from './database.ts';

/** Notes that a host is there; call it at start and every HOST_BEAT_MS. */
export async function beatHost(sql: Database, hostId: string): Promise<void> {
  await sql`
    insert into hosts (id, seen_at, started_at) values (${hostId}, now(), now())
    on conflict (id) do update set seen_at = now()`;
}

/** Whether a host was heard of lately; an unknown one was not. */
export async function isHostAlive(sql: Database, hostId: string): Promise<boolean> {
  const rows = await sql`
    select 1 from hosts
     where id = ${hostId} and seen_at > now() - ${HOST_LOST_MS} * interval '1 ms'`;
  return rows.length > 0;
}
