// Brings a database to the newest schema: numbered plain SQL files, applied once each, in order,
// forward only, under an advisory lock so that several processes may start at once.

import { readdir, readFile } from 'node:fs/promises';
import type { Database } from './database.ts';

const MIGRATIONS = new URL('./migrations/', import.meta.url);
const MIGRATION_LOCK = 7_446_001;

/** Applies what is missing; the answer is the names of what was applied. All or nothing a file. */
export async function migrate(sql: Database): Promise<string[]> {
  const names = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).toSorted();
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await tx`create table if not exists migrations (
      name text primary key, applied_at timestamptz not null default now())`;
    const known = await tx<{ name: string }[]>`select name from migrations`;
    const done = new Set(known.map((row) => row.name));
    const unknown = [...done].find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw new Error(
        `the database was made by a newer Holdfast (migration ${unknown} is unknown here): ` +
          'start that version, or use another database',
      );
    }
    const missing = names.filter((name) => !done.has(name));
    for (const name of missing) {
      await tx.unsafe(await readFile(new URL(name, MIGRATIONS), 'utf8'));
      await tx`insert into migrations (name) values (${name})`;
    }
    return missing;
  });
}
