// Time-outs and retries of every activity, by name, and the reasons. Nothing else in this room
// holds such a number.

import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { ActivityCancellationType } from '@temporalio/workflow';

const HEARTBEAT = '5 s';

/** A model call streams for minutes; a dead worker is noticed by its heartbeat. */
export function modelOptions(attemptsMax: number): ActivityOptions {
  return {
    startToCloseTimeout: '15 m',
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      initialInterval: '1 s',
      backoffCoefficient: 2,
      maximumInterval: '1 m',
      maximumAttempts: attemptsMax,
    },
  };
}

/** A short command: no round trip through the engine. One attempt; the ordinary one takes over. */
export const localToolOptions: LocalActivityOptions = {
  startToCloseTimeout: '2 s',
  retry: { maximumAttempts: 1 },
};

/** A long command, on the machine that holds the sandbox. Retries re-attach, they never repeat. */
export const toolOptions: ActivityOptions = {
  startToCloseTimeout: '65 m',
  scheduleToStartTimeout: '60 s',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', maximumInterval: '10 s', maximumAttempts: 5 },
};

export const provisionOptions: ActivityOptions = {
  startToCloseTimeout: '10 m',
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '1 s', maximumInterval: '10 s', maximumAttempts: 5 },
};

/** Commits wait for the database as long as it takes: a stalled session is never a lost one. */
export const commitOptions: ActivityOptions = {
  // One transaction, keyed by its step: a worker that died in it is noticed by this alone.
  startToCloseTimeout: '8 s',
  retry: { initialInterval: '200 ms', maximumInterval: '10 s' },
};

/** The reconciler of every host removes what a lost host's release cannot. */
export const releaseOptions: ActivityOptions = {
  startToCloseTimeout: '10 m',
  scheduleToStartTimeout: '5 m',
  retry: { initialInterval: '1 s', maximumInterval: '1 m', maximumAttempts: 10 },
};
