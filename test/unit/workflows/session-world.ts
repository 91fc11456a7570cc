// A small model of everything around session-state.ts: the log with its row lock, the model, the
// tools, the bell. Property tests drive it with random choices. It keeps the rules of the SQL
// functions (store/migrations/0004 to 0006) in a few lines, so that the state machine can be shaken
// thousands of times a second; the real functions are tested against the real database elsewhere.

import {
  apply,
  newSessionState,
  nextStep,
  receive,
  type SessionState,
  type Step,
  type StepResult,
  wantsInterrupt,
} from '../../../workflows/session-state.ts';
import type { InboxReport, PendingCall } from '../../../activities/messages.ts';
import { checkTransition } from '../../../workflows/transitions.ts';
import type { Answer, CallKind, ClientEvent, Move, Reply, Wait } from './session-moves.ts';

export class SessionWorld {
  state: SessionState = newSessionState(0);
  status: 'idle' | 'running' = 'idle';
  stopReason: string | null = null;
  seq = 0;
  cost = 0;
  cap = Infinity;
  isHeld = false;
  isWaking = false;
  readonly events: ClientEvent[] = [];
  readonly waits = new Map<string, Wait>();
  /** Results in the log by call */
  readonly results = new Map<string, number>();
  /** Calls that ran, and what a client had said of each that was asked */
  readonly ran = new Map<string, Answer | undefined>();
  readonly verdicts = new Map<string, Answer>();
  readonly kinds = new Map<string, CallKind>();
  /** Seqs of messages in the order in which a model call read them */
  readonly read: number[] = [];
  /** Every stop reason that clients were told, with the calls it named */
  readonly idles: { reason: string; waiting: string[] }[] = [];
  /** What was spent when each request began */
  readonly requests: { cost: number; cap: number }[] = [];
  readonly refused: string[] = [];
  readonly story: string[] = [];
  readonly turnsStarted: string[] = [];
  #calls = 0;
  #historyEvents = 0;
  #running: Step | undefined;

