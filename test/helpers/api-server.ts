// The HTTP API over a real PostgreSQL of its own and nothing else: no Temporal, no worker, no
// container. What the doorbell would be told is kept for the test to look at; with nobody to answer
// it, sessions stay where the API leaves them, which is what the tests of single routes need.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { createApp } from '../../api/app.ts';
import { createHttpServer } from '../../api/http-server.ts';
import type { RateLimits } from '../../api/rate-limit.ts';
import { openDataDirectory } from '../../main/data-directory.ts';
import { startPostgres } from '../../main/embedded.ts';
import { Supervisor } from '../../main/supervisor.ts';
import { newId } from '../../protocol/ids.ts';
import type { ModelCatalog } from '../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG } from '../../protocol/models/public-models.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { createFollower } from '../../store/follow.ts';
import { openInstance } from '../../store/instance.ts';
import { createWorkspace, ensureApiKey, ensureInstallation } from '../../store/keys.ts';
import { migrate } from '../../store/migrate.ts';
import { localPreviews } from '../../store/previews.ts';
import type { SessionSignal } from '../../workflows/messages.ts';

export interface ApiServer {
  url: string;
  dataDir: string;
  sql: Database;
  /** opens the workspace that the tests work in */
  key: string;
  /** opens another one */
  foreignKey: string;
  workspaceId: string;
  foreignWorkspaceId: string;
  /** what the doorbell was told, oldest first */
  rings: { sessionId: string; signal: SessionSignal }[];
  /** A session without a workflow, as its row is when it was created, or while it runs. */
  insertSession(status: 'idle' | 'running'): Promise<string>;
  /** Ends the open streams, as a server does that is about to stop. */
  drain(): void;
  close(): Promise<void>;
}

export interface ApiServerOptions {
  models?: ModelCatalog;
  rateLimits?: RateLimits;
  /** absent: no audit log */
  auditLog?: Logger;
}

/** Starts everything in a new temporary directory; `close` leaves nothing behind. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const log = pino({ level: 'silent' });
  const path = mkdtempSync(join(tmpdir(), 'holdfast-api-'));
  // Root's PostgreSQL runs as another user, who must be able to pass; else it would live elsewhere.
  chmodSync(path, 0o711);
  const directory = openDataDirectory(join(path, 'data'));
  const supervisor = new Supervisor(directory, log);
  const sql = openDatabase(await startPostgres({ directory, supervisor, log }));
  await migrate(sql);
  const { workspaceId, organizationId } = await ensureInstallation(sql);
  const foreign = await createWorkspace(sql, 'another');
  const [key, foreignKey] = ['key-of-the-first', 'key-of-another'];
  await ensureApiKey(sql, { workspaceId, key, name: 'first' });
  await ensureApiKey(sql, { workspaceId: foreign, key: foreignKey, name: 'another' });
  const follower = await createFollower(sql, localPreviews());
  const instance = await openInstance(sql);
  const closing = new AbortController();
  const rings: ApiServer['rings'] = [];
  const app = createApp({
    ...options,
    sql,
    models: options.models ?? PUBLIC_CATALOG,
    log,
    follower,
    organizationId,
    instance: instance.lock,
    closing: closing.signal,
    doorbell: {
      async ring(sessionId, signal) {
        rings.push({ sessionId, signal });
        return true;
      },
      settled: async () => {},
    },
    health: async () => ({ ok: true, parts: { database: 'ok' } }),
  });
  const server = createHttpServer((request, bindings) => app.fetch(request, bindings));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    sql,
    key,
    foreignKey,
    workspaceId,
    foreignWorkspaceId: foreign,
    rings,
    dataDir: directory.path,
    url: `http://127.0.0.1:${port}`,
    async insertSession(status) {
      const id = newId('session');
      await sql`
        insert into sessions (id, workspace_id, agent_id, agent_version, agent, environment_id,
                              environment, status, created_at, updated_at)
        values (${id}, ${workspaceId}, 'agent_x', 1, '{"name": "a"}', 'env_x', '{}', ${status},
                now(), now())`;
      return id;
    },
    drain: () => closing.abort(),
    async close() {
      closing.abort();
      await new Promise((resolve) => server.close(resolve));
      await follower.close();
      await instance.close();
      await sql.end({ timeout: 1 });
      await supervisor.stop();
      directory.release();
      rmSync(path, { recursive: true, force: true });
    },
  };
}
