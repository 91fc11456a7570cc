// What a session does next: pure, synchronous, no clock, no ids, no promises. The workflow is a
// short loop around nextStep() and apply(); receive() only records. The state stays under 1 KB plus
// 60 bytes a pending call, because it travels whole through continue-as-new. Words: a turn goes
// from running to idle; a round is one model call plus the tools it asked for; a step is the one
// thing the workflow does next.

import { TURN_ROUNDS_MAX } from '../protocol/limits.ts';
import type {
  CallModelResult,
  CommitStatusResult,
  IdleReason,
  InboxReport,
  PendingCall,
} from '../activities/messages.ts';
import type { SignalEvent, UserEvents } from './messages.ts';

export type Phase = 'idle' | 'model' | 'tools' | 'closing' | 'ended';

export interface SessionState {
  phase: Phase;
  turn: number;
  round: number;
  calls: PendingCall[];
  closing: IdleReason | null;
  /** Newest client message we were told of, and newest that a model call has read */
  messagesThrough: number;
  consumedThrough: number;
  /** Newest interrupt we were told of, and newest that was applied */
  interruptsThrough: number;
  interruptedThrough: number;
  /** Machine that holds the sandbox */
  host: string | null;
  /** Of all replies, for a person who looks */
  tokensIn: number;
  tokensOut: number;
  isEnded: boolean;
}

export type Step =
  | { kind: 'call_model'; turn: number; round: number }
  | { kind: 'run_tools'; turn: number; round: number; calls: PendingCall[] }
  | {
      kind: 'go_idle';
      turn: number;
      round: number;
      /** Newest interrupt known when the step was taken: tells two interrupts of a turn apart */
      through: number;
      reason: IdleReason;
      calls: PendingCall[];
    }
  | { kind: 'await_user' }
  | { kind: 'continue_as_new' }
  | { kind: 'terminate' };

export type StepResult =
  | CallModelResult
  | CommitStatusResult
  | { kind: 'model_failed'; errorType: string }
  /** Ids of the calls that have their result in the log */
  | { kind: 'tools_ran'; answered: string[] }
  | { kind: 'woken' };

/** How full this run's history is, and whether anything is in flight that a new run would lose. */
export interface RunFacts {
  historyEvents: number;
  isContinueSuggested: boolean;
  isBusy: boolean;
  idleEventsMax: number;
  stepEventsMax: number;
}

export function newSessionState(turn: number): SessionState {
  return {
    phase: 'idle',
    turn,
    round: 0,
    calls: [],
    closing: null,
    messagesThrough: 0,
    consumedThrough: 0,
    interruptsThrough: 0,
    interruptedThrough: 0,
    host: null,
    tokensIn: 0,
    tokensOut: 0,
    isEnded: false,
  };
}

/** Records what a signal names. Repetitions and any order are harmless: only maxima are kept. */
export function receive(state: SessionState, news: UserEvents): SessionState {
  const newest = (isWanted: (event: SignalEvent) => boolean, known: number): number =>
    news.events.reduce((max, event) => (isWanted(event) ? Math.max(max, event.seq) : max), known);
  return {
    ...state,
    messagesThrough: newest((event) => event.type !== 'user.interrupt', state.messagesThrough),
    interruptsThrough: newest((event) => event.type === 'user.interrupt', state.interruptsThrough),
    isEnded: state.isEnded || news.ended === true,
  };
}

/** An interrupt that nothing has applied yet: the running step is to be cancelled. */
export function wantsInterrupt(state: SessionState): boolean {
  return state.interruptsThrough > state.interruptedThrough;
}

