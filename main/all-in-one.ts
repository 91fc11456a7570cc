// The whole server in one process, with PostgreSQL, Temporal and the scripted model beside it
// unless the settings name others. Everything starts at once; it serves when `/healthz` answers
// 200.
import type { Logger } from 'pino';
import { localPreviews } from '../store/previews.ts';
import { listenForApi } from './api-server.ts';
import { openStore, openTemporalClient, prepareTemporal, temporalTarget } from './connections.ts';
import { firstKey, openDataDirectory, refuseFullDisk } from './data-directory.ts';
import { startPostgres, startTemporal } from './embedded.ts';
import type { EmbeddedOptions } from './embedded.ts';
import type { PartCheck } from './health.ts';
import { isScripted, knownSecrets, modelChoice, modelRoutes } from './models/model-routes.ts';
import { runProcess } from './process-life.ts';
import type { Startup } from './process-life.ts';
import { answers, startScriptedModel } from './scripted-model.ts';
import { Supervisor } from './supervisor.ts';
import type { TemporalTarget } from './temporal/connection.ts';
import { openSandboxHost, openWorker } from './worker-parts.ts';

interface TemporalParts {
  target: TemporalTarget;
  /** null: the operator's own, whose UI we do not know */
  uiUrl: string | null;
}

/** What a person, or the quickstart, needs to use the server. */
export interface ServerFacts {
  url: string;
  key: string;
  /** where the key is kept */
  keyPlace: string;
  /** null: the operator's own Temporal */
  uiUrl: string | null;
  isScripted: boolean;
}

/** Starts everything; resolves when the server serves. Ended by the process's cleanup. */
export async function startAllInOne(startup: Startup): Promise<ServerFacts> {
  const { config, secrets, log, cleanup } = startup;
  const startedAt = performance.now();
  const directory = openDataDirectory(config.dataDir);
  cleanup.defer(() => directory.release());
  const first = firstKey(directory.path, secrets.get('apiKey'));
  // At once: were the rest of this start to fail, the next one would not show it again.
  if (first.isNew) log.info(`first API key, shown this once: ${first.key}`);
  const choice = modelChoice(config, secrets, [first.key]);
  const server = await listenForApi(config);
  cleanup.defer(() => server.drain());
  directory.runtime.change((record) => {
    record.server = { pid: process.pid, url: server.url };
  });
  const supervisor = new Supervisor(directory, log);
  cleanup.defer(() => supervisor.stop());
  const embedded = { directory, supervisor, log };

  const [store, temporal, scriptedUrl, sandbox] = await Promise.all([
    databaseUrl(startup, embedded).then((url) =>
      openStore(url, { ...startup, name: 'holdfast', firstKey: first.key }),
    ),
    openTemporal(startup, embedded),
    isScripted(choice)
      ? startScriptedModel(directory, supervisor, config.model.scriptedDelayMs)
      : null,
    openSandboxHost(config, { directory, log, cleanup }),
  ]);
  const { sql, organizationId } = store;
  const previews = localPreviews();
  const worker = { directory, previews, sandbox, sql, target: temporal.target };
  const routes = modelRoutes(choice, scriptedUrl);
  const hidden = knownSecrets(secrets, choice, [first.key]);
  const { models } = choice;
  await openWorker({ ...worker, routes, models, hidden }, startup);
  const checks: Record<string, PartCheck> = {
    sandbox: () => sandbox.health(),
    disk: async () => refuseFullDisk(directory.path),
    ...(scriptedUrl === null ? {} : { model: () => answers(scriptedUrl) }),
  };
  const client = openTemporalClient(temporal.target, config.temporal.namespace, cleanup);
  const api = { sql, previews, organizationId, hidden, models, temporal: client, checks };
  await server.open(api, startup);
  const facts: ServerFacts = {
    url: server.url,
    key: first.key,
    keyPlace: first.where,
    uiUrl: temporal.uiUrl,
    isScripted: scriptedUrl !== null,
  };
  announce(log, facts);
  log.info(`ready after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  return facts;
}

async function databaseUrl(startup: Startup, embedded: EmbeddedOptions): Promise<string> {
  return startup.secrets.get('databaseUrl') ?? startPostgres(embedded);
}

async function openTemporal(startup: Startup, embedded: EmbeddedOptions): Promise<TemporalParts> {
  const { config, secrets, log } = startup;
  const { address, namespace, embeddedPort: port, embeddedUiPort: uiPort } = config.temporal;
  const own = address === null ? await startTemporal(embedded, { port, uiPort, namespace }) : null;
  const target = temporalTarget(config, secrets, own?.address ?? null);
  await prepareTemporal(target, { name: namespace, embedded: own !== null }, log);
  return { target, uiUrl: own?.uiUrl ?? null };
}

function announce(log: Logger, facts: ServerFacts): void {
  log.info(`API          ${facts.url}`);
  log.info(`API key      ${facts.keyPlace}`);
  if (facts.uiUrl !== null) log.info(`Temporal UI  ${facts.uiUrl}`);
  if (!facts.isScripted) return;
  log.warn(
    'Model        SCRIPTED: no HOLDFAST_MODEL_API_KEY is set, so a script answers instead of a ' +
      'model (docs/scripted-model.md)',
  );
}

if (import.meta.main)
  await runProcess('all-in-one', async (startup) => void (await startAllInOne(startup)));
