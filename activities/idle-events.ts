// The edges of a turn as events, in their documented order (behaviour 6.4): the session and its
// primary thread start running together; at the end the thread idles, then comes the usage
// snapshot, then the session's idle. The log fills in what its own row knows: usage, budget, and
// the calls that wait.

import type { StopReason } from '../protocol/events.ts';
import { type IdleCommit, type NewEvent, stepEvent } from '../store/events.ts';

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

/** A turn ends: the stop reason as the log knows it, and its events. */
export function idleOf(
  step: StepName,
  stop: IdleStop,
): { stop: StopReason['type']; events: NewEvent[] } {
  return { stop: stop.stop_reason.type, events: idleEvents(step, stop) };
}

/** A pause until clients have answered; the log fills in which calls they are. */
export function waitingIdle(step: StepName): IdleCommit {
  const stop: IdleStop = {
    stop_reason: { type: 'requires_action', event_ids: [] },
    stop_details: null,
  };
  return { ...idleOf(step, stop), unless_messages: false, flush: false };
}

function idleEvents(step: StepName, stop: IdleStop): NewEvent[] {
  return [
    stepEvent(step, 0, {
      type: 'session.thread_status_idle',
      session_thread_id: step.threadId,
      ...stop,
    }),
    stepEvent(step, 0, { type: 'session.usage' }),
    stepEvent(step, 0, { type: 'session.status_idle', ...stop }),
  ];
}
