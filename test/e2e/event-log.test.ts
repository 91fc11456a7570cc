// The event log under everything that happens at once: pages of a history that changes while it is
// read, writers that wait for each other, an end that meets a message. The store over a real
// PostgreSQL, no workflow.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, primaryThreadId } from '../../protocol/ids.ts';
import {
  EVENTS_PAGE_BYTES_MAX,
  FOLLOW_BATCH_BYTES,
  FOLLOW_LAG_EVENTS_MAX,
  FOLLOW_SHARED_BYTES_MAX,
} from '../../protocol/limits.ts';
import { decodeCursor } from '../../protocol/page.ts';
import { acceptEvents } from '../../store/accept-events.ts';
import { appendEvents, eventsList, listEvents, stepEvent } from '../../store/events.ts';
import { createFollower } from '../../store/follow.ts';
import { beginModelCall } from '../../store/model-context.ts';
import { localPreviews } from '../../store/previews.ts';
import { terminateSession } from '../../store/session-life.ts';
import { SharedReads } from '../../store/shared-reads.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';

let server: ApiServer;
beforeAll(async () => {
  server = await startApiServer();
});
afterAll(async () => {
  await server.close();
});

async function send(sessionId: string, ...texts: string[]): Promise<void> {
  await acceptEvents(server.sql, {
    workspaceId: server.workspaceId,
    sessionId,
    events: texts.map((text) => ({ type: 'user.message', content: [{ type: 'text', text }] })),
    requestHash: newId('request'),
    instance: 1n,
  });
}

async function begin(sessionId: string, turn: number): Promise<void> {
  const threadId = primaryThreadId(sessionId);
  const key = `t${turn}.r1`;
  await beginModelCall(server.sql, {
    sessionId,
    threadId,
    stepKey: key,
    turn,
    round: 1,
    afterPosition: 0,
    closing: [],
    announcing: [],
    events: [stepEvent({ sessionId, threadId, key }, 0, { type: 'span.model_request_start' })],
  });
}

/** Ids page by page; `between` happens after each page. */
async function pages(
  sessionId: string,
  order: 'asc' | 'desc',
  between: (page: number) => Promise<void>,
): Promise<string[]> {
  const seen: string[] = [];
  let page: string | undefined;
  for (let number = 1; ; number += 1) {
    const query = { workspaceId: server.workspaceId, sessionId, order, limit: 2 };
    const cursor = page === undefined ? {} : { cursor: decodeCursor(page, eventsList(query)) };
    const { data, nextPage } = await listEvents(server.sql, { ...query, ...cursor });
    seen.push(...data.map(({ id }) => id));
    if (nextPage === null) return seen;
    page = nextPage;
    await between(number);
  }
}

async function idsBySeq(sessionId: string): Promise<string[]> {
  const rows = await server.sql<{ id: string }[]>`
    select id from events where session_id = ${sessionId} order by seq`;
  return rows.map(({ id }) => id);
}

