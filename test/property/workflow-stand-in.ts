// A session's workflow without Temporal: the real state machine, its steps taken by the real store
// functions. What activities do beside the log (a model's stream, a command) is left out; what they
// append is what they append. An interrupt cancels a step as Temporal does: where it is seen first.

import { commitStatus } from '../../activities/commit-status.ts';
import { resultEvent } from '../../activities/model/result-events.ts';
import { readAnswers } from '../../activities/read-answers.ts';
import { primaryThreadId } from '../../protocol/ids.ts';
import type { Database } from '../../store/database.ts';
import { appendEvents } from '../../store/events.ts';
import type { UserEvents } from '../../workflows/messages.ts';
import {
  apply,
  newSessionState,
  nextStep,
  receive,
  type SessionState,
  type Step,
  type StepResult,
  wantsInterrupt,
} from '../../workflows/session-state.ts';
import { checkTransition } from '../../workflows/transitions.ts';
import {
  type Attempt,
  depsOf,
  FAILURE,
  ModelRequests,
  type ModelStep,
  retryingEvents,
} from './model-requests.ts';
import type { WorkflowMove } from './race-moves.ts';

/** History events that a step is counted as: a new run comes every few steps. */
const STEP_EVENTS = 7;

export class WorkflowStandIn {
  state: SessionState = newSessionState(0);
  isOver = false;
  readonly #requests: ModelRequests;
  readonly #sql: Database;
  readonly #ref: { sessionId: string; threadId: string };
  readonly #story: string[];
  #historyEvents = 0;
  #step: Step | undefined;
  #attempt: Attempt | undefined;
  /** An attempt that the engine gave up, and that still has its reply to append */
  #late: (() => Promise<unknown>) | undefined;

  constructor(sql: Database, sessionId: string, story: string[]) {
    this.#sql = sql;
    this.#ref = { sessionId, threadId: primaryThreadId(sessionId) };
    this.#requests = new ModelRequests(sql, this.#ref);
    this.#story = story;
  }

  /** Calls in the order in which replies asked for them. */
  get calls(): readonly { id: string; isCustom: boolean }[] {
    return this.#requests.calls;
  }

  /** The bell. */
  receive(news: UserEvents): void {
    this.state = receive(this.state, news);
  }

  /** Nothing is under way, and nothing that it knows of is to be done. */
  get isParked(): boolean {
    if (this.isOver) return true;
    return this.#step === undefined && nextStep(this.state, this.#facts()).kind === 'await_user';
  }

  /** Begins the next step, or ends the one that was begun. */
  async advance(move: WorkflowMove): Promise<void> {
    if (this.isOver) return;
    const late = move.lag > 0 ? this.#late : undefined;
    if (late !== undefined) this.#late = undefined;
    const next = this.#step === undefined ? this.#take(move) : this.#finish(this.#step, move);
    await Promise.all([next, late?.()]);
  }

