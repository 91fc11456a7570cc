// The two things every process of ours stands on: the database, brought to the newest schema, and
// Temporal, with a namespace fit for sessions. Embedded or the operator's own makes no difference
// here.
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import type { Logger } from 'pino';
import { isConnectionLoss, openDatabase } from '../store/database.ts';
import type { Database } from '../store/database.ts';
import { ensureApiKey, ensureInstallation } from '../store/keys.ts';
import { migrate } from '../store/migrate.ts';
import type { SessionSettings } from '../workflows/messages.ts';
import type { Config, Secrets } from './config.ts';
import { StartError } from './data-directory.ts';
import { connectTemporal, lazyTemporal } from './temporal/connection.ts';
import type { TemporalTarget } from './temporal/connection.ts';
import { prepareNamespace } from './temporal/namespace.ts';

/** how long a start waits for a database or a Temporal that is coming back, `ms` */
const START_RETRY_MS = 10_000;
const START_RETRY_PAUSE_MS = 200;

interface Process {
  log: Logger;
  cleanup: AsyncDisposableStack;
}

/**
 * Opens the database, applies what it misses and lets the first key in; throws StartError when it
 * cannot be reached.
 */
export async function openStore(
  url: string,
  process: Process & { name: string; firstKey?: string },
): Promise<{ sql: Database; organizationId: string }> {
  const sql = openDatabase(url, { name: process.name });
  process.cleanup.defer(() => sql.end({ timeout: 2 }));
  return whileDatabaseReturns(url, async () => {
    const applied = await migrate(sql);
    if (applied.length > 0) process.log.info(`database schema: ${applied.join(', ')} applied`);
    const { workspaceId, organizationId } = await ensureInstallation(sql);
    const { firstKey: key } = process;
    if (key !== undefined) await ensureApiKey(sql, { workspaceId, key, name: 'first key' });
    return { sql, organizationId };
  });
}

/**
 * Repeats a step of the start that met a lost connection: a database that is just being restarted
 * must not end us. The step must be repeatable. Throws StartError when it stays away.
 */
async function whileDatabaseReturns<T>(url: string, step: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + START_RETRY_MS;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      if (performance.now() > deadline) {
        throw new StartError(
          `PostgreSQL does not answer at ${new URL(url).host}: ${(error as Error).message} ` +
            '(HOLDFAST_DATABASE_URL).',
        );
      }
    }
    await pause(START_RETRY_PAUSE_MS);
  }
}

/** The operator's database, for a process that starts none; throws StartError without one. */
export function ownDatabaseUrl(secrets: Secrets): string {
  const url = secrets.get('databaseUrl');
  if (url !== null) return url;
  throw new StartError(
    'HOLDFAST_DATABASE_URL is not set: this process starts no PostgreSQL itself.',
  );
}

/** Where Temporal is, as the settings say, or as the embedded one was started. */
export function temporalTarget(
  config: Config,
  secrets: Secrets,
  embeddedAddress: string | null,
): TemporalTarget {
  const address = config.temporal.address ?? embeddedAddress;
  if (address === null) {
    throw new StartError(
      'HOLDFAST_TEMPORAL_ADDRESS is not set: this process starts no Temporal itself.',
    );
  }
  return { address, tls: config.temporal.tls, apiKey: secrets.get('temporalApiKey') };
}

/** Registers what sessions need; throws StartError when Temporal cannot be reached. */
export async function prepareTemporal(
  target: TemporalTarget,
  namespace: { name: string; embedded: boolean },
  log: Logger,
): Promise<void> {
  const connection = await connected(target);
  try {
    const { name, embedded } = namespace;
    await prepareNamespace(connection, { namespace: name, embedded, log });
  } finally {
    await connection.close();
  }
}

/** The client that signals sessions; it connects by itself, now and after every loss. */
export function openTemporalClient(
  target: TemporalTarget,
  namespace: string,
  cleanup: AsyncDisposableStack,
): Client {
  const connection = lazyTemporal(target);
  cleanup.defer(() => connection.close());
  return new Client({ connection, namespace });
}

/** What the workflows of new sessions are told. */
export function sessionSettings(config: Config): SessionSettings {
  const early = config.continueAsNewEvents;
  return {
    previews: config.temporal.previews,
    ...(early === null ? {} : { continueAsNewEvents: { idle: early, step: early } }),
  };
}

async function connected(target: TemporalTarget): Promise<Connection> {
  return whileTemporalReturns(target, () => connectTemporal(target));
}

/** Repeats a connection that failed, as above; throws StartError when Temporal stays away. */
export async function whileTemporalReturns<T>(
  target: TemporalTarget,
  connect: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + START_RETRY_MS;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (performance.now() > deadline) throw unreachable(target, error);
    }
    await pause(START_RETRY_PAUSE_MS);
  }
}

function unreachable(target: TemporalTarget, error: unknown): StartError {
  return new StartError(
    `Temporal does not answer at ${target.address}: ${(error as Error).message} ` +
      '(HOLDFAST_TEMPORAL_ADDRESS).',
  );
}