describe('pages of a history', () => {
  it('have no gap where waiting messages are processed between two of them', async () => {
    for (const processedAfter of [1, 2]) {
      const sessionId = await server.insertSession('idle');
      await send(sessionId, 'a', 'b', 'c', 'd', 'e');
      const seen = await pages(sessionId, 'asc', async (page) => {
        if (page === processedAfter) await begin(sessionId, 1);
      });
      expect(seen).toEqual(await idsBySeq(sessionId));
    }
  });

  it('take in what is sent between two of them, once', async () => {
    const sessionId = await server.insertSession('idle');
    await begin(sessionId, 1);
    await send(sessionId, 'a', 'b', 'c');
    const seen = await pages(sessionId, 'asc', async (page) => {
      if (page === 1) await begin(sessionId, 2);
      if (page === 2) await send(sessionId, 'd');
    });
    expect(seen).toEqual(await idsBySeq(sessionId));
  });

  it('go on downwards over what waited when they began', async () => {
    const sessionId = await server.insertSession('idle');
    await send(sessionId, 'a', 'b', 'c', 'd', 'e');
    const waiting = await idsBySeq(sessionId);
    const seen = await pages(sessionId, 'desc', async (page) => {
      if (page === 1) await begin(sessionId, 1);
    });
    expect(seen).toEqual(waiting.reverse());
  });

  it('end early where events are large, and lose none', async () => {
    const sessionId = await server.insertSession('idle');
    const text = 'x'.repeat(Math.ceil(EVENTS_PAGE_BYTES_MAX / 2.5));
    for (let message = 0; message < 4; message += 1) await send(sessionId, text);
    const query = {
      workspaceId: server.workspaceId,
      sessionId,
      order: 'asc',
      limit: 1000,
    } as const;
    const first = await listEvents(server.sql, query);
    expect(first.data).toHaveLength(3);
    const cursor = decodeCursor(first.nextPage!, eventsList(query));
    const second = await listEvents(server.sql, { ...query, cursor });
    expect(second.data).toHaveLength(1);
    expect(second.nextPage).toBeNull();
  });
});

