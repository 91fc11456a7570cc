// Which step a session may take in which phase, and where that may lead, each line with its source.
// The state machine is checked against it on every step, and docs/ARCHITECTURE.md shows it, so it
// cannot lie. Sources: the documentation by its pages' names, `sdk` for doc comments of
// @anthropic-ai/sdk 1.11.0, `ours` for what no document describes.

import type { Phase, Step } from './session-state.ts';

interface Transition {
  to: readonly Phase[];
  why: string;
  source: string;
}

export const TRANSITIONS = {
  idle: {
    await_user: {
      to: ['idle'],
      why: 'nothing is waiting',
      source: 'session-operations: idle is waiting for input',
    },
    call_model: {
      to: ['tools', 'model', 'idle', 'waiting', 'closing', 'ended'],
      why: 'a message starts a turn',
      source: 'session-operations: idle to running on accepted work',
    },
    compact: {
      to: ['model', 'closing', 'ended'],
      why: 'a message starts a turn that would not fit the window',
      source: 'sdk: AgentThreadContextCompactedEvent',
    },
    go_idle: {
      to: ['idle', 'ended'],
      why: 'an interrupt that found nothing to stop',
      source: 'events-and-streaming: an interrupt jumps the queue',
    },
    continue_as_new: { to: ['idle'], why: 'parked with a long history', source: 'ours' },
    terminate: {
      to: ['ended'],
      why: 'archived or deleted',
      source: 'session-operations: terminated by archive',
    },
  },
  model: {
    call_model: {
      to: ['tools', 'model', 'idle', 'waiting', 'closing', 'ended'],
      why: 'the next round: results or messages to read',
      source: 'events-and-streaming: messages sent while running are queued',
    },
    compact: {
      to: ['model', 'closing', 'ended'],
      why: 'the next round would not fit the window',
      source: 'sdk: AgentThreadContextCompactedEvent',
    },
    go_idle: {
      to: ['idle', 'ended'],
      why: 'interrupted, or a limit: of rounds, of compactions',
      source: 'sdk: ToolUseLimitReachedErrorObject, CompactionLimitReachedErrorObject',
    },
    continue_as_new: { to: ['model'], why: 'between two steps', source: 'ours' },
    terminate: { to: ['ended'], why: 'the log refused', source: 'ours' },
  },
  tools: {
    run_tools: {
      to: ['model', 'tools'],
      why: 'the calls of a reply, side by side',
      source: 'events-and-streaming: tool results, then the next request',
    },
    read_answers: {
      to: ['tools', 'model'],
      why: 'a call was confirmed or answered before the session waited for it',
      source: 'sdk: UserToolConfirmationEvent, UserCustomToolResultEvent',
    },
    go_idle: {
      to: ['idle', 'waiting', 'tools', 'ended'],
      why: 'interrupted: open calls get an error result; or only clients can go on',
      source: 'session-threads: closed with an error result; sdk: SessionRequiresAction',
    },
    continue_as_new: { to: ['tools'], why: 'between two steps', source: 'ours' },
    terminate: { to: ['ended'], why: 'the log refused', source: 'ours' },
  },
  waiting: {
    await_user: {
      to: ['waiting'],
      why: 'no answer yet; there is no limit of time',
      source: 'permission-policies: the pause has no timeout',
    },
    read_answers: {
      to: ['waiting', 'tools', 'model'],
      why: 'answers: the last one lets the session run again',
      source: 'sdk: SessionRequiresAction',
    },
    go_idle: {
      to: ['idle', 'ended'],
      why: 'interrupted: open calls get an error result',
      source: 'session-threads: closed with an error result, idle again with end_turn',
    },
    continue_as_new: { to: ['waiting'], why: 'parked with a long history', source: 'ours' },
    terminate: {
      to: ['ended'],
      why: 'archived or deleted',
      source: 'session-operations: terminated by archive',
    },
  },
  closing: {
    go_idle: {
      to: ['idle', 'paused', 'model', 'ended'],
      why: 'the model failed for good: queued input is flushed; or the budget is reached',
      source: 'sdk: RetryStatusExhausted, SessionBudgetReached',
    },
    continue_as_new: { to: ['closing'], why: 'between two steps', source: 'ours' },
    terminate: { to: ['ended'], why: 'the log refused', source: 'ours' },
  },
  paused: {
    await_user: {
      to: ['paused', 'idle', 'model'],
      why: 'until the budget is raised or removed',
      source: 'budgets: a paused session goes on with a higher cap',
    },
    go_idle: { to: ['idle', 'ended'], why: 'an interrupt sent before the pause', source: 'ours' },
    continue_as_new: { to: ['paused'], why: 'parked with a long history', source: 'ours' },
    terminate: {
      to: ['ended'],
      why: 'archived or deleted',
      source: 'session-operations: terminated by archive',
    },
  },
  ended: {
    terminate: {
      to: ['ended'],
      why: 'the sandbox is let go of',
      source: 'session-operations: irreversible',
    },
  },
} as const satisfies Record<Phase, Partial<Record<Step['kind'], Transition>>>;

/**
 * The line of the table for a step; throws for one that is not there, which is a mistake of ours.
 */
export function transitionOf(phase: Phase, step: Step['kind']): Transition {
  const row: Partial<Record<Step['kind'], Transition>> = TRANSITIONS[phase];
  const transition = row[step];
  if (transition === undefined) throw new Error(`no session takes ${step} in phase ${phase}`);
  return transition;
}

/** Throws when a step led to a phase that the table does not allow. */
export function checkTransition(from: Phase, step: Step['kind'], to: Phase): void {
  // Archived or deleted while the step ran: any phase may end.
  if (to === 'ended' || transitionOf(from, step).to.includes(to)) return;
  throw new Error(`${step} led a session from ${from} to ${to}`);
}
