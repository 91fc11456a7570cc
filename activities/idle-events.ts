// The edges of a turn as events, in their documented order (behaviour 6.4): the session and its
// primary thread start running together; at the end the thread idles, then comes the usage
// snapshot, then the session's idle. The log fills the usage in, from the counters it holds.

import type { StopReason } from '../protocol/events.ts';
import { type NewEvent, stepEvent } from '../store/events.ts';

export interface StepName {
  sessionId: string;
  threadId: string;
  key: string;
}

export interface IdleStop {
  stop_reason: StopReason;
  stop_details: { type: 'refusal'; category: string | null; explanation: string | null } | null;
}

/** A turn begins, or goes on after a pause for retrying. */
export function runningEvents(
  session: { sessionId: string; threadId: string },
  key: string,
): NewEvent[] {
  const step = { sessionId: session.sessionId, threadId: session.threadId, key };
  return [
    stepEvent(step, 0, { type: 'session.status_running' }),
    stepEvent(step, 0, {
      type: 'session.thread_status_running',
      session_thread_id: session.threadId,
    }),
  ];
}

/** A turn ends. */
export function idleEvents(step: StepName, stop: IdleStop): NewEvent[] {
  return [
    stepEvent(step, 0, {
      type: 'session.thread_status_idle',
      session_thread_id: step.threadId,
      ...stop,
    }),
    stepEvent(step, 0, { type: 'session.usage', budget: null }),
    stepEvent(step, 0, { type: 'session.status_idle', ...stop }),
  ];
}