it('times follow the order of history, also for one who waited for the lock', async () => {
  const sessionId = await server.insertSession('idle');
  const threadId = primaryThreadId(sessionId);
  let interrupted: Promise<unknown> = Promise.resolve();
  await server.sql.begin(async (tx) => {
    await tx`select 1 from sessions where id = ${sessionId} for update`;
    interrupted = acceptEvents(server.sql, {
      workspaceId: server.workspaceId,
      sessionId,
      events: [{ type: 'user.interrupt' }],
      requestHash: newId('request'),
      instance: 1n,
    });
    await tx`select pg_sleep(0.3)`;
    const event = stepEvent({ sessionId, threadId, key: 'k' }, 0, { type: 'agent.thinking' });
    const append = { sessionId, stepKey: 'k', events: [event] };
    await appendEvents(tx as never, append);
  });
  await interrupted;
  const query = { workspaceId: server.workspaceId, sessionId, order: 'asc', limit: 10 } as const;
  const { data } = await listEvents(server.sql, query);
  const times = data.map((event) => Date.parse((event as { processed_at: string }).processed_at));
  expect(data.map(({ type }) => type)).toEqual(['agent.thinking', 'user.interrupt']);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

it('a session whose accepted message nobody has taken up yet counts as running', async () => {
  const sessionId = await server.insertSession('idle');
  await send(sessionId, 'hello');
  for (const how of ['archive', 'delete'] as const) {
    const end = { workspaceId: server.workspaceId, sessionId, how };
    await expect(terminateSession(server.sql, end)).rejects.toMatchObject({ status: 400 });
  }
});

describe('a reader', () => {
  const previews = localPreviews();

  it('that does not even read that it lags too far is reported', async () => {
    const follower = await createFollower(server.sql, previews, { stallMs: 1 });
    const sessionId = await server.insertSession('idle');
    const { promise: stalled, resolve } = Promise.withResolvers<void>();
    const { signal } = new AbortController();
    const query = { sessionId, workspaceId: server.workspaceId, deltas: new Set<never>(), signal };
    const items = await follower.follow({ ...query, onStalled: resolve });
    // It is live once it has asked for a second event, and then it reads no other.
    for (const text of ['one', 'two']) {
      const next = items.next();
      await send(sessionId, text);
      await next;
    }
    const batch = Array.from({ length: 500 }, () => 'more');
    for (let sent = 0; sent <= FOLLOW_LAG_EVENTS_MAX; sent += batch.length) {
      await send(sessionId, ...batch);
    }
    await send(sessionId, 'the last');
    await stalled;
    await items.return();
    await follower.close();
  });

  it('is given large events a few at a time, and all of them', async () => {
    const follower = await createFollower(server.sql, previews);
    const sessionId = await server.insertSession('idle');
    const text = 'x'.repeat(FOLLOW_BATCH_BYTES / 2);
    for (let message = 0; message < 5; message += 1) await send(sessionId, text);
    const { signal } = new AbortController();
    const query = { sessionId, workspaceId: server.workspaceId, deltas: new Set<never>(), signal };
    const seen: number[] = [];
    for await (const item of await follower.follow({ ...query, after: 0 })) {
      if (item.kind === 'event') seen.push(item.seq);
      if (seen.length === 5) break;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    await follower.close();
  });

  it('that asks for what comes after an event that is not there yet is refused', async () => {
    const follower = await createFollower(server.sql, previews);
    const sessionId = await server.insertSession('idle');
    await send(sessionId, 'one');
    const { signal } = new AbortController();
    const query = { sessionId, workspaceId: server.workspaceId, deltas: new Set<never>(), signal };
    await expect(follower.follow({ ...query, after: 2 })).rejects.toMatchObject({ status: 400 });
    await follower.close();
  });
});

describe('what the readers of one session read', () => {
  const readers = 20;
  const alone = (): boolean => false;
  const amongOthers = (): boolean => true;

  it('comes from one read where they stand at one place', async () => {
    const follower = await createFollower(server.sql, localPreviews());
    const sessionId = await server.insertSession('idle');
    const { signal } = new AbortController();
    const query = { sessionId, workspaceId: server.workspaceId, deltas: new Set<never>(), signal };
    const all = await Promise.all(Array.from({ length: readers }, () => follower.follow(query)));
    for (const text of ['one', 'two', 'three']) {
      const next = all.map((items) => items.next());
      await send(sessionId, text);
      const events = (await Promise.all(next)).map(({ value }) => {
        if (value?.kind !== 'event') throw new Error('a reader got no event');
        return value;
      });
      expect(new Set(events.map(({ seq }) => seq)).size).toBe(1);
      // One more read where the append came between the others.
      expect(new Set(events.map(({ event }) => event)).size).toBeLessThanOrEqual(3);
    }
    await Promise.all(all.map((items) => items.return()));
    await follower.close();
  });

  it('is asked for anew when something was appended meanwhile', async () => {
    const sessionId = await server.insertSession('idle');
    await send(sessionId, 'one');
    const reads = new SharedReads(sessionId);
    const from = { cursor: 0, threadId: undefined };
    const [first, joined] = [1, 2].map(() => reads.after(server.sql, from, alone));
    await send(sessionId, 'two');
    reads.age();
    const after = reads.after(server.sql, from, alone);
    expect(await joined).toBe(await first);
    expect((await after).events.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('is kept for those behind, but not its end, nor where nobody is', async () => {
    const sessionId = await server.insertSession('idle');
    await send(sessionId, 'one');
    const reads = new SharedReads(sessionId);
    const read = (cursor: number, keeps: () => boolean) =>
      reads.after(server.sql, { cursor, threadId: undefined }, keeps);
    const unkept = await read(0, alone);
    const kept = await read(0, amongOthers);
    expect(kept).not.toBe(unkept);
    reads.age();
    expect(await read(0, alone)).toBe(kept);
    const end = await read(1, amongOthers);
    expect(end.events).toEqual([]);
    await send(sessionId, 'two');
    expect((await read(1, amongOthers)).events).toHaveLength(1);
  });

  it('is kept up to a number of bytes, the oldest going first', async () => {
    const sessionId = await server.insertSession('idle');
    const text = 'x'.repeat(FOLLOW_SHARED_BYTES_MAX * 0.4);
    for (let message = 0; message < 3; message += 1) await send(sessionId, text);
    const reads = new SharedReads(sessionId);
    const read = (cursor: number) =>
      reads.after(server.sql, { cursor, threadId: undefined }, amongOthers);
    const whole = await read(0);
    expect(await read(0)).not.toBe(whole);
    const two = await read(1);
    expect(await read(1)).toBe(two);
    const one = await read(2);
    expect(await read(2)).toBe(one);
    expect(await read(1)).not.toBe(two);
  });
});
