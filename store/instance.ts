// This process, as the database knows it: a number whose advisory lock is held for as long as the
// process lives. A kill -9 closes the connection and frees the lock, so another process can tell a
// dead holder from a slow one without a clock.

import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';

export interface Instance {
  lock: bigint;
  close(): Promise<void>;
}

const RETAKE_MS = 1_000;

/** Takes a new instance number; takes its lock again by itself when the connection was lost. */
export async function openInstance(sql: Database): Promise<Instance> {
  const lock = randomBytes(8).readBigInt64BE();
  let held = await sql.reserve();
  await held`select pg_advisory_lock(${lock.toString()}::bigint)`;
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      await held`select 1`;
    } catch {
      try {
        held.release();
        held = await sql.reserve();
        await held`select pg_advisory_lock(${lock.toString()}::bigint)`;
      } catch {
        // The database is away: the next tick tries again.
      }
    }
    busy = false;
  }, RETAKE_MS);
  timer.unref();
  return {
    lock,
    async close() {
      clearInterval(timer);
      await held`select pg_advisory_unlock(${lock.toString()}::bigint)`.catch(() => {});
      held.release();
    },
  };
}
