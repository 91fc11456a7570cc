// What a session does next: pure, synchronous, no clock, no ids, no promises. The workflow is a
// short loop around nextStep() and apply(); receive() only records. The state stays under 1 KB plus
// 60 bytes a pending call, because it travels whole through continue-as-new. Words: a turn goes
// from running to idle; a round is one model call plus the tools it asked for; a step is the one
// thing the workflow does next.

import { COMPACTIONS_MAX, TURN_ROUNDS_MAX } from '../protocol/limits.ts';
import type {
  CallModelResult,
  CommitStatusResult,
  CompactContextResult,
  IdleReason,
  InboxReport,
  PendingCall,
  ReadAnswersResult,
} from '../activities/messages.ts';
import type { SignalEvent, UserEvents } from './messages.ts';

/**
 * `waiting`: parked until a client has answered every call that needs it; `paused`: parked by the
 * budget in the middle of something.
 */
export type Phase = 'idle' | 'model' | 'tools' | 'waiting' | 'closing' | 'paused' | 'ended';

export interface SessionState {
  phase: Phase;
  turn: number;
  round: number;
  calls: PendingCall[];
  closing: IdleReason | null;
  /** Where a paused session goes on when its budget is raised or removed */
  pausedFrom: 'idle' | 'model' | null;
  /** The budget was raised or removed while the pause was being committed */
  isResumed: boolean;
  /** Pauses so far: a budget may be reached twice before the same request */
  pauses: number;
  /** Newest client message we were told of, and newest that a model call has read */
  messagesThrough: number;
  consumedThrough: number;
  /** Newest interrupt we were told of, and newest that was applied */
  interruptsThrough: number;
  interruptedThrough: number;
  /** Newest answer to a call that we were told of, and newest that was looked at */
  answersThrough: number;
  answersRead: number;
  /** The conversation is too long for the next request, and how often it was compacted for it */
  isFull: boolean;
  compactions: number;
  /** Machine that holds the sandbox */
  host: string | null;
  /** Of all replies, for a person who looks */
  tokensIn: number;
  tokensOut: number;
  isEnded: boolean;
}

export type Step =
  | { kind: 'call_model'; turn: number; round: number; compactions: number }
  /** Makes room in the conversation before the next model call */
  | { kind: 'compact'; turn: number; round: number; compactions: number }
  | { kind: 'run_tools'; turn: number; round: number; calls: PendingCall[] }
  /** Looks at what clients answered; `through` tells two looks of a round apart */
  | { kind: 'read_answers'; turn: number; round: number; through: number }
  | {
      kind: 'go_idle';
      turn: number;
      round: number;
      /**
       * Newest interrupt or answer known when the step was taken, or the pauses before it: tells
       * two of a turn apart
       */
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
  | CompactContextResult
  | ReadAnswersResult
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
    pausedFrom: null,
    isResumed: false,
    pauses: 0,
    messagesThrough: 0,
    consumedThrough: 0,
    interruptsThrough: 0,
    interruptedThrough: 0,
    answersThrough: 0,
    answersRead: 0,
    isFull: false,
    compactions: 0,
    host: null,
    tokensIn: 0,
    tokensOut: 0,
    isEnded: false,
  };
}

/** Records what a signal names. Repetitions and any order are harmless: only maxima are kept. */
export function receive(state: SessionState, news: UserEvents): SessionState {
  const newest = (types: readonly string[], known: number): number =>
    news.events.reduce(
      (max, event: SignalEvent) => (types.includes(event.type) ? Math.max(max, event.seq) : max),
      known,
    );
  return {
    ...(news.resumed === true ? resume(state) : state),
    messagesThrough: newest(['user.message'], state.messagesThrough),
    interruptsThrough: newest(['user.interrupt'], state.interruptsThrough),
    answersThrough: newest(ANSWERS, state.answersThrough),
    isEnded: state.isEnded || news.ended === true,
  };
}

/** A pause ends; what is not paused, or not any more, has nothing to resume. */
function resume(state: SessionState): SessionState {
  if (state.phase === 'paused') return { ...state, phase: state.pausedFrom!, pausedFrom: null };
  return { ...state, isResumed: state.closing?.type === 'budget_reached' };
}

const ANSWERS = ['user.tool_confirmation', 'user.custom_tool_result', 'user.tool_result'];

/** An interrupt that nothing has applied yet: the running step is to be cancelled. */
export function wantsInterrupt(state: SessionState): boolean {
  return state.interruptsThrough > state.interruptedThrough;
}

