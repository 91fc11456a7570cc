// What a process with a worker is made of besides its connections: the model client, the sandboxes
// of this machine, the workflow code. The order of its cleanup is the drain: workers hand over
// first, then sandboxes let go of their sockets (containers and their commands go on).
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createModelClient } from '../activities/model/anthropic.ts';
import type { ModelClient } from '../activities/model/anthropic.ts';
import { FreshCalls } from '../activities/fresh-calls.ts';
import { TranscriptCache } from '../activities/model/transcript-cache.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { EndpointPackageError } from '../activities/model/routes.ts';
import type { ModelRoute } from '../activities/model/routes.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import { prepareImageOn } from '../sandbox/prepare.ts';
import { createSandboxHost, DEFAULT_DOCKER_SOCKET } from '../sandbox/sandbox-host.ts';
import { SandboxFailedError } from '../sandbox/sandbox.ts';
import type { SandboxHost } from '../sandbox/sandbox.ts';
import type { Database } from '../store/database.ts';
import type { PreviewHub } from '../store/previews.ts';
import type { Config } from './config.ts';
import { whileTemporalReturns } from './connections.ts';
import { StartError } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { openServerTools } from './server-tools.ts';
import { startSessionWorker } from './session-worker.ts';
import { pausePoint } from './pause-point.ts';
import type { Startup } from './process-life.ts';
import { nativeOptions } from './temporal/connection.ts';
import type { TemporalTarget } from './temporal/connection.ts';
import { joinTemporalRuntime } from './temporal/log.ts';
import { workflowBundle } from './workflow-bundle.ts';

const MEBIBYTE = 1_048_576;

export interface WorkerParts {
  directory: DataDirectory;
  sql: Database;
  previews: PreviewHub;
  target: TemporalTarget;
  routes: readonly ModelRoute[];
  models: ModelCatalog;
  /** undefined: this process runs no sandboxes */
  sandbox: SandboxHost | undefined;
  /** what no history and no log may show */
  hidden: readonly string[];
}

/** Connects this machine's sandboxes again; throws a clear sentence when Docker does not answer. */
export async function openSandboxHost(
  config: Config,
  process: { directory: DataDirectory; log: Logger; cleanup: AsyncDisposableStack },
): Promise<SandboxHost> {
  const { memoryMb, cpus, pids, pauseMs, stopMs } = config.sandbox;
  const dockerSocket = config.sandbox.dockerSocket ?? DEFAULT_DOCKER_SOCKET;
  const image = await ownImage(config.sandbox.image, dockerSocket, process.log);
  const host = await createSandboxHost({
    dataDir: process.directory.path,
    hostId: process.directory.hostId,
    log: process.log,
    limits: { memoryBytes: memoryMb * MEBIBYTE, cpus, pids },
    idle: { pauseMs, stopMs },
    dockerSocket,
    ...(image === null ? {} : { image }),
  });
  process.cleanup.defer(() => host.close());
  await host.health();
  await host.attachAll();
  return host;
}

/** The image made of the operator's own, null without one; throws StartError if that fails. */
async function ownImage(
  base: string | null,
  dockerSocket: string,
  log: Logger,
): Promise<string | null> {
  if (base === null) return null;
  const report = (step: string, ms: number) => log.info(`${step}: ${(ms / 1_000).toFixed(1)} s`);
  try {
    return await prepareImageOn(base, { dockerSocket, report });
  } catch (error) {
    if (!(error instanceof SandboxFailedError)) throw error;
    throw new StartError(
      `HOLDFAST_SANDBOX_IMAGE cannot be used, any Debian or Ubuntu image can: ${error.message}`,
    );
  }
}

async function modelClient(routes: readonly ModelRoute[]): Promise<ModelClient> {
  try {
    return await createModelClient(routes);
  } catch (error) {
    if (!(error instanceof EndpointPackageError)) throw error;
    throw new StartError(error.message);
  }
}

/** Starts polling for work; resolves when the worker runs. */
export async function openWorker(parts: WorkerParts, startup: Startup): Promise<void> {
  const { directory, sql, previews, sandbox, hidden: secrets } = parts;
  const { config, log, cleanup } = startup;
  joinTemporalRuntime(log);
  const { target } = parts;
  const [connection, bundle, model] = await Promise.all([
    whileTemporalReturns(target, () => NativeConnection.connect(nativeOptions(target))),
    workflowBundle(),
    modelClient(parts.routes),
  ]);
  // A start that failed half-way leaves workers that hold it; the process ends anyway.
  cleanup.defer(() => connection.close().catch(() => {}));
  const deps: ActivityDeps = {
    sql,
    previews,
    sandbox,
    log,
    secrets,
    hostId: directory.hostId,
    model,
    ...openServerTools(startup, { model, log, cleanup }),
    models: parts.models,
    modelAttemptsMax: config.model.attemptsMax,
    modelSilenceMs: config.model.silenceMs,
    transcripts: new TranscriptCache(),
    freshCalls: new FreshCalls(),
    showsCommands: config.temporal.previews,
    ...pausePoint(config, log),
  };
  const worker = await startSessionWorker({
    connection,
    deps,
    log,
    namespace: config.temporal.namespace,
    workflowBundle: bundle,
  });
  cleanup.defer(() => worker.shutdown());
  worker.failed.catch((error: unknown) => {
    // A worker that cannot go on is of no use to anybody: whoever runs this process starts it
    // again.
    log.fatal(error, 'the worker failed');
    process.exit(1);
  });
}
