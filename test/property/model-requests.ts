// Model requests of a session without a model: what callModel and compactContext append, by the
// real store functions, for a reply that was drawn. Attempts of one step have names of their own,
// so that two of them may race.

import type { ActivityDeps } from '../../activities/deps.ts';
import { idleOf, runningEvents, waitingIdle } from '../../activities/idle-events.ts';
import type { InboxReport, PendingCall, SessionRef } from '../../activities/messages.ts';
import { closeOpenSpans, closeSuperseded } from '../../activities/model-attempt.ts';
import { spanEnd } from '../../activities/model/reply-events.ts';
import type { Database } from '../../store/database.ts';
import { appendEvents, type NewEvent, stepEvent } from '../../store/events.ts';
import { beginModelCall } from '../../store/model-context.ts';
import type { Step, StepResult } from '../../workflows/session-state.ts';
import type { Reply } from './race-moves.ts';

export type ModelStep = Extract<Step, { kind: 'call_model' | 'compact' }>;

/** One attempt of a model request, between its begin and its end. */
export interface Attempt {
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
export const FAILURE = { type: 'model_overloaded_error', message: 'overloaded' };

export class ModelRequests {
  /** Calls in the order in which replies asked for them */
  readonly calls: { id: string; isCustom: boolean }[] = [];
  readonly #sql: Database;
  readonly #ref: SessionRef;
  #attempts = 0;

  constructor(sql: Database, ref: SessionRef) {
    this.#sql = sql;
    this.#ref = ref;
  }

  /** The first attempt of a step: the request that is under way, or what came instead of one. */
  first(step: ModelStep): Promise<Attempt | StepResult> {
    this.#attempts = 0;
    return this.begin(step);
  }

  /** One more attempt of the same step. */
  async begin(step: ModelStep): Promise<Attempt | StepResult> {
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
      closing: number === 1 ? [] : await closeOpenSpans(depsOf(this.#sql), this.#ref),
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
  async again(step: ModelStep, reply: Reply): Promise<StepResult> {
    const begun = await this.begin(step);
    return 'key' in begun ? this.answer(step, begun, reply) : begun;
  }

  /** Appends what the model said. */
  answer(step: ModelStep, attempt: Attempt, reply: Reply): Promise<StepResult> {
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
    if (answer.outcome === 'repeated') await this.#closeSuperseded(attempt);
    return { kind: 'compacted', tokens: [2, 1] };
  }

  /** Ends an attempt's span without a reply. */
  async close(attempt: Attempt, isError: true | null, more: NewEvent[] = []): Promise<void> {
    const end = spanEnd({ ...this.#ref, startId: attempt.spanStartId }, isError);
    await appendEvents(this.#sql, {
      sessionId: this.#ref.sessionId,
      stepKey: `${attempt.key}.end`,
      turn: attempt.turn,
      events: [isError === true ? { ...end, private: { error: FAILURE } } : end, ...more],
      ...(more.length > 0 ? { status: 'rescheduling' as const } : {}),
    });
  }

  #closeSuperseded(attempt: Attempt): Promise<void> {
    return closeSuperseded(depsOf(this.#sql), { ...attempt, input: this.#ref, modelId: 'a model' });
  }
}

/** What the activities that only speak to the log need. */
export function depsOf(sql: Database): ActivityDeps {
  return { sql, sandbox: undefined, hostId: 'a host' } as unknown as ActivityDeps;
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
export function retryingEvents(
  ref: { sessionId: string; threadId: string },
  key: string,
): NewEvent[] {
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
