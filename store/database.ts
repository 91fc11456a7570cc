// The connection pool. Everything in this room takes a Database first, so that a transaction can be
// passed where a pool is expected. One driver, one database: PostgreSQL (docs/decisions/0003).

import postgres from 'postgres';
import { DATABASE_CONNECTIONS_MAX } from '../protocol/limits.ts';

export type Database = postgres.Sql;
export type Transaction = postgres.TransactionSql;

export interface DatabaseOptions {
  connectionsMax?: number;
  /** Shown in pg_stat_activity, so that an operator can tell the processes apart */
  name?: string;
}

/**
 * Opens a pool; connections are made on first use and again after a loss, so the call itself cannot
 * fail. Queries reject while the server is away.
 */
export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  return postgres(url, {
    max: options.connectionsMax ?? DATABASE_CONNECTIONS_MAX,
    connect_timeout: 5,
    idle_timeout: 60,
    // Reconnect quickly: a restarted database is back within a second.
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, 1),
    onnotice: () => {},
    connection: { application_name: options.name ?? 'holdfast' },
  });
}

/**
 * A connection of its own with the same settings, for what holds a lock as long as it lives. It
 * connects again after a loss, as another session: see instance.ts. (Never `reserve()` one of the
 * pool: after a loss the driver would put the dead connection back among the open ones.)
 */
export function openSession(sql: Database): Database {
  // The driver's own way of making a second pool from the first, as its `listen` does.
  const options = { ...sql.options, max: 1, idle_timeout: null, max_lifetime: null };
  return postgres(options as unknown as Parameters<typeof postgres>[0]);
}

/** Rejects when the database does not answer a query. */
export async function pingDatabase(sql: Database): Promise<void> {
  await sql`select 1`;
}

/** Whether an error says that the database could not be reached, as against refused our query. */
export function isConnectionLoss(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && (CONNECTION_CODES.has(code) || code.startsWith('57P'));
}

/**
 * Whether a query that failed by a lost connection may have been carried out all the same: the
 * connection was there when it was sent, and only its answer is missing.
 */
export function mayHaveRun(error: unknown): boolean {
  if (!isConnectionLoss(error)) return false;
  return !UNSENT_CODES.has((error as { code: string }).code);
}

const CONNECTION_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
]);

/** No connection was made; the last is PostgreSQL's own "cannot connect now". */
const UNSENT_CODES = new Set(['CONNECT_TIMEOUT', 'ECONNREFUSED', 'ENOENT', '57P03']);
