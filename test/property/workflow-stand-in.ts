// A session's workflow without Temporal: the real state machine, its steps taken by the real store
// functions. What activities do beside the log (a model's stream, a command) is left out; what they
// append is what they append. An interrupt cancels a step as Temporal does: where it is seen first.

import type { ActivityDeps } from '../../activities/deps.ts';
import { commitStatus } from '../../activities/commit-status.ts';
import { idleOf, runningEvents, waitingIdle } from '../../activities/idle-events.ts';
import type { InboxReport, PendingCall } from '../../activities/messages.ts';
import { closeOpenSpans } from '../../activities/model-attempt.ts';
import { spanEnd } from '../../activities/model/reply-events.ts';
import { resultEvent } from '../../activities/model/result-events.ts';
import { readAnswers } from '../../activities/read-answers.ts';
import { primaryThreadId } from '../../protocol/ids.ts';
import type { Database } from '../../store/database.ts';
import { appendEvents, type NewEvent, stepEvent } from '../../store/events.ts';
import { beginModelCall } from '../../store/model-context.ts';
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
import type { Reply, WorkflowMove } from './race-moves.ts';

type ModelStep = Extract<Step, { kind: 'call_model' | 'compact' }>;

/** One attempt of a model request, between its begin and its end. */
interface Attempt {
  turn: number;
  number: number;
  stepKey: string;
  key: string;
  spanStartId: string;
  consumedThrough: number;
}

const TOKENS = {
  input_tokens: 2,
  output_tokens: 1,
  cache_read_input_tokens: 0,
  cache_creation_5m_tokens: 0,
  cache_creation_1h_tokens: 0,
};
/** History events that a step is counted as: a new run comes every few steps. */
const STEP_EVENTS = 7;
const FAILURE = { type: 'model_overloaded_error', message: 'overloaded' };

export class WorkflowStandIn {
  state: SessionState = newSessionState(0);
  isOver = false;
  /** Calls in the order in which replies asked for them */
  readonly calls: { id: string; isCustom: boolean }[] = [];
  readonly #sql: Database;
  readonly #ref: { sessionId: string; threadId: string };
  readonly #story: string[];
  #historyEvents = 0;
  #step: Step | undefined;
  #attempt: Attempt | undefined;
  #attempts = 0;
  /** An attempt that the engine gave up, and that still has its reply to append */
  #late: (() => Promise<unknown>) | undefined;

