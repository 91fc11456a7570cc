// Time-outs and retries of every activity, by name, and the reasons. Nothing else in this room
// holds such a number.

import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { ActivityCancellationType } from '@temporalio/workflow';

const HEARTBEAT = '5 s';

/**
 * No count of attempts anywhere but in the activities themselves: a database or an engine that is
 * away, and a worker that died or was restarted, are no reason to give up. What is given up says so
 * by being non-retryable (activities/failures.ts); this is the bound of all the rest.
 */
const GIVE_UP = '24 h';

/** A model call streams for minutes; a dead worker is noticed by its heartbeat. */
export const modelOptions: ActivityOptions = {
  startToCloseTimeout: '15 m',
  scheduleToCloseTimeout: GIVE_UP,
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '1 m' },
};

/** A short command: no round trip through the engine. One attempt; the ordinary one takes over. */
export const localToolOptions: LocalActivityOptions = {
  startToCloseTimeout: '2 s',
  retry: { maximumAttempts: 1 },
};

/** A long command, on the machine that holds the sandbox. Retries re-attach, they never repeat. */
export const toolOptions: ActivityOptions = {
  startToCloseTimeout: '65 m',
  scheduleToStartTimeout: '60 s',
  scheduleToCloseTimeout: GIVE_UP,
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
};

/** A call of the web or of an MCP server: nobody journals it, so it is not made twice. */
export const serverToolOptions: ActivityOptions = {
  startToCloseTimeout: '10 m',
  scheduleToCloseTimeout: GIVE_UP,
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { maximumAttempts: 1 },
};

/** One of which the server says that repeating it does no harm. */
export const repeatableToolOptions: ActivityOptions = {
  ...serverToolOptions,
  retry: { initialInterval: '1 s', maximumInterval: '10 s', maximumAttempts: 5 },
};

export const provisionOptions: ActivityOptions = {
  startToCloseTimeout: '10 m',
  scheduleToCloseTimeout: GIVE_UP,
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
};

/** Stops what an interrupt left running on a machine whose worker did not answer. */
export const cancelOptions: ActivityOptions = {
  startToCloseTimeout: '1 m',
  // Longer than a machine may be silent before it counts as lost, with all that runs on it.
  scheduleToStartTimeout: '5 m',
  scheduleToCloseTimeout: '10 m',
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
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
