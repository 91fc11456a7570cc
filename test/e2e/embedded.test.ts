// The processes beside the server, as an operator meets them: they outlive a killed server and are
// used again, they come back when they die, and nothing of them is left after a stop. Real
// PostgreSQL, real Temporal, and a server process that is really killed.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectTemporal } from '../../main/temporal/connection.ts';
import { openDatabase } from '../../store/database.ts';
import type { Database } from '../../store/database.ts';
import { removeMovedPostgres } from '../../store/embedded.ts';
import { openInstance } from '../../store/instance.ts';
import { initialisations } from '../helpers/server.ts';
import { pace, until } from '../helpers/until.ts';

const PROGRAM = fileURLToPath(new URL('../../main/embedded.ts', import.meta.url));

/** Losses of the database under a burst of queries; unpatched, one in three leaves some waiting. */
const LOSSES = 5;
const BURSTS = 120;

interface Running {
  process: ChildProcess;
  databaseUrl: string;
  address: string;
}

let base: string;
let data: string;
let open: { process: ChildProcess }[];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-embedded-'));
  // Root's PostgreSQL is another user, who must be able to walk through.
  chmodSync(base, 0o711);
  data = join(base, 'data');
  open = [];
});

afterEach(async () => {
  for (const running of open) await stop(running);
  if (existsSync(join(data, 'runtime.json'))) await stop(await start('--no-temporal'));
  expect(pids().filter(isAlive)).toEqual([]);
  if (existsSync(data)) removeMovedPostgres(data);
  rmSync(base, { recursive: true, force: true });
});

