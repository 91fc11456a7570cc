// Why a session is idle, and what clients see when it becomes so: every stop reason with the events
// that end a turn for it, each line with its source. docs/ARCHITECTURE.md shows it; the end-to-end
// tests of each reason hold the order.

import type { StopReason } from '../protocol/events.ts';

interface Stop {
  when: string;
  /** Events from the last result on, in their order; the thread's reason where it differs */
  events: string;
  /** What a client may send then */
  takes: string;
  source: string;
}

/** The three events that end every turn (behaviour 6.4). */
const IDLE = 'thread_status_idle, usage, status_idle';

export const STOP_REASONS = {
  end_turn: {
    when: 'the reply asks for no tool; or an interrupt, whose open calls get error results first',
    events: IDLE,
    takes: 'everything but answers',
    source: 'events-and-streaming: session lifecycle; sdk: SessionEndTurn',
  },
  requires_action: {
    when: 'nothing can go on before clients have answered `event_ids`',
    events: `${IDLE}; again with the rest after each answer but the last`,
    takes: 'answers and interrupts; system messages behind a result',
    source: 'sdk: SessionRequiresAction',
  },
  budget_reached: {
    when: 'the cap is reached before a model request, or by the request that ended the turn',
    events: `${IDLE}; of a turn that was over the thread says end_turn`,
    takes: 'answers; interrupts, which are forgotten; an update of the budget goes on',
    source: 'budgets: when a session reaches its budget; sdk: SessionBudgetReached',
  },
  retries_exhausted: {
    when: 'the model failed for good, or a limit: of rounds, of compactions',
    events: `error (exhausted), ${IDLE}; queued messages are flushed`,
    takes: 'everything but answers',
    source: 'sdk: RetryStatusExhausted, SessionRetriesExhausted',
  },
  refusal: {
    when: 'the model refused; `stop_details` says why',
    events: IDLE,
    takes: 'everything but answers',
    source: 'sdk: SessionRefusal, SessionRefusalStopDetails',
  },
} as const satisfies Record<StopReason['type'], Stop>;
