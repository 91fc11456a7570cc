// followEvents over a real PostgreSQL: whatever order appends, readers and lost connections come
// in, every reader sees every later event once, in order. The three places where such a reader
// usually goes wrong (replay, hand-over, live) are hit by starting readers in the middle of
// appends.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { primaryThreadId } from '../../protocol/ids.ts';
import { appendEvents, stepEvent } from '../../store/events.ts';
import { createFollower, type Follower } from '../../store/follow.ts';
import { localPreviews } from '../../store/previews.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { byDepth } from '../helpers/depth.ts';
import { until } from '../helpers/until.ts';

let server: ApiServer;
let follower: Follower;
beforeAll(async () => {
  server = await startApiServer();
  follower = await createFollower(server.sql, localPreviews());
});
afterAll(async () => {
  await follower.close();
  await server.close();
});

async function append(sessionId: string, key: string, count: number): Promise<void> {
  const step = { sessionId, threadId: primaryThreadId(sessionId), key };
  const events = Array.from({ length: count }, (_, index) =>
    stepEvent(step, index, { type: 'agent.thinking' }),
  );
  await appendEvents(server.sql, { sessionId, stepKey: key, events });
}

async function newestSeq(sessionId: string): Promise<number> {
  const [row] = await server.sql<{ seq: string }[]>`
    select last_seq as seq from sessions where id = ${sessionId}`;
  return Number(row!.seq);
}

/** Reads until the given seq has come; the answer is every seq in the order of arrival. */
async function read(sessionId: string, after: number, until: number): Promise<number[]> {
  const stop = new AbortController();
  const query = { sessionId, workspaceId: server.workspaceId, after, deltas: new Set<never>() };
  const seen: number[] = [];
  for await (const item of await follower.follow({ ...query, signal: stop.signal })) {
    if (item.kind === 'event') seen.push(item.seq);
    if (seen.at(-1) === until) break;
  }
  stop.abort();
  return seen;
}

const batches = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 });

test('every reader sees every later event once and in order, wherever it starts', async () => {
  await fc.assert(
    fc.asyncProperty(batches, places, async (sizes, starts) => {
      const sessionId = await server.insertSession('running');
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const readers = starts.map(async (place) => {
        const after = Math.min(total - 1, Math.floor(place * total));
        // In the middle of the appends, as soon as the place it resumes at is there.
        await until('its place is there', async () => (await newestSeq(sessionId)) >= after, {
          pollMs: 1,
        });
        return { after, seen: await read(sessionId, after, total) };
      });
      // Appends of several steps race for the row lock, as parallel tool results do.
      await Promise.all(sizes.map((size, index) => append(sessionId, `s${index}`, size)));
      for (const { after, seen } of await Promise.all(readers)) {
        const expected = Array.from({ length: total - after }, (_, index) => after + index + 1);
        expect(seen).toEqual(expected);
      }
    }),
    { numRuns: byDepth(60, 500) },
  );
});

test('a repeated step adds nothing, whoever repeats it and however often at once', async () => {
  const sessionId = await server.insertSession('running');
  await Promise.all(Array.from({ length: 8 }, () => append(sessionId, 'same', 3)));
  expect(await read(sessionId, 0, 3)).toEqual([1, 2, 3]);
  const [row] = await server.sql<{ count: number }[]>`
    select count(*)::int as count from events where session_id = ${sessionId}`;
  expect(row?.count).toBe(3);
});
