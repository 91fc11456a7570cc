// The HTTP API as a process of its own: any number of them share one database and one Temporal,
// both the operator's. It needs no Docker and keeps nothing on disk but the first key.
import { sharedPreviews } from '../store/previews.ts';
import { listenForApi } from './api-server.ts';
import {
  openStore,
  openTemporalClient,
  ownDatabaseUrl,
  prepareTemporal,
  temporalTarget,
} from './connections.ts';
import { firstKey } from './data-directory.ts';
import { knownSecrets, modelChoice } from './models/model-routes.ts';
import { runProcess } from './process-life.ts';
import type { Startup } from './process-life.ts';

async function start(startup: Startup): Promise<void> {
  const { config, secrets, log, cleanup } = startup;
  const target = temporalTarget(config, secrets, null);
  const url = ownDatabaseUrl(secrets);
  const first = firstKey(config.dataDir, secrets.get('apiKey'));
  if (first.isNew) log.info(`first API key, shown this once: ${first.key}`);
  const choice = modelChoice(config, secrets, [first.key]);
  const server = await listenForApi(config);
  cleanup.defer(() => server.drain());
  const { namespace } = config.temporal;
  const [{ sql, organizationId }] = await Promise.all([
    openStore(url, { log, cleanup, name: 'holdfast-api', firstKey: first.key }),
    prepareTemporal(target, { name: namespace, embedded: false }, log),
  ]);
  const previews = await sharedPreviews(sql);
  cleanup.defer(() => previews.close());
  const temporal = openTemporalClient(target, namespace, cleanup);
  const hidden = knownSecrets(secrets, choice, [first.key]);
  const { models } = choice;
  await server.open({ sql, previews, organizationId, hidden, models, temporal }, startup);
  log.info(`API          ${server.url}`);
  log.info(`API key      ${first.where}`);
  log.info('ready');
}

await runProcess('api', start);