  /** Takes the next step if none is under way. */
  advance(): Step {
    if (this.#running !== undefined) return this.#running;
    for (;;) {
      const step = nextStep(this.state, this.#facts());
      if (step.kind === 'continue_as_new') {
        // A new run has nothing but what travelled.
        this.state = JSON.parse(JSON.stringify(this.state)) as SessionState;
        this.#historyEvents = 0;
        this.story.push('continue as new');
        continue;
      }
      if (step.kind === 'await_user') return step;
      this.#running = step;
      this.story.push(describe(step));
      if (step.kind === 'go_idle') this.#end(this.#commitIdle(step));
      else if (step.kind === 'read_answers') this.#end(this.#readAnswers(step));
      else if (step.kind === 'run_tools' || this.#beginModel(step)) return step;
    }
  }

  move(move: Move): void {
    const step = this.advance();
    switch (move.do) {
      case 'send':
        return this.send(move.type, move.isHeard);
      case 'answer':
        return this.answer(move);
      case 'reply':
        if (step.kind === 'call_model') this.#end(this.#reply(move));
        else if (step.kind === 'compact') this.#end(this.#compacted(move.cost));
        return;
      case 'overflow':
        if (step.kind === 'call_model') this.#end({ kind: 'overflowed' });
        return;
      case 'fail':
        if (step.kind === 'call_model' || step.kind === 'compact') {
          this.#end({ kind: 'model_failed', errorType: 'unknown_error' });
        }
        return;
      case 'finish':
        if (step.kind === 'run_tools') this.#end(this.#finishTools(step, move.isPartly));
        return;
      case 'raise':
        return this.raise(move.by, move.isHeard);
      case 'restart':
        this.state = JSON.parse(JSON.stringify(this.state)) as SessionState;
    }
  }

  send(type: 'user.message' | 'user.interrupt', isHeard: boolean): void {
    const isParked = this.status === 'idle';
    const isInterrupted = this.#waits('user.interrupt');
    if (isParked && this.stopReason === 'budget_reached') {
      this.refused.push(type);
      return;
    }
    const isAsked = isParked && this.stopReason === 'requires_action' && this.openWaits.length > 0;
    if (type === 'user.message' && isAsked && !isInterrupted) {
      this.refused.push(type);
      return;
    }
    this.seq += 1;
    const isProcessed =
      type === 'user.interrupt' && isParked && this.stopReason !== 'requires_action';
    this.events.push({ seq: this.seq, type, isProcessed });
    this.story.push(`${type} ${this.seq}${isHeard ? '' : ' (bell lost)'}`);
    if (isHeard && !isProcessed) this.hear();
  }

  /** Answers one of the calls that wait, whether or not the session has said that it waits. */
  answer(move: { which: number; isAllowed: boolean; isHeard: boolean }): void {
    const ids = [...this.waits.keys()];
    const id = ids[move.which % Math.max(ids.length, 1)];
    if (id === undefined) return;
    const wait = this.waits.get(id)!;
    if (wait.answer !== undefined || this.#waits('user.interrupt')) {
      this.refused.push('answer');
      return;
    }
    this.seq += 1;
    const isResult = wait.for === 'result';
    wait.answer = isResult ? 'result' : move.isAllowed ? 'allow' : 'deny';
    wait.seq = this.seq;
    this.verdicts.set(id, wait.answer);
    if (isResult) this.#result(id);
    this.isWaking = true;
    this.events.push({
      seq: this.seq,
      type: isResult ? 'user.custom_tool_result' : 'user.tool_confirmation',
      isProcessed: isResult,
    });
    this.story.push(`${wait.answer} ${id}${move.isHeard ? '' : ' (bell lost)'}`);
    if (move.isHeard) this.hear();
  }

  /** Raises the cap above what is spent. */
  raise(by: number, isHeard: boolean): void {
    this.cap = Math.max(this.cap === Infinity ? this.cost : this.cap, this.cost) + by;
    this.story.push(`cap ${this.cap}`);
    if (this.status !== 'idle' || this.stopReason !== 'budget_reached') return;
    this.stopReason = 'end_turn';
    this.isWaking = this.isHeld;
    if (isHeard) this.hear();
  }

  /** The bell, or the relay: everything that waits is named again. */
  hear(): void {
    const events = this.events
      .filter((event) => !event.isProcessed)
      .map(({ seq, type }) => ({ seq, type: type as string, id: `sevt_${seq}` }));
    for (const { seq } of this.waits.values()) {
      if (seq !== undefined)
        events.push({ seq, type: 'user.tool_confirmation', id: `sevt_${seq}` });
    }
    const resumed = this.isHeld && this.isWaking;
    this.state = receive(this.state, { events, ...(resumed ? { resumed } : {}) });
    if (wantsInterrupt(this.state)) this.#interrupt();
  }

  /** Answers whatever is asked until nothing is left to do, hearing lost bells. */
  settle(): void {
    for (let count = 0; count < 10_000; count += 1) {
      this.hear();
      const step = this.advance();
      if (step.kind === 'await_user' && this.openWaits.length > 0) {
        this.answer({ which: count, isAllowed: count % 2 === 0, isHeard: true });
      } else if (step.kind === 'await_user' && this.isHeld) this.raise(5, true);
      else if (step.kind === 'await_user') return;
      if (step.kind === 'call_model') this.#end(this.#reply({ calls: [], cost: 1, isFull: false }));
      if (step.kind === 'compact') this.#end(this.#compacted(1));
      if (step.kind === 'run_tools') this.#end(this.#finishTools(step, false));
    }
    throw new Error('the session never parks');
  }

  get waiting(): ClientEvent[] {
    return this.events.filter((event) => !event.isProcessed);
  }

  get openWaits(): string[] {
    return [...this.waits].filter(([, wait]) => wait.answer === undefined).map(([id]) => id);
  }

  #facts() {
    this.#historyEvents += 7;
    return {
      historyEvents: this.#historyEvents,
      isContinueSuggested: false,
      isBusy: false,
      idleEventsMax: 40,
      stepEventsMax: 100,
    };
  }

  #end(result: StepResult): void {
    const { phase } = this.state;
    this.state = apply(this.state, this.#running!, result);
    checkTransition(phase, this.#running!.kind, this.state.phase);
    this.#running = undefined;
  }

  /** False: the gate is shut. */
  #beginModel(step: Step): boolean {
    if (step.kind !== 'call_model' && step.kind !== 'compact') return true;
    if (this.cost >= this.cap) {
      this.#end({ kind: 'budget_reached' });
      return false;
    }
    this.requests.push({ cost: this.cost, cap: this.cap });
    const { kind, turn, round, compactions } = step;
    this.turnsStarted.push(`${kind} t${turn}.r${round}.c${compactions}`);
    this.status = 'running';
    this.stopReason = null;
    this.isHeld = false;
    this.isWaking = false;
    this.seq += 1;
    if (step.kind === 'compact') return true;
    for (const event of this.waiting) {
      if (event.type !== 'user.message') continue;
      event.isProcessed = true;
      this.read.push(event.seq);
    }
    return true;
  }

  #compacted(cost: number): StepResult {
    this.cost += cost;
    return { kind: 'compacted', tokens: [2, 1] };
  }

  #reply({ calls: kinds, cost, isFull }: Reply): StepResult {
    const consumedThrough = this.read.at(-1) ?? 0;
    this.cost += cost;
    this.seq += 1;
    const calls = kinds.map((kind) => this.#newCall(kind));
    const needing = calls.filter((call) => call.needs !== undefined);
    let report = this.#report(false);
    if (calls.length === 0) report = this.#idle('end_turn', { unlessMessages: true });
    else if (needing.length === calls.length) report = this.#idle('requires_action');
    const full = isFull ? { isFull } : {};
    return { kind: 'replied', calls, consumedThrough, tokens: [2, 1], ...full, ...report };
  }

  #newCall(kind: CallKind): PendingCall {
    const id = `call${(this.#calls += 1)}`;
    this.results.set(id, 0);
    this.kinds.set(id, kind);
    if (kind === 'allowed') return { id, name: 'bash', answeredBy: 'sandbox' };
    const needs = kind === 'asked' ? 'confirmation' : 'result';
    this.waits.set(id, { for: needs });
    return { id, name: 'a_tool', answeredBy: kind === 'asked' ? 'sandbox' : 'client', needs };
  }