/** Answers that nobody has looked at, to calls that wait for some. */
export function hasNewAnswers(state: SessionState): boolean {
  return state.answersThrough > state.answersRead && state.calls.some(needsClient);
}

/** The call waits for a client: for a confirmation, or for its result. */
export function needsClient(call: PendingCall): boolean {
  return call.needs !== undefined;
}

/** Names of the calls that may be running in the sandbox. */
export function callsInSandbox(calls: readonly PendingCall[]): { id: string }[] {
  return calls
    .filter((call) => call.answeredBy === 'sandbox' && !needsClient(call))
    .map(({ id }) => ({ id }));
}

/** The one thing to do next. */
export function nextStep(state: SessionState, run: RunFacts): Step {
  const { turn, round, calls } = state;
  const idle = { kind: 'go_idle', turn, round, through: state.interruptsThrough, calls } as const;
  if (state.phase === 'ended' || state.isEnded) return { kind: 'terminate' };
  if (mustContinueAsNew(state, run)) return { kind: 'continue_as_new' };
  if (wantsInterrupt(state)) {
    const isParked = state.phase === 'waiting';
    return { ...idle, reason: { type: 'interrupt', ...(isParked ? { isParked } : {}) } };
  }
  switch (state.phase) {
    case 'idle':
      if (state.messagesThrough <= state.consumedThrough) return { kind: 'await_user' };
      return nextOfModel(state, turn + 1, 0);
    case 'model':
      if (round >= TURN_ROUNDS_MAX) {
        return { ...idle, reason: { type: 'tool_use_limit' } };
      }
      if (state.isFull && state.compactions >= COMPACTIONS_MAX) {
        return { ...idle, reason: { type: 'compaction_limit' } };
      }
      return nextOfModel(state, turn, round);
    case 'tools':
    case 'waiting':
      return nextOfCalls(state);
    case 'closing': {
      const isPause = state.closing!.type === 'budget_reached';
      return { ...idle, reason: state.closing!, ...(isPause ? { through: state.pauses } : {}) };
    }
    case 'paused':
      return { kind: 'await_user' };
  }
}

/** A model call, or room for it first. */
function nextOfModel({ isFull, compactions }: SessionState, turn: number, round: number): Step {
  if (isFull) return { kind: 'compact', turn, round, compactions };
  return { kind: 'call_model', turn, round: round + 1, compactions };
}

/** What may run runs; then whoever is asked is waited for, without a limit of time. */
function nextOfCalls(state: SessionState): Step {
  const { turn, round, calls, answersThrough: through } = state;
  if (hasNewAnswers(state)) return { kind: 'read_answers', turn, round, through };
  if (state.phase === 'waiting') return { kind: 'await_user' };
  const runnable = calls.filter((call) => !needsClient(call));
  if (runnable.length > 0) return { kind: 'run_tools', turn, round, calls: runnable };
  const reason: IdleReason = { type: 'requires_action' };
  return { kind: 'go_idle', turn, round, through, reason, calls };
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
    case 'budget_reached': {
      const pausedFrom = state.phase === 'idle' ? 'idle' : 'model';
      return { ...state, phase: 'closing', closing: { type: 'budget_reached' }, pausedFrom };
    }
    case 'rounds_reached':
      return { ...begun(state, step), phase: 'closing', closing: { type: 'tool_use_limit' } };
    case 'overflowed': {
      // The same round again, once there is room; its messages have been read.
      const next = begun(state, step);
      return { ...next, round: next.round - 1, phase: 'model', isFull: true };
    }
    case 'compacted':
      return {
        ...begun(state, step),
        phase: 'model',
        isFull: false,
        compactions: state.compactions + 1,
        tokensIn: state.tokensIn + result.tokens[0],
        tokensOut: state.tokensOut + result.tokens[1],
      };
    case 'interrupted':
      return step.kind === 'call_model' || step.kind === 'compact'
        ? { ...begun(state, step), phase: 'model' }
        : state;
    case 'tools_ran':
      return withCalls(
        state,
        state.calls.filter((call) => !result.answered.includes(call.id)),
      );
    case 'answers_read':
      return applyAnswers(state, result);
    case 'went_idle':
      return applyIdle(state, step, result);
    case 'nothing_new':
      return { ...state, consumedThrough: Math.max(state.consumedThrough, result.seq) };
  }
}

