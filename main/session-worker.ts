// The worker side of the server: session workflows with their model and commit activities, and,
// where this machine runs sandboxes, the queues of the machine. Several such processes may share
// one Temporal and one database.

import { type NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import {
  HOST_BEAT_MS,
  WORKER_ACTIVITY_SLOTS,
  WORKER_CACHED_WORKFLOWS_MAX,
  WORKER_SHUTDOWN_MS,
  WORKER_WORKFLOW_SLOTS,
} from '../protocol/limits.ts';
import { beatHost } from '../store/hosts.ts';
import { liveSessions } from '../store/session-life.ts';
import { ANY_HOST_TASK_QUEUE, hostTaskQueue, SESSION_TASK_QUEUE } from '../workflows/messages.ts';

export interface SessionWorkerOptions {
  connection: NativeConnection;
  namespace: string;
  workflowBundle: WorkflowBundleOption;
  deps: ActivityDeps;
  log: Logger;
}

const RECONCILE_MS = 60_000;
const BUILD_ID = 'holdfast';

/**
 * Starts polling; resolves once the workers run. `shutdown` drains them within WORKER_SHUTDOWN_MS.
 */
export async function startSessionWorker(
  options: SessionWorkerOptions,
): Promise<{ shutdown(): Promise<void>; failed: Promise<never> }> {
  const { deps, log } = options;
  const activities = createActivities(deps);
  const common = {
    connection: options.connection,
    namespace: options.namespace,
    // The default, a checksum of 91 characters, would stand in three events of every round.
    buildId: BUILD_ID,
    maxHeartbeatThrottleInterval: '1 s',
    defaultHeartbeatThrottleInterval: '1 s',
    shutdownGraceTime: 0,
    shutdownForceTime: WORKER_SHUTDOWN_MS,
  };
  const workers = [
    await Worker.create({
      ...common,
      taskQueue: SESSION_TASK_QUEUE,
      workflowBundle: options.workflowBundle,
      activities,
      maxConcurrentActivityTaskExecutions: WORKER_ACTIVITY_SLOTS,
      maxConcurrentLocalActivityExecutions: WORKER_ACTIVITY_SLOTS,
      maxConcurrentWorkflowTaskExecutions: WORKER_WORKFLOW_SLOTS,
      maxCachedWorkflows: WORKER_CACHED_WORKFLOWS_MAX,
      stickyQueueScheduleToStartTimeout: '5 s',
    }),
  ];
  if (deps.sandbox !== undefined) {
    await beatHost(deps.sql, deps.hostId);
    for (const taskQueue of [hostTaskQueue(deps.hostId), ANY_HOST_TASK_QUEUE]) {
      workers.push(
        await Worker.create({
          ...common,
          taskQueue,
          activities,
          maxConcurrentActivityTaskExecutions: WORKER_ACTIVITY_SLOTS,
        }),
      );
    }
  }
  const stopHost = deps.sandbox === undefined ? () => {} : keepHost(deps, log);
  const runs = workers.map((worker) => worker.run());
  const failed = Promise.race(runs.map((run) => run.then(() => new Promise<never>(() => {}))));
  failed.catch(() => {});
  return {
    failed,
    async shutdown() {
      stopHost();
      for (const worker of workers) worker.shutdown();
      await Promise.allSettled(runs);
    },
  };
}

/** Notes that this machine is there, and clears away the containers of sessions that ended. */
function keepHost(deps: ActivityDeps, log: Logger): () => void {
  const beat = setInterval(() => {
    beatHost(deps.sql, deps.hostId).catch(() => {});
  }, HOST_BEAT_MS);
  const reconcile = (): void => {
    deps.sandbox
      ?.reconcile((ids) => liveSessions(deps.sql, ids))
      .then((removed) => {
        if (removed.length > 0) log.info({ removed }, 'removed sandboxes of ended sessions');
      })
      .catch((error: unknown) => log.warn({ err: error }, 'could not look for orphaned sandboxes'));
  };
  const sweep = setInterval(reconcile, RECONCILE_MS);
  reconcile();
  return () => {
    clearInterval(beat);
    clearInterval(sweep);
  };
}