/** The one thing to do next. */
export function nextStep(state: SessionState, run: RunFacts): Step {
  const { turn, round, calls } = state;
  const idle = { kind: 'go_idle', turn, round, through: state.interruptsThrough, calls } as const;
  if (state.phase === 'ended' || state.isEnded) return { kind: 'terminate' };
  if (mustContinueAsNew(state, run)) return { kind: 'continue_as_new' };
  if (wantsInterrupt(state)) {
    return { ...idle, reason: { type: 'interrupt' } };
  }
  switch (state.phase) {
    case 'idle':
      if (state.messagesThrough <= state.consumedThrough) return { kind: 'await_user' };
      return { kind: 'call_model', turn: turn + 1, round: 1 };
    case 'model':
      if (round >= TURN_ROUNDS_MAX) {
        return { ...idle, reason: { type: 'tool_use_limit' } };
      }
      return { kind: 'call_model', turn, round: round + 1 };
    case 'tools':
      return { kind: 'run_tools', turn, round, calls };
    case 'closing':
      return { ...idle, reason: state.closing! };
  }
}

/** The state after a step; `state` may have received signals since the step was taken. */
export function apply(state: SessionState, step: Step, result: StepResult): SessionState {
  switch (result.kind) {
    case 'ended':
      return { ...state, phase: 'ended', calls: [] };
    case 'woken':
      return state;
    case 'replied':
      return applyReply(state, step, result);
    case 'model_failed': {
      const closing: IdleReason = { type: 'model_failed', errorType: result.errorType };
      return { ...begun(state, step), phase: 'closing', closing };
    }
    case 'interrupted':
      return step.kind === 'call_model' ? { ...begun(state, step), phase: 'model' } : state;
    case 'tools_ran': {
      const calls = state.calls.filter((call) => !result.answered.includes(call.id));
      return { ...state, calls, phase: calls.length === 0 ? 'model' : 'tools' };
    }
    case 'went_idle':
      return {
        ...withReport(state, result),
        phase: 'idle',
        round: 0,
        calls: [],
        closing: null,
        // Nothing waits: whatever a cancelled or failed model call had read is read.
        consumedThrough:
          result.messagesThrough === undefined
            ? Math.max(state.consumedThrough, result.seq)
            : state.consumedThrough,
      };
    case 'nothing_new':
      return { ...state, consumedThrough: Math.max(state.consumedThrough, result.seq) };
  }
}

function applyReply(
  state: SessionState,
  step: Step,
  result: Extract<StepResult, { kind: 'replied' }>,
): SessionState {
  const next: SessionState = {
    ...withReport(begun(state, step), result),
    consumedThrough: Math.max(state.consumedThrough, result.consumedThrough ?? 0),
    calls: result.calls ?? [],
    tokensIn: state.tokensIn + result.tokens[0],
    tokensOut: state.tokensOut + result.tokens[1],
  };
  if (result.idle === true) return { ...next, phase: 'idle', round: 0, calls: [] };
  return { ...next, phase: next.calls.length > 0 ? 'tools' : 'model' };
}

function begun(state: SessionState, step: Step): SessionState {
  if (step.kind !== 'call_model') throw new Error(`a model result cannot follow ${step.kind}`);
  return { ...state, turn: step.turn, round: step.round };
}

/** An idle commit stamps every interrupt that stood in the log by then. */
function withReport(state: SessionState, report: InboxReport): SessionState {
  return {
    ...state,
    messagesThrough: Math.max(state.messagesThrough, report.messagesThrough ?? 0),
    interruptsThrough: Math.max(state.interruptsThrough, report.interruptsThrough ?? 0),
    interruptedThrough: report.idle
      ? Math.max(state.interruptedThrough, report.seq)
      : state.interruptedThrough,
  };
}

function mustContinueAsNew(state: SessionState, run: RunFacts): boolean {
  if (run.isBusy) return false;
  if (run.isContinueSuggested || run.historyEvents > run.stepEventsMax) return true;
  const isParked = state.phase === 'idle' && state.messagesThrough <= state.consumedThrough;
  return isParked && !wantsInterrupt(state) && run.historyEvents > run.idleEventsMax;
}
