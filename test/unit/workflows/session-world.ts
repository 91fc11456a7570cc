// A small model of everything around session-state.ts: the log with its row lock, the model, the
// tools, the bell. Property tests drive it with random choices. It keeps the rules of the SQL
// functions (store/migrations/0003_event_functions.sql) in twenty lines, so that the state machine
// can be shaken thousands of times a second; the real functions are tested against the real
// database elsewhere.

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
import type { InboxReport } from '../../../activities/messages.ts';
import { checkTransition } from '../../../workflows/transitions.ts';

export interface ClientEvent {
  seq: number;
  type: 'user.message' | 'user.interrupt';
  isProcessed: boolean;
}

/** What a test may do to the world between two looks at it. */
export type Move =
  | { do: 'send'; type: ClientEvent['type']; isHeard: boolean }
  | { do: 'reply'; calls: number }
  | { do: 'fail' }
  | { do: 'finish' }
  | { do: 'restart' };

export class SessionWorld {
  state: SessionState = newSessionState(0);
  status: 'idle' | 'running' = 'idle';
  seq = 0;
  readonly events: ClientEvent[] = [];
  /** Results in the log by call */
  readonly results = new Map<string, number>();
  /** Seqs of messages in the order in which a model call read them */
  readonly read: number[] = [];
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
      if (step.kind === 'call_model') this.#beginModel(step);
      if (step.kind === 'go_idle') this.#end(this.#commitIdle(step));
      else return step;
      if (this.#running === undefined) continue;
    }
  }

  move(move: Move): void {
    const step = this.advance();
    switch (move.do) {
      case 'send':
        return this.send(move.type, move.isHeard);
      case 'reply':
        if (step.kind === 'call_model') this.#end(this.#reply(move.calls));
        return;
      case 'fail':
        if (step.kind === 'call_model') {
          this.#end({ kind: 'model_failed', errorType: 'unknown_error' });
        }
        return;
      case 'finish':
        if (step.kind === 'run_tools') this.#end(this.#finishTools(step));
        return;
      case 'restart':
        this.state = JSON.parse(JSON.stringify(this.state)) as SessionState;
    }
  }

  send(type: ClientEvent['type'], isHeard: boolean): void {
    this.seq += 1;
    const isProcessed = type === 'user.interrupt' && this.status === 'idle';
    this.events.push({ seq: this.seq, type, isProcessed });
    this.story.push(`${type} ${this.seq}${isHeard ? '' : ' (bell lost)'}`);
    if (isHeard && !isProcessed) this.hear();
  }

  /** The bell, or the relay: everything that waits is named again. */
  hear(): void {
    const waiting = this.events.filter((event) => !event.isProcessed);
    const events = waiting.map(({ seq, type }) => ({ seq, type, id: `sevt_${seq}` }));
    this.state = receive(this.state, { events });
    if (wantsInterrupt(this.state)) this.#interrupt();
  }

  /** Lets everything under way end, hearing lost bells, until the session is parked. */
  settle(): void {
    for (let count = 0; count < 10_000; count += 1) {
      this.hear();
      const step = this.advance();
      if (step.kind === 'await_user') return;
      if (step.kind === 'call_model') this.#end(this.#reply(0));
      if (step.kind === 'run_tools') this.#end(this.#finishTools(step));
    }
    throw new Error('the session never parks');
  }

  get waiting(): ClientEvent[] {
    return this.events.filter((event) => !event.isProcessed);
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

  #beginModel(step: Extract<Step, { kind: 'call_model' }>): void {
    this.turnsStarted.push(`t${step.turn}.r${step.round}`);
    this.status = 'running';
    this.seq += 1;
    for (const event of this.waiting) {
      if (event.type !== 'user.message') continue;
      event.isProcessed = true;
      this.read.push(event.seq);
    }
  }

  #reply(calls: number): StepResult {
    const consumedThrough = this.read.at(-1) ?? 0;
    this.seq += 1;
    const names = Array.from({ length: calls }, () => `call${(this.#calls += 1)}`);
    for (const name of names) this.results.set(name, 0);
    const pending = names.map((id) => ({ id, name: 'bash', answeredBy: 'sandbox' as const }));
    const report = calls === 0 ? this.#idle({ unlessMessages: true }) : this.#report(false);
    return { kind: 'replied', calls: pending, consumedThrough, tokens: [2, 1], ...report };
  }

  #finishTools(step: Extract<Step, { kind: 'run_tools' }>): StepResult {
    for (const { id } of step.calls) this.#answer(id);
    return { kind: 'tools_ran', answered: step.calls.map((call) => call.id) };
  }

  #commitIdle(step: Extract<Step, { kind: 'go_idle' }>): StepResult {
    for (const { id } of step.calls) if (this.results.get(id) === 0) this.#answer(id);
    const flush = step.reason.type !== 'interrupt';
    if (flush) {
      for (const event of this.waiting) {
        if (event.type === 'user.message') this.read.push(event.seq);
        event.isProcessed = true;
      }
    }
    return { kind: 'went_idle', ...this.#idle({ unlessMessages: false }) };
  }

  #interrupt(): void {
    const step = this.#running;
    if (step === undefined || (step.kind !== 'call_model' && step.kind !== 'run_tools')) return;
    this.story.push('cancelled');
    this.#end({ kind: 'interrupted' });
  }

  #answer(id: string): void {
    this.seq += 1;
    this.results.set(id, (this.results.get(id) ?? 0) + 1);
  }

  #idle(options: { unlessMessages: boolean }) {
    const messages = this.waiting.some((event) => event.type === 'user.message');
    const interrupts = this.waiting.some((event) => event.type === 'user.interrupt');
    const goes = !messages || interrupts || !options.unlessMessages;
    if (goes) {
      for (const event of this.waiting) {
        if (event.type === 'user.interrupt') event.isProcessed = true;
      }
      this.status = 'idle';
      this.seq += 3;
    }
    return this.#report(goes);
  }

  #report(idle: boolean): InboxReport {
    const newest = (type: string) => this.waiting.filter((event) => event.type === type).at(-1);
    const [message, interrupt] = [newest('user.message'), newest('user.interrupt')];
    return {
      seq: this.seq,
      ...(idle ? { idle } : {}),
      ...(message === undefined ? {} : { messagesThrough: message.seq }),
      ...(interrupt === undefined ? {} : { interruptsThrough: interrupt.seq }),
    };
  }
}

function describe(step: Step): string {
  return step.kind === 'call_model' ? `call_model t${step.turn}.r${step.round}` : step.kind;
}
