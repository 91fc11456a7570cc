// The engine alone: activities that do nothing, one after the other, and a signal that asks for
// one. What remains of a round when all of ours is taken away; for the worker in engine-floor.ts.
import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

/** Asks for one activity. */
export const oneMore = defineSignal('oneMore');
/** Ends the workflow. */
export const finish = defineSignal('finish');

const { noop } = proxyActivities<{ noop(key: string): Promise<void> }>({
  startToCloseTimeout: '10 s',
});

/** So many activities in a row, then one for each signal until it is told to finish. */
export async function noopWorkflow(key: string, inRow: number): Promise<void> {
  let asked = 0;
  let done = 0;
  let isFinished = false;
  setHandler(oneMore, () => void (asked += 1));
  setHandler(finish, () => void (isFinished = true));
  for (let count = 0; count < inRow; count += 1) await noop(key);
  for (;;) {
    await condition(() => asked > done || isFinished);
    if (isFinished) return;
    await noop(key);
    done += 1;
  }
}