  /** As runUntil(): with calls that wait for clients, a step may end before all have. */
  #finishTools(step: Extract<Step, { kind: 'run_tools' }>, isPartly: boolean): StepResult {
    const mayLeave = isPartly && this.state.calls.some((call) => call.needs !== undefined);
    const done = mayLeave ? step.calls.slice(1) : step.calls;
    for (const { id } of done) {
      this.ran.set(id, this.verdicts.get(id));
      this.#result(id);
    }
    return { kind: 'tools_ran', answered: done.map((call) => call.id) };
  }

  #readAnswers(step: Extract<Step, { kind: 'read_answers' }>): StepResult {
    const resolved: { id: string; how: Answer }[] = [];
    let { through } = step;
    for (const [id, wait] of this.waits) {
      if (wait.answer === undefined) continue;
      resolved.push({ id, how: wait.answer });
      through = Math.max(through, wait.seq!);
      for (const event of this.events) if (event.seq === wait.seq) event.isProcessed = true;
      if (wait.answer === 'deny') this.#result(id);
      this.waits.delete(id);
    }
    this.isWaking = false;
    const isParked = this.status === 'idle';
    if (isParked && this.openWaits.length === 0) {
      this.status = 'running';
      this.stopReason = null;
    }
    this.seq += 1;
    const mayIdle = isParked && this.openWaits.length > 0;
    const report = mayIdle ? this.#idle('requires_action') : this.#report(false);
    return { kind: 'answers_read', resolved, through, ...report };
  }

  #commitIdle(step: Extract<Step, { kind: 'go_idle' }>): StepResult {
    const { type } = step.reason;
    if (type === 'requires_action') return { kind: 'went_idle', ...this.#idle(type) };
    for (const { id } of step.calls) if (this.results.get(id) === 0) this.#result(id);
    const isFlush = ['model_failed', 'tool_use_limit', 'compaction_limit'].includes(type);
    if (isFlush) {
      for (const event of this.waiting) {
        if (event.type === 'user.message') this.read.push(event.seq);
        event.isProcessed = true;
      }
    }
    const reason = isFlush ? 'retries_exhausted' : type === 'interrupt' ? 'end_turn' : type;
    return { kind: 'went_idle', ...this.#idle(reason, { unlessMessages: false }) };
  }

  #interrupt(): void {
    const step = this.#running;
    const kinds = ['call_model', 'compact', 'run_tools'];
    if (step === undefined || !kinds.includes(step.kind)) return;
    this.story.push('cancelled');
    this.#end({ kind: 'interrupted' });
  }

  #result(id: string): void {
    this.results.set(id, (this.results.get(id) ?? 0) + 1);
  }

  #waits(type: ClientEvent['type']): boolean {
    return this.waiting.some((event) => event.type === type);
  }

  #idle(reason: string, options: { unlessMessages: boolean } = { unlessMessages: false }) {
    const interrupts = this.#waits('user.interrupt');
    if (reason === 'requires_action') {
      if (interrupts || this.isWaking || this.openWaits.length === 0) return this.#report(false);
    } else {
      if (reason === 'budget_reached' && this.cost < this.cap) return this.#report(false);
      if (this.#waits('user.message') && !interrupts && options.unlessMessages) {
        return this.#report(false);
      }
      for (const event of this.waiting) if (event.type !== 'user.message') event.isProcessed = true;
      this.waits.clear();
      this.isWaking = false;
      this.isHeld = reason === 'budget_reached';
    }
    const isOver = reason === 'end_turn' && this.cost >= this.cap;
    this.status = 'idle';
    this.stopReason = isOver ? 'budget_reached' : reason;
    this.idles.push({ reason: this.stopReason, waiting: this.openWaits });
    this.seq += 3;
    return this.#report(true);
  }

  #report(idle: boolean): InboxReport {
    const newest = (type: string) => this.waiting.filter((event) => event.type === type).at(-1);
    const [message, interrupt] = [newest('user.message'), newest('user.interrupt')];
    const answers = [...this.waits.values()].map((wait) => wait.seq ?? 0);
    const answer = Math.max(0, ...answers);
    return {
      seq: this.seq,
      ...(idle ? { idle } : {}),
      ...(message === undefined ? {} : { messagesThrough: message.seq }),
      ...(interrupt === undefined ? {} : { interruptsThrough: interrupt.seq }),
      ...(answer === 0 ? {} : { answersThrough: answer }),
    };
  }
}

function describe(step: Step): string {
  if (step.kind === 'go_idle') return `go_idle ${step.reason.type}`;
  return step.kind === 'call_model' ? `call_model t${step.turn}.r${step.round}` : step.kind;
}