function applyReply(
  state: SessionState,
  step: Step,
  result: Extract<StepResult, { kind: 'replied' }>,
): SessionState {
  const calls = result.calls ?? [];
  const next: SessionState = {
    ...withReport(begun(state, step), result),
    consumedThrough: Math.max(state.consumedThrough, result.consumedThrough ?? 0),
    calls,
    isFull: result.isFull === true,
    compactions: result.isFull === true ? state.compactions : 0,
    tokensIn: state.tokensIn + result.tokens[0],
    tokensOut: state.tokensOut + result.tokens[1],
  };
  if (result.idle !== true) return withCalls(next, calls);
  return calls.length > 0 ? { ...next, phase: 'waiting' } : { ...next, phase: 'idle', round: 0 };
}

/** Allowed calls may run, denied and answered ones are over; one that is missing still waits. */
function applyAnswers(
  state: SessionState,
  result: Extract<StepResult, { kind: 'answers_read' }>,
): SessionState {
  const how = new Map(result.resolved.map((each) => [each.id, each.how]));
  const calls = state.calls
    .filter(({ id }) => !how.has(id) || how.get(id) === 'allow')
    .map((call) => {
      if (!how.has(call.id)) return call;
      const { needs: _, ...allowed } = call;
      return allowed;
    });
  const next = {
    ...withReport(state, result),
    answersRead: Math.max(state.answersRead, result.through),
  };
  // Parked, it stays so until the last answer is there: clients were told that it waits.
  if (state.phase === 'waiting' && calls.some(needsClient)) return { ...next, calls };
  return withCalls(next, calls);
}

function applyIdle(
  state: SessionState,
  step: Step,
  result: Extract<StepResult, { kind: 'went_idle' }>,
): SessionState {
  const reported = withReport(state, result);
  const reason = step.kind === 'go_idle' ? step.reason.type : undefined;
  if (reason === 'requires_action') {
    if (result.idle === true) return { ...reported, phase: 'waiting' };
    if (hasNewAnswers(reported) || wantsInterrupt(reported)) return reported;
    throw new Error('the log waits for no answer, and the session does');
  }
  const next: SessionState = { ...reported, calls: [], closing: null, isResumed: false };
  if (reason === 'budget_reached') {
    const paused: SessionState = { ...next, phase: 'paused', pauses: state.pauses + 1 };
    // Not idle: the log found the budget raised or removed, and paused nothing.
    return state.isResumed || result.idle !== true ? resume(paused) : paused;
  }
  return {
    ...next,
    phase: 'idle',
    round: 0,
    compactions: 0,
    pausedFrom: null,
    // Nothing waits: whatever a cancelled or failed model call had read is read.
    consumedThrough:
      result.messagesThrough === undefined
        ? Math.max(state.consumedThrough, result.seq)
        : state.consumedThrough,
  };
}

function withCalls(state: SessionState, calls: PendingCall[]): SessionState {
  return { ...state, calls, phase: calls.length === 0 ? 'model' : 'tools' };
}

function begun(state: SessionState, step: Step): SessionState {
  if (step.kind !== 'call_model' && step.kind !== 'compact') {
    throw new Error(`a model result cannot follow ${step.kind}`);
  }
  return { ...state, turn: step.turn, round: step.round };
}

/** An idle commit leaves no interrupt behind that stood in the log by then. */
function withReport(state: SessionState, report: InboxReport): SessionState {
  return {
    ...state,
    messagesThrough: Math.max(state.messagesThrough, report.messagesThrough ?? 0),
    interruptsThrough: Math.max(state.interruptsThrough, report.interruptsThrough ?? 0),
    answersThrough: Math.max(state.answersThrough, report.answersThrough ?? 0),
    interruptedThrough: report.idle
      ? Math.max(state.interruptedThrough, report.seq)
      : state.interruptedThrough,
  };
}

function mustContinueAsNew(state: SessionState, run: RunFacts): boolean {
  if (run.isBusy) return false;
  if (run.isContinueSuggested || run.historyEvents > run.stepEventsMax) return true;
  return isParked(state) && run.historyEvents > run.idleEventsMax;
}

function isParked(state: SessionState): boolean {
  if (wantsInterrupt(state)) return false;
  if (state.phase === 'waiting') return !hasNewAnswers(state);
  if (state.phase === 'paused') return true;
  return state.phase === 'idle' && state.messagesThrough <= state.consumedThrough;
}
