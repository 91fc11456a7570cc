// The worker as a process of its own: session workflows with their model calls, and the sandboxes
// of this machine, or one of the two (HOLDFAST_WORKER_ROLES). Any number of them share one database
// and one Temporal; one worker a data directory, since its sandboxes belong to it.
import { sharedPreviews } from '../store/previews.ts';
import { openStore, ownDatabaseUrl, prepareTemporal, temporalTarget } from './connections.ts';
import { openDataDirectory } from './data-directory.ts';
import { isScripted, knownSecrets, modelChoice, modelRoutes } from './models/model-routes.ts';
import { runProcess } from './process-life.ts';
import type { Startup } from './process-life.ts';
import { startScriptedModel } from './scripted-model.ts';
import { Supervisor } from './supervisor.ts';
import { openSandboxHost, openWorker } from './worker-parts.ts';

async function start(startup: Startup): Promise<void> {
  const { config, secrets, log, cleanup } = startup;
  const target = temporalTarget(config, secrets, null);
  const url = ownDatabaseUrl(secrets);
  const directory = openDataDirectory(config.dataDir);
  cleanup.defer(() => directory.release());
  const own = secrets.get('apiKey');
  const ownKeys = own === null ? [] : [own];
  const choice = modelChoice(config, secrets, ownKeys);
  const supervisor = new Supervisor(directory, log);
  cleanup.defer(() => supervisor.stop());
  const namespace = { name: config.temporal.namespace, embedded: false };
  const [{ sql }, , scriptedUrl, sandbox] = await Promise.all([
    openStore(url, { log, cleanup, name: 'holdfast-worker' }),
    prepareTemporal(target, namespace, log),
    isScripted(choice)
      ? startScriptedModel(directory, supervisor, config.model.scriptedDelayMs)
      : null,
    config.workerRoles === 'workflows'
      ? undefined
      : openSandboxHost(config, { directory, log, cleanup }),
  ]);
  const previews = await sharedPreviews(sql);
  cleanup.defer(() => previews.close());
  const routes = modelRoutes(choice, scriptedUrl);
  const hidden = knownSecrets(secrets, choice, ownKeys);
  const { models } = choice;
  await openWorker({ directory, sql, previews, target, sandbox, routes, models, hidden }, startup);
  if (isScripted(choice)) log.warn('Model        SCRIPTED: no HOLDFAST_MODEL_API_KEY is set');
  log.info(`ready as host ${directory.hostId}`);
}

await runProcess('worker', start);