  async #take(move: WorkflowMove): Promise<void> {
    const step = nextStep(this.state, this.#facts());
    if (step.kind === 'await_user') return;
    this.#historyEvents += STEP_EVENTS;
    this.#tell(describe(step));
    switch (step.kind) {
      case 'continue_as_new':
        // A new run has nothing but what travelled.
        this.state = JSON.parse(JSON.stringify(this.state)) as SessionState;
        this.#historyEvents = 0;
        return;
      case 'terminate':
        this.isOver = true;
        return;
      case 'run_tools':
        this.#step = step;
        return;
      case 'read_answers': {
        const stepKey = `t${step.turn}.r${step.round}.read.${step.through}`;
        const input = { ...this.#ref, stepKey, through: step.through };
        return this.#end(
          step,
          await perhapsTwice(move, () => readAnswers(depsOf(this.#sql), input)),
        );
      }
      case 'go_idle':
        return this.#end(step, await perhapsTwice(move, () => this.#goIdle(step)));
      default:
        this.#step = step;
        return this.#begin(step, await this.#requests.first(step));
    }
  }

  async #finish(step: Step, move: WorkflowMove): Promise<void> {
    if (step.kind === 'run_tools') return this.#end(step, await this.#runTools(step, move));
    const model = step as ModelStep;
    const attempt = this.#attempt;
    const isGivenUp = wantsInterrupt(this.state) || move.end === 'fail';
    if (isGivenUp && move.isTwice && attempt !== undefined) {
      const lateOnes = [
        () => this.#requests.answer(model, attempt, move.reply),
        () => this.#requests.again(model, move.reply),
        () => this.#requests.close(attempt, true, retryingEvents(this.#ref, attempt.key)),
      ];
      this.#tell('an attempt of it goes on, unseen');
      this.#late = lateOnes[move.reply.costCents % lateOnes.length]!;
    }
    if (wantsInterrupt(this.state)) return this.#end(step, await this.#interrupted(attempt));
    // Between two attempts: the pause for retrying is over.
    if (attempt === undefined) return this.#begin(model, await this.#requests.begin(model));
    if (move.end === 'reply') {
      const first = this.#requests.answer(model, attempt, move.reply);
      const second = move.isTwice ? this.#requests.again(model, move.reply) : first;
      const [, result] = await Promise.all([first, second]);
      return this.#end(step, result);
    }
    this.#tell(move.end);
    const isRetry = move.end === 'retry';
    await this.#requests.close(
      attempt,
      true,
      isRetry ? retryingEvents(this.#ref, attempt.key) : [],
    );
    this.#attempt = undefined;
    if (isRetry) return;
    const isOverflow = move.end === 'overflow' && step.kind === 'call_model';
    this.#end(
      step,
      isOverflow ? { kind: 'overflowed' } : { kind: 'model_failed', errorType: FAILURE.type },
    );
  }

  #end(step: Step, result: StepResult): void {
    this.#step = undefined;
    this.#attempt = undefined;
    const { phase } = this.state;
    this.state = apply(this.state, step, result);
    checkTransition(phase, step.kind, this.state.phase);
    this.#tell(`  ${step.kind}: ${describeResult(result)}`);
  }

  #begin(step: ModelStep, begun: Attempt | StepResult): void {
    if ('key' in begun) this.#attempt = begun;
    else this.#end(step, begun);
  }

  async #interrupted(attempt: Attempt | undefined): Promise<StepResult> {
    if (attempt !== undefined) await this.#requests.close(attempt, null);
    return { kind: 'interrupted' };
  }

  /** Each call has its result when this returns; an interrupt may come before or behind one. */
  async #runTools(
    step: Extract<Step, { kind: 'run_tools' }>,
    move: WorkflowMove,
  ): Promise<StepResult> {
    const isCancelled = wantsInterrupt(this.state);
    const done = isCancelled ? step.calls.slice(1) : step.calls;
    await Promise.all(
      done.map(({ id }) => perhapsTwice(move, () => this.#appendResult(id, isCancelled))),
    );
    if (isCancelled) return { kind: 'interrupted' };
    return { kind: 'tools_ran', answered: done.map(({ id }) => id) };
  }

  async #appendResult(id: string, isError: boolean): Promise<void> {
    const content = [{ type: 'text', text: 'done' }];
    await appendEvents(this.#sql, {
      sessionId: this.#ref.sessionId,
      stepKey: id,
      events: [resultEvent(this.#ref, { id, toolUseId: `use_${id}` }, { content, isError })],
    });
  }

  #goIdle(step: Extract<Step, { kind: 'go_idle' }>): Promise<StepResult> {
    const { turn, round, reason, through } = step;
    const stepKey = `t${turn}.r${round}.idle.${reason.type}.${through}`;
    return commitStatus(depsOf(this.#sql), {
      ...this.#ref,
      stepKey,
      turn,
      round,
      reason,
      calls: step.calls,
    });
  }

  #facts() {
    return {
      historyEvents: this.#historyEvents,
      isContinueSuggested: false,
      isBusy: false,
      idleEventsMax: 40,
      stepEventsMax: 100,
    };
  }

  #tell(line: string): void {
    this.#story.push(`workflow: ${line}`);
  }
}

/** Both attempts at once; the later one is whose answer the engine takes. */
async function perhapsTwice<T>(move: WorkflowMove, attempt: () => Promise<T>): Promise<T> {
  if (!move.isTwice) return attempt();
  const [, second] = await Promise.all([attempt(), attempt()]);
  return second;
}

function describe(step: Step): string {
  if (step.kind === 'go_idle') return `go_idle ${step.reason.type}`;
  return 'turn' in step ? `${step.kind} t${step.turn}.r${step.round}` : step.kind;
}

function describeResult(result: StepResult): string {
  const { kind, ...rest } = result;
  return `${kind} ${JSON.stringify(rest)}`;
}