/** Resolves when it serves; rejects with what it wrote when it ends before. */
async function start(...options: string[]): Promise<Running> {
  const child = spawn(process.execPath, [PROGRAM, '--data', data, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  open.push({ process: child });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  for await (const line of createInterface({ input: child.stdout })) {
    const facts = JSON.parse(line) as { databaseUrl?: string; address?: string };
    if (facts.databaseUrl === undefined) continue;
    child.stdout.resume();
    return { process: child, databaseUrl: facts.databaseUrl, address: facts.address ?? '' };
  }
  throw new Error(said.trim());
}

async function stop({ process: child }: { process: ChildProcess }): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function pids(): number[] {
  return ['postgres', 'temporal'].flatMap((name) => {
    const file = join(data, `${name}.pid`);
    return existsSync(file) ? [Number(readFileSync(file, 'utf8'))] : [];
  });
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

/** The answer of a server that may be away for the moment; undefined while it is. */
function orLater<T>(answer: PromiseLike<T>): Promise<T | undefined> {
  return Promise.resolve(answer).catch(() => undefined);
}

async function withDatabase<T>(url: string, use: (sql: Database) => Promise<T>): Promise<T> {
  const sql = openDatabase(url);
  try {
    return await use(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

describe('PostgreSQL and Temporal beside the server', () => {
  it('both outlive a server that was killed, and the next one uses them', async () => {
    const first = await start();
    const before = pids();
    first.process.kill('SIGKILL');
    await once(first.process, 'exit');
    expect(before.every(isAlive)).toBe(true);
    const second = await start();
    expect(pids()).toEqual(before);
    expect(second.databaseUrl).toBe(first.databaseUrl);
    expect(second.address).toBe(first.address);
  });

  it('both come back by themselves when they are killed, with what was committed', async () => {
    const { databaseUrl, address } = await start();
    await withDatabase(databaseUrl, async (sql) => {
      await sql`create table kept as select 42 as answer`;
      for (const pid of pids()) process.kill(pid, 'SIGKILL');
      const rows = await until('the row is there', () => orLater(sql`select answer from kept`));
      expect(rows).toEqual([{ answer: 42 }]);
    });
    const target = { address, tls: false, apiKey: null };
    const connection = await until('Temporal answers', () => orLater(connectTemporal(target)));
    await connection.close();
  });

  it('Temporal knows our search attributes and keeps closed runs for thirty days', async () => {
    const { address } = await start();
    const connection = await connectTemporal({ address, tls: false, apiKey: null });
    const namespace = 'default';
    const known = await connection.operatorService.listSearchAttributes({ namespace });
    expect(Object.keys(known.customAttributes)).toEqual(
      expect.arrayContaining(['HoldfastStatus', 'HoldfastAgent', 'HoldfastWorkspace']),
    );
    const found = await connection.workflowService.describeNamespace({ namespace });
    expect(Number(found.config?.workflowExecutionRetentionTtl?.seconds)).toBe(720 * 3600);
    await connection.close();
  });

  it('a second server on the directory is told who holds it', async () => {
    await start('--no-temporal');
    await expect(start('--no-temporal')).rejects.toThrow(/Another server is using/);
  });

  it('a taken port is one sentence that names the variable', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = stranger.address() as { port: number };
    await expect(start('--temporal-port', String(port))).rejects.toThrow(
      new RegExp(`Port ${port} .*HOLDFAST_TEMPORAL_PORT`),
    );
    stranger.close();
  });

  it('a data directory below a private one works as well', async () => {
    chmodSync(base, 0o700);
    const { databaseUrl } = await start('--no-temporal');
    expect(await withDatabase(databaseUrl, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it('a stop in the middle of an initialisation ends it, and leaves nothing of it', async () => {
    const starting = expect(start('--no-temporal')).rejects.toThrow();
    await until('it is under way', () => initialisations(data).length > 0, { pollMs: 5 });
    await stop(open[0]!);
    expect(initialisations(data)).toEqual([]);
    expect(existsSync(join(data, 'postgres'))).toBe(false);
    await starting;
  });

  it('a lock file of PostgreSQL that names a stranger does not keep it from starting', async () => {
    await stop(await start('--no-temporal'));
    const directory = join(data, 'postgres');
    writeFileSync(join(directory, 'postmaster.pid'), `${process.pid}\n${directory}\n`);
    await start('--no-temporal');
  });

  it('an initialisation that was cut short is begun again', async () => {
    await stop(await start('--no-temporal'));
    rmSync(join(data, 'postgres'), { recursive: true });
    writeFileSync(join(data, 'postgres.new-1'), 'half of it');
    await start('--no-temporal');
  });
});

describe('the lock of a living process', () => {
  it('is taken again after the database was away, and free once the process lets go', async () => {
    const { databaseUrl } = await start('--no-temporal');
    const [pid] = pids();
    await withDatabase(databaseUrl, async (sql) => {
      const isHeld = async (lock: bigint): Promise<boolean> => {
        const [row] = await sql<{ free: boolean }[]>`
          select pg_try_advisory_xact_lock(${lock.toString()}::bigint) as free`;
        return row?.free === false;
      };
      const instance = await openInstance(sql);
      expect(await isHeld(instance.lock)).toBe(true);
      process.kill(pid!, 'SIGKILL');
      await until('another server is there', () => !pids().includes(pid!));
      await until('it is held again', () => orLater(isHeld(instance.lock)));
      await instance.close();
      await until('it is free', async () => !(await isHeld(instance.lock)));
    });
  });
});

describe('the database driver', () => {
  it('refuses the queries of a transaction whose server died, and goes on', async () => {
    const { databaseUrl } = await start('--no-temporal');
    const [pid] = pids();
    await withDatabase(databaseUrl, async (sql) => {
      await sql`create table steps (name text)`;
      const cut = sql.begin(async (tx) => {
        await tx`insert into steps values ('first')`;
        process.kill(pid!, 'SIGKILL');
        await tx`select pg_sleep(60)`;
        await tx`insert into steps values ('second')`;
      });
      await expect(cut).rejects.toThrow();
      const rows = await until('it is back', () => orLater(sql`select * from steps`));
      expect(rows).toEqual([]);
      await Promise.all(Array.from({ length: 40 }, () => sql`select 1`));
    });
  });

  it('settles every query that was under way when the server died', async () => {
    const { databaseUrl } = await start('--no-temporal');
    await withDatabase(databaseUrl, async (sql) => {
      for (let loss = 0; loss < LOSSES; loss += 1) {
        const [pid] = pids();
        let open = 0;
        // One that fails asks again at once, which is when the connection is half gone.
        const ask = async (again: number): Promise<void> => {
          open += 1;
          const isAnswered = await orLater(sql`select 1`);
          open -= 1;
          if (!isAnswered && again > 0) await ask(again - 1);
        };
        for (let burst = 0; burst < BURSTS; burst += 1) {
          if (burst === BURSTS / 2) process.kill(pid!, 'SIGKILL');
          for (let query = 0; query < 10; query += 1) void ask(3);
          await pace(2);
        }
        await until('it is back', () => orLater(sql`select 1`));
        await until('no query waits any more', () => open === 0);
      }
    });
  });

  it('a transaction that slept through the loss touches nobody else’s connection', async () => {
    const { databaseUrl } = await start('--no-temporal');
    const [pid] = pids();
    const sql = openDatabase(databaseUrl, { connectionsMax: 1 });
    await sql`create table steps (name text)`;
    const { promise: isBack, resolve: back } = Promise.withResolvers<void>();
    const asleep = sql.begin(async (tx) => {
      await tx`insert into steps values ('before')`;
      process.kill(pid!, 'SIGKILL');
      await isBack;
      await tx`insert into steps values ('after')`;
    });
    const refused = expect(asleep).rejects.toThrow();
    await refused;
    await until('it is back', () => orLater(sql`select 1`));
    back();
    // The one connection there is: what the sleeper says now would be said before this query.
    expect(await sql`select * from steps`).toEqual([]);
    await sql.end({ timeout: 1 });
  });
});
