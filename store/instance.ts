// This process, as the database knows it: a number whose advisory lock is held for as long as the
// process lives. A kill -9 closes the connection and frees the lock, so another process can tell a
// dead holder from a slow one without a clock.

import { randomBytes } from 'node:crypto';
import { openSession } from './database.ts';
import type { Database } from './database.ts';

export interface Instance {
  lock: bigint;
  close(): Promise<void>;
}

const RETAKE_MS = 1_000;

/** Takes a new instance number; takes its lock again by itself when the connection was lost. */
export async function openInstance(sql: Database): Promise<Instance> {
  const lock = randomBytes(8).readBigInt64BE();
  const session = openSession(sql);
  let holder = await takeLock(session, lock);
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      if ((await sessionOf(session)) !== holder) holder = await takeLock(session, lock);
    } catch {
      // The database is away: the next tick tries again.
    }
    busy = false;
  }, RETAKE_MS);
  timer.unref();
  return {
    lock,
    async close() {
      clearInterval(timer);
      await session.end({ timeout: 1 });
    },
  };
}

/** Resolves with the session that holds the lock from now on, which ends with its connection. */
async function takeLock(session: Database, lock: bigint): Promise<number> {
  const [row] = await session<{ pid: number }[]>`
    select pg_backend_pid() as pid from pg_advisory_lock(${lock.toString()}::bigint)`;
  return row!.pid;
}

async function sessionOf(session: Database): Promise<number> {
  const [row] = await session<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row!.pid;
}
