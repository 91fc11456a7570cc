// The whole server in one process, with PostgreSQL, Temporal and the scripted model beside it unless
// the settings name others. Everything starts at once; it serves when `/healthz` answers 200.
import { localPreviews } from '../store/previews.ts';
import { mintApiKey } from '../store/keys.ts';
import { join } from 'node:path';
import { listenForApi } from './api-server.ts';
import type { ApiServer } from './api-server.ts';
import {
  admitFirstKey,
  openStore,
  openTemporalClient,
  prepareTemporal,
  sessionSettings,
  temporalTarget,
} from './connections.ts';
import { keptText, openDataDirectory } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { startPostgres, startTemporal } from './embedded.ts';
import type { EmbeddedOptions } from './embedded.ts';
import { checkParts } from './health.ts';
import type { PartCheck } from './health.ts';
import { modelChoice, modelRoutes } from './model-routes.ts';
import type { ModelChoice } from './model-routes.ts';
import { runProcess } from './process-life.ts';
import type { Startup } from './process-life.ts';
import { startScriptedModel } from './scripted-model.ts';
import { Supervisor } from './supervisor.ts';
import { openSandboxHost, openWorker } from './worker-parts.ts';

interface FirstKey {
  key: string;
  /** minted by this start: shown once */
  isNew: boolean;
}

async function start(startup: Startup): Promise<void> {
  const { config, secrets, log, cleanup } = startup;
  const startedAt = performance.now();
  const directory = openDataDirectory(config.dataDir);
  cleanup.defer(() => directory.release());
  const first = firstKey(directory, secrets.get('apiKey'));
  const choice = modelChoice(config, secrets, [first.key]);
  const server = await listenForApi(config, log);
  cleanup.defer(() => server.drain());
  directory.runtime.change((record) => {
    record.server = { pid: process.pid, url: server.url };
  });
  const supervisor = new Supervisor(directory, log);
  cleanup.defer(() => supervisor.stop());
  const embedded = { directory, supervisor, log };

  const [store, temporal, scriptedUrl, sandbox] = await allStarted([
    databaseUrl(startup, embedded).then((url) => openStore(url, { ...startup, name: 'holdfast' })),
    openTemporal(startup, embedded),
    choice.upstream
      ? null
      : startScriptedModel(directory, supervisor, config.model.scriptedDelayMs),
    openSandboxHost(config, { directory, log, cleanup }),
  ]);
  await admitFirstKey(store.sql, store.workspaceId, first.key);

  const previews = localPreviews();
  const client = openTemporalClient(temporal.target, config.temporal.namespace, cleanup);
  const checks: Record<string, PartCheck> = {
    database: () => store.sql`select 1`,
    temporal: () => client.workflowService.getSystemInfo({}),
    sandbox: () => sandbox.health(),
    ...(scriptedUrl === null ? {} : { model: () => fetch(scriptedUrl) }),
  };
  await openWorker({
    ...{ config, log, cleanup, directory, previews, sandbox, sql: store.sql },
    target: temporal.target,
    routes: modelRoutes(choice, scriptedUrl),
    secrets: knownSecrets(startup, [first.key]),
  });
  await server.open(
    {
      ...{ sql: store.sql, previews, temporal: client },
      organizationId: store.organizationId,
      settings: sessionSettings(config),
      health: () => checkParts(checks),
    },
    cleanup,
  );
  cleanup.defer(() => server.drain());
  announce(startup, { server, choice, first, uiUrl: temporal.uiUrl, startedAt });
}

async function databaseUrl(startup: Startup, embedded: EmbeddedOptions): Promise<string> {
  return startup.secrets.get('databaseUrl') ?? startPostgres(embedded);
}
