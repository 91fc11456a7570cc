// The second bell: rows that nobody was told of are rung for again, however many sessions wait and
// however long Temporal is away. The sweep over a real PostgreSQL; the bell is the test's.

import { afterEach, beforeAll, afterAll, expect, it } from 'vitest';
import { newId, primaryThreadId } from '../../protocol/ids.ts';
import { RELAY_SESSIONS_MAX } from '../../protocol/limits.ts';
import { startRelay, type RingBell } from '../../store/relay.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { until } from '../helpers/until.ts';

let server: ApiServer;
let relay: { stop(): void } | undefined;
beforeAll(async () => {
  server = await startApiServer();
});
afterEach(async () => {
  relay?.stop();
  await server.sql`delete from events`;
  await server.sql`delete from sessions`;
});
afterAll(async () => {
  await server.close();
});

/** Sessions with one message each that has waited for longer than a second. */
async function waitingSessions(count: number): Promise<Set<string>> {
  const rows = Array.from({ length: count }, () => {
    const id = newId('session');
    return { id, thread: primaryThreadId(id), event: newId('event') };
  });
  const json = server.sql.json(rows);
  await server.sql`
    insert into sessions (id, workspace_id, agent_id, agent_version, agent, environment_id,
                          environment, status, created_at, updated_at, last_seq)
    select e ->> 'id', ${server.workspaceId}, 'agent_x', 1, '{"name": "a"}', 'env_x', '{}',
           'idle', now(), now(), 1
      from jsonb_array_elements(${json}) e`;
  await server.sql`
    insert into events (session_id, id, workspace_id, thread_id, seq, type, body, created_at)
    select e ->> 'id', e ->> 'event', ${server.workspaceId}, e ->> 'thread', 1, 'user.message',
           '{"type": "user.message"}', now() - interval '5 seconds'
      from jsonb_array_elements(${json}) e`;
  return new Set(rows.map(({ id }) => id));
}

/** A bell that Temporal takes from some sessions, and who was rung how often. */
function bell(isTaken: (sessionId: string) => boolean) {
  const rung = new Map<string, number>();
  const ring: RingBell = async (sessionId) => {
    rung.set(sessionId, (rung.get(sessionId) ?? 0) + 1);
    return isTaken(sessionId);
  };
  return { ring, rung, times: (sessionId: string) => rung.get(sessionId) ?? 0 };
}

it('every session is rung, also where more wait than one sweep takes', async () => {
  const ids = await waitingSessions(2 * RELAY_SESSIONS_MAX + 20);
  const { ring, rung } = bell(() => true);
  relay = startRelay(server.sql, ring);
  await until('all are rung', () => rung.size === ids.size);
  expect(new Set(rung.keys())).toEqual(ids);
});

it('a bell that was not taken is rung at every sweep, a taken one ever more rarely', async () => {
  const [refused, taken] = [...(await waitingSessions(2))] as [string, string];
  const { ring, times } = bell((sessionId) => sessionId === taken);
  relay = startRelay(server.sql, ring);
  await until('eight bells', () => times(refused) >= 8);
  // In the time of eight sweeps: one at once, then after one, two and four of them.
  expect(times(taken)).toBeGreaterThan(1);
  expect(times(taken)).toBeLessThan(6);
});

it('a bell that is still ringing is not rung again', async () => {
  const [id] = await waitingSessions(1);
  const others = await waitingSessions(3);
  const { promise: never, resolve } = Promise.withResolvers<boolean>();
  const rung = new Map<string, number>();
  relay = startRelay(server.sql, (sessionId) => {
    rung.set(sessionId, (rung.get(sessionId) ?? 0) + 1);
    return sessionId === id ? never : Promise.resolve(false);
  });
  await until('the others are rung again', () => [...others].every((o) => (rung.get(o) ?? 0) >= 3));
  expect(rung.get(id!)).toBe(1);
  resolve(true);
});
