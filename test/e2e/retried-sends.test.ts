// A send that is repeated because its answer never arrived, in the ways an answer gets lost: the
// API process died after the commit, or the database's own answer to the commit was lost. The store
// over a real PostgreSQL; test/chaos does the same with kill -9.

import { randomUUID } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { newId } from '../../protocol/ids.ts';
import { openDatabase, type Database } from '../../store/database.ts';
import { acceptEvents, type Accepted } from '../../store/accept-events.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { Scene } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';

/** Nobody holds the lock of this process: it is dead. */
const DEAD = 1n;
const ALSO_DEAD = 2n;

let server: ApiServer;
beforeAll(async () => {
  server = await startApiServer();
});
afterAll(async () => {
  await server.close();
});

function send(sql: Database, sessionId: string, instance: bigint): Promise<Accepted> {
  return acceptEvents(sql, {
    workspaceId: server.workspaceId,
    sessionId,
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
    requestHash: 'the same body',
    instance,
  });
}

async function countEvents(sessionId: string): Promise<number> {
  const [row] = await server.sql<{ count: number }[]>`
    select count(*)::int as count from events where session_id = ${sessionId}`;
  return row!.count;
}

it('repeats of several sessions at once are all known, when their process died', async () => {
  const [first, second] = [await server.insertSession('idle'), await server.insertSession('idle')];
  const sent = [await send(server.sql, first, DEAD), await send(server.sql, second, DEAD)];
  await server.sql.begin(async (tx) => {
    // The first repeat has looked whether the process lives and is not committed yet.
    const repeats = [
      await send(tx as unknown as Database, first, ALSO_DEAD),
      await send(server.sql, second, ALSO_DEAD),
    ];
    for (const [index, repeat] of repeats.entries()) {
      expect(repeat).toMatchObject({ replayed: true, events: sent[index]!.events });
    }
  });
  expect([await countEvents(first), await countEvents(second)]).toEqual([1, 1]);
});

it('a send whose commit was not answered by the database is stored and rung once', async () => {
  const sessionId = await server.insertSession('idle');
  const proxy = await startDatabaseProxy(server.sql);
  const sql = openDatabase(proxy.url, { connectionsMax: 1 });
  try {
    // The statement is prepared by then: the next answer is the one to its execution.
    await send(sql, await server.insertSession('idle'), DEAD);
    proxy.swallowNextAnswer();
    const accepted = await send(sql, sessionId, DEAD);
    expect(proxy.swallowed).toBe(1);
    expect(accepted.replayed).toBe(false);
    expect(accepted.signal?.events.map(({ id }) => id)).toEqual(accepted.events.map((e) => e.id));
    expect(await countEvents(sessionId)).toBe(1);
  } finally {
    await sql.end({ timeout: 1 });
    await proxy.close();
  }
});

it('a send that never reached the database is refused at once', async () => {
  const sql = openDatabase(`postgres://nobody@127.0.0.1:1/${randomUUID()}`);
  await expect(send(sql, newId('session'), DEAD)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await sql.end({ timeout: 1 });
});

it('a send whose answer was written out is not taken for a lost one any more', async () => {
  // The server as users run it: its process is what must learn that the answer is out.
  const whole = inject('server');
  const scene = await Scene.open(whole, { agent: { tools: [] } });
  const sql = openDatabase(whole.databaseUrl, { connectionsMax: 1 });
  try {
    const talk = await scene.newTalk();
    await talk.turn('= Hello.');
    await until('the send is noted as answered', async () => {
      const [row] = await sql<{ answered_at: Date | null }[]>`
        select answered_at from sends where session_id = ${talk.id}`;
      return row!.answered_at !== null;
    });
  } finally {
    await sql.end({ timeout: 1 });
    await scene.close();
  }
});

/** A way to the database on which an answer can get lost, and the connection with it. */
async function startDatabaseProxy(sql: Database) {
  const { host, port, user, pass, database } = sql.options;
  const sockets = new Set<Socket>();
  let isSwallowing = false;
  let swallowed = 0;
  const listener = createServer((client) => {
    const upstream = connect(port[0]!, host[0]!);
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (!isSwallowing) return void client.write(bytes);
      isSwallowing = false;
      swallowed += 1;
      client.destroy();
      upstream.destroy();
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address() as AddressInfo;
  return {
    url: `postgres://${user}:${String(pass)}@127.0.0.1:${address.port}/${database}`,
    swallowNextAnswer: () => void (isSwallowing = true),
    get swallowed() {
      return swallowed;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
