// The two things every process of ours stands on: the database, brought to the newest schema, and
// Temporal, with a namespace fit for sessions. Embedded or the operator's own makes no difference here.
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
import { connectTemporal, lazyTemporal } from './temporal-connection.ts';
import type { TemporalTarget } from './temporal-connection.ts';
import { prepareNamespace } from './temporal-namespace.ts';

interface Process {
  log: Logger;
  cleanup: AsyncDisposableStack;
}

/** Opens the database and applies what it misses; throws StartError when it cannot be reached. */
export async function openStore(
  url: string,
  process: Process & { name: string },
): Promise<{ sql: Database; workspaceId: string; organizationId: string }> {
  const sql = openDatabase(url, { name: process.name });
  process.cleanup.defer(() => sql.end({ timeout: 2 }));
  try {
    const applied = await migrate(sql);
    if (applied.length > 0) process.log.info(`database schema: ${applied.join(', ')} applied`);
    return { sql, ...(await ensureInstallation(sql)) };
  } catch (error) {
    if (!isConnectionLoss(error)) throw error;
    const { host } = new URL(url);
    throw new StartError(
      `PostgreSQL does not answer at ${host}: ${(error as Error).message} (HOLDFAST_DATABASE_URL).`,
    );
  }
}

/** Makes the first key open the first workspace; idempotent. */
export async function admitFirstKey(sql: Database, workspaceId: string, key: string): Promise<void> {
  await ensureApiKey(sql, { workspaceId, key, name: 'first key' });
}

/** Where Temporal is, as the settings say, or as the embedded one was started. */
export function temporalTarget(
  config: Config,
  secrets: Secrets,
  embeddedAddress: string | null,
): TemporalTarget {
  const address = config.temporal.address ?? embeddedAddress;
  if (address === null) {
    throw new StartError('HOLDFAST_TEMPORAL_ADDRESS is not set: this process starts no Temporal itself.');
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
    modelAttemptsMax: config.model.attemptsMax,
    ...(early === null ? {} : { continueAsNewEvents: { idle: early, step: early } }),
  };
}

async function connected(target: TemporalTarget): Promise<Connection> {
  try {
    return await connectTemporal(target);
  } catch (error) {
    throw new StartError(
      `Temporal does not answer at ${target.address}: ${(error as Error).message} ` +
        '(HOLDFAST_TEMPORAL_ADDRESS).',
    );
  }
}
