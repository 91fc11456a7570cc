// The HTTP API as a process of its own: any number of them share one database and one Temporal, both
// the operator's. It needs no Docker and keeps nothing on disk but the first key.
import { sharedPreviews } from '../store/previews.ts';
import { listenForApi } from './api-server.ts';
import {
  openStore,
  openTemporalClient,
  ownDatabaseUrl,
  prepareTemporal,
  sessionSettings,
  temporalTarget,
} from './connections.ts';
import { firstKey } from './first-key.ts';
import { checkParts } from './health.ts';
import { pausePoint } from './pause-point.ts';
import { runProcess } from './process-life.ts';
import type { Startup } from './process-life.ts';

async function start({ config, secrets, log, cleanup }: Startup): Promise<void> {
  const target = temporalTarget(config, secrets, null);
  const url = ownDatabaseUrl(secrets);
  const first = firstKey(config.dataDir, secrets.get('apiKey'));
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
  const health = () =>
    checkParts({
      database: () => sql`select 1`,
      temporal: () => temporal.workflowService.getSystemInfo({}),
    });
  const settings = sessionSettings(config);
  await server.open(
    { sql, previews, organizationId, settings, health, log, temporal, ...pausePoint(config, log) },
    cleanup,
  );
  log.info(`API          ${server.url}`);
  log.info(`API key      ${first.isNew ? `${first.key} (kept in ${first.where})` : first.where}`);
  log.info('ready');
}

await runProcess('api', start);
