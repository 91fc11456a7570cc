// What the engine costs when nothing of ours runs in it, on the same Temporal server: the time from
// one no-op activity to the next, and from a signal to an activity. Printed beside the rows that
// build on them.
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { newTag } from './model-clock.ts';
import { finish, noopWorkflow, oneMore } from './noop-workflow.ts';
import { nowMs } from './statistics.ts';

const WORKFLOWS = fileURLToPath(new URL('noop-workflow.ts', import.meta.url));
const TASK_QUEUE = 'bench-noop';
const POLL_MS = 2;

export interface EngineFloor {
  /** end of an activity → start of the next, `ms` each */
  activityGaps: number[];
  /** signal sent → start of its activity, in a parked workflow */
  signalToActivity: number[];
  /** signal with start sent → start of the first activity */
  startToActivity: number[];
}

interface Run {
  started: number[];
  ended: number[];
}

/** Measures against a Temporal server; its worker lives in this process and is gone afterwards. */
export async function measureEngineFloor(
  address: string,
  counts: { inRow: number; signals: number },
): Promise<EngineFloor> {
  const runs = new Map<string, Run>();
  Runtime.install({
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  const native = await NativeConnection.connect({ address, grpcCompression: { codec: 'none' } });
  const worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE,
    workflowsPath: WORKFLOWS,
    activities: {
      noop: async (key: string) => {
        const run = runs.get(key)!;
        run.started.push(nowMs());
        run.ended.push(nowMs());
      },
    },
  });
  const connection = await Connection.connect({ address });
  try {
    return await worker.runUntil(() => drive(new Client({ connection }), runs, counts));
  } finally {
    await connection.close();
    await native.close();
  }
}

async function drive(
  client: Client,
  runs: Map<string, Run>,
  { inRow, signals }: { inRow: number; signals: number },
): Promise<EngineFloor> {
  const start = async (activities: number): Promise<{ run: Run; sentAt: number; id: string }> => {
    const id = newTag('noop');
    const run: Run = { started: [], ended: [] };
    runs.set(id, run);
    const sentAt = nowMs();
    await client.workflow.signalWithStart(noopWorkflow, {
      workflowId: id,
      taskQueue: TASK_QUEUE,
      args: [id, activities],
      signal: oneMore,
    });
    await reached(run, activities + 1);
    return { run, sentAt, id };
  };
  const { run, id } = await start(inRow);
  const activityGaps = run.started.slice(1, inRow).map((at, index) => at - run.ended[index]!);
  const handle = client.workflow.getHandle(id);
  const signalToActivity: number[] = [];
  for (let count = 0; count < signals; count += 1) {
    // Parked, as an idle session is: the workflow task before has ended.
    await pause(POLL_MS * 10);
    const sentAt = nowMs();
    await handle.signal(oneMore);
    await reached(run, inRow + count + 2);
    signalToActivity.push(run.started.at(-1)! - sentAt);
  }
  await handle.signal(finish);
  const startToActivity: number[] = [];
  for (let count = 0; count < signals; count += 1) {
    const begun = await start(0);
    startToActivity.push(begun.run.started[0]! - begun.sentAt);
    await client.workflow.getHandle(begun.id).signal(finish);
  }
  return { activityGaps, signalToActivity, startToActivity };
}

async function reached(run: Run, count: number): Promise<void> {
  while (run.ended.length < count) await pause(POLL_MS);
}