  constructor(sql: Database, sessionId: string, story: string[]) {
    this.#sql = sql;
    this.#ref = { sessionId, threadId: primaryThreadId(sessionId) };
    this.#story = story;
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
        const stepKey = `t${step.turn}.r${step.round}.answers.${step.through}`;
        const input = { ...this.#ref, stepKey, through: step.through };
        return this.#end(step, await perhapsTwice(move, () => readAnswers(this.#deps, input)));
      }
      case 'go_idle':
        return this.#end(step, await perhapsTwice(move, () => this.#goIdle(step)));
      default:
        this.#step = step;
        this.#attempts = 0;
        return this.#begin(step);
    }
  }

  async #finish(step: Step, move: WorkflowMove): Promise<void> {
    if (step.kind === 'run_tools') return this.#end(step, await this.#runTools(step, move));
    const model = step as ModelStep;
    const attempt = this.#attempt;
    const isGivenUp = wantsInterrupt(this.state) || move.end === 'fail';
    if (isGivenUp && move.isTwice && attempt !== undefined) {
      const lateOnes = [
        () => this.#answer(model, attempt, move.reply),
        () => this.#again(model, move.reply),
        () => this.#close(attempt, true, retryingEvents(this.#ref, attempt.key)),
      ];
      this.#tell('an attempt of it goes on, unseen');
      this.#late = lateOnes[move.reply.costCents % lateOnes.length]!;
    }
    if (wantsInterrupt(this.state)) return this.#end(step, await this.#interrupted());
    // Between two attempts: the pause for retrying is over.
    if (attempt === undefined) return this.#begin(model);
    if (move.end === 'reply') {
      const first = this.#answer(model, attempt, move.reply);
      const second = move.isTwice ? this.#again(model, move.reply) : first;
      const [, result] = await Promise.all([first, second]);
      return this.#end(step, result);
    }
    this.#tell(move.end);
    const isRetry = move.end === 'retry';
    await this.#close(attempt, true, isRetry ? retryingEvents(this.#ref, attempt.key) : []);
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

  async #begin(step: ModelStep): Promise<void> {
    const begun = await this.#beginAttempt(step);
    if ('key' in begun) this.#attempt = begun;
    else this.#end(step, begun);
  }

  async #beginAttempt(step: ModelStep): Promise<Attempt | StepResult> {
    const number = (this.#attempts += 1);
    const { turn, round, compactions } = step;
    const isCompaction = step.kind === 'compact';
    const again = compactions === 0 ? '' : `.c${compactions}`;
    const stepKey = `t${turn}.r${round}${isCompaction ? `.compact${compactions}` : again}`;
    const key = `${stepKey}.a${number}`;
    const start = stepEvent({ ...this.#ref, key }, 0, { type: 'span.model_request_start' });
    const begun = await beginModelCall(this.#sql, {
      ...this.#ref,
      stepKey,
      turn,
      round,
      ...(isCompaction ? { isCompaction } : {}),
      afterPosition: 0,
      closing: number === 1 ? [] : await closeOpenSpans(this.#deps, this.#ref),
      announcing: runningEvents(this.#ref, key),
      events: [start],
    });
    switch (begun.outcome) {
      case 'begun': {
        const { consumedThrough } = begun;
        return { turn, number, stepKey, key, spanStartId: start.id, consumedThrough };
      }
      case 'done':
        return {
          kind: isCompaction ? 'compacted' : 'replied',
          ...(begun.result as object),
        } as StepResult;
      case 'overtaken':
        return { kind: 'interrupted' };
      case 'nothing_new':
        return { kind: 'nothing_new', seq: begun.seq };
      default:
        return { kind: begun.outcome };
    }
  }

  /** The attempt that the engine made when it had lost sight of the first. */
  async #again(step: ModelStep, reply: Reply): Promise<StepResult> {
    const begun = await this.#beginAttempt(step);
    return 'key' in begun ? this.#answer(step, begun, reply) : begun;
  }

  #answer(step: ModelStep, attempt: Attempt, reply: Reply): Promise<StepResult> {
    return step.kind === 'compact'
      ? this.#appendSummary(attempt, reply)
      : this.#appendReply(attempt, reply);
  }

  /** As appendReply() of activities/call-model.ts. */
  async #appendReply(attempt: Attempt, reply: Reply): Promise<StepResult> {
    const { sessionId } = this.#ref;
    const { turn } = attempt;
    const { events, calls } = callsOf(this.#ref, attempt, reply);
    const waiting = calls.filter((call) => call.needs !== undefined);
    const step = { ...this.#ref, key: attempt.stepKey };
    const { consumedThrough } = attempt;
    const answer = await appendEvents<Extract<StepResult, { kind: 'replied' }>>(this.#sql, {
      sessionId,
      stepKey: attempt.stepKey,
      turn,
      events: [...events, spanEnd({ ...this.#ref, startId: attempt.spanStartId }, false, TOKENS)],
      result: {
        tokens: [2, 1],
        ...(calls.length > 0 ? { calls } : {}),
        ...(consumedThrough > 0 ? { consumedThrough } : {}),
        ...(reply.isFull ? { isFull: true } : {}),
      },
      usage: { ...TOKENS, cost: dollars(reply.costCents) },
      ...(waiting.length > 0
        ? { waits: Object.fromEntries(waiting.map(({ id, needs }) => [id, { for: needs! }])) }
        : {}),
      ...(waiting.length > 0 && waiting.length === calls.length ? { idle: waitingIdle(step) } : {}),
      ...(calls.length > 0
        ? {}
        : {
            idle: {
              ...idleOf(step, { stop_reason: { type: 'end_turn' }, stop_details: null }),
              unless_messages: true,
              flush: false,
            },
          }),
    });
    if (answer.outcome === 'ended') return { kind: 'ended' };
    if (answer.outcome === 'overtaken') return { kind: 'interrupted' };
    if (answer.outcome === 'repeated') await this.#closeSuperseded(attempt);
    else {
      for (const { id, answeredBy } of calls) {
        this.calls.push({ id, isCustom: answeredBy === 'client' });
      }
    }
    return { ...answer.result, kind: 'replied' };
  }

  async #appendSummary(attempt: Attempt, reply: Reply): Promise<StepResult> {
    const answer = await appendEvents<InboxReport>(this.#sql, {
      sessionId: this.#ref.sessionId,
      stepKey: attempt.stepKey,
      turn: attempt.turn,
      events: [
        spanEnd({ ...this.#ref, startId: attempt.spanStartId }, false, TOKENS),
        stepEvent(
          { ...this.#ref, key: attempt.stepKey },
          0,
          { type: 'agent.thread_context_compacted' },
          { summary: 'all of it' },
        ),
      ],
      isCompaction: true,
      result: { tokens: [2, 1] },
      usage: { ...TOKENS, cost: dollars(reply.costCents) },
    });
    if (answer.outcome === 'ended') return { kind: 'ended' };
    if (answer.outcome === 'overtaken') return { kind: 'interrupted' };
    return { kind: 'compacted', tokens: [2, 1] };
  }

  async #interrupted(): Promise<StepResult> {
    if (this.#attempt !== undefined) await this.#close(this.#attempt, null);
    return { kind: 'interrupted' };
  }

  /** Ends an attempt's span without a reply. */
  async #close(attempt: Attempt, isError: true | null, more: NewEvent[] = []): Promise<void> {
    const end = spanEnd({ ...this.#ref, startId: attempt.spanStartId }, isError);
    await appendEvents(this.#sql, {
      sessionId: this.#ref.sessionId,
      stepKey: `${attempt.key}.end`,
      turn: attempt.turn,
      events: [isError === true ? { ...end, private: { error: FAILURE } } : end, ...more],
      ...(more.length > 0 ? { status: 'rescheduling' as const } : {}),
    });
  }

  async #closeSuperseded(attempt: Attempt): Promise<void> {
    await appendEvents(this.#sql, {
      sessionId: this.#ref.sessionId,
      stepKey: `${attempt.key}.end`,
      events: [spanEnd({ ...this.#ref, startId: attempt.spanStartId }, true)],
    });
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
    return commitStatus(this.#deps, {
      ...this.#ref,
      stepKey,
      turn,
      round,
      reason,
      calls: step.calls,
    });
  }

  /** What the activities that only speak to the log need. */
  get #deps(): ActivityDeps {
    return { sql: this.#sql, sandbox: undefined, hostId: 'a host' } as unknown as ActivityDeps;
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

function callsOf(
  ref: { sessionId: string; threadId: string },
  attempt: Attempt,
  reply: Reply,
): { events: NewEvent[]; calls: PendingCall[] } {
  const step = { ...ref, key: attempt.key };
  if (reply.calls.length === 0) {
    const content = [{ type: 'text', text: 'done' }];
    return { events: [stepEvent(step, 0, { type: 'agent.message', content })], calls: [] };
  }
  const events = reply.calls.map((kind, index) => {
    const said = { name: `a_tool_${kind}`, input: {} };
    const hidden = { tool_use_id: `use_${attempt.key}_${index}` };
    if (kind === 'custom') {
      return stepEvent(step, index, { type: 'agent.custom_tool_use', ...said }, hidden);
    }
    const evaluated_permission = kind === 'asked' ? 'ask' : 'allow';
    return stepEvent(
      step,
      index,
      { type: 'agent.tool_use', ...said, evaluated_permission },
      hidden,
    );
  });
  const calls = reply.calls.map((kind, index): PendingCall => {
    const call = { id: events[index]!.id, name: 'a_tool', answeredBy: 'sandbox' as const };
    if (kind === 'allowed') return call;
    if (kind === 'asked') return { ...call, needs: 'confirmation' };
    return { ...call, answeredBy: 'client', needs: 'result' };
  });
  return { events, calls };
}

/** As activities/model-attempt.ts announces another try. */
function retryingEvents(ref: { sessionId: string; threadId: string }, key: string): NewEvent[] {
  const step = { ...ref, key: `${key}.end` };
  const error = { ...FAILURE, retry_status: { type: 'retrying' } };
  return [
    stepEvent(step, 0, { type: 'session.error', error }),
    stepEvent(step, 1, {
      type: 'session.thread_status_rescheduled',
      session_thread_id: ref.threadId,
    }),
    stepEvent(step, 2, { type: 'session.status_rescheduled' }),
  ];
}

const dollars = (cents: number): string => (cents / 100).toFixed(2);

function describe(step: Step): string {
  if (step.kind === 'go_idle') return `go_idle ${step.reason.type}`;
  return 'turn' in step ? `${step.kind} t${step.turn}.r${step.round}` : step.kind;
}

function describeResult(result: StepResult): string {
  const { kind, ...rest } = result;
  return `${kind} ${JSON.stringify(rest)}`;
}
