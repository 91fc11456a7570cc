// What must hold in every session's log, whoever raced whom: each claim by its name, throwing when
// it does not. They read the log as clients do, by `seq`, the order in which things were taken.

import { expect } from 'vitest';
import type { LoggedEvent, Outcome } from './raced-session.ts';

type Claim = (outcome: Outcome) => void;

const isCall = ({ type }: LoggedEvent): boolean =>
  type === 'agent.tool_use' || type === 'agent.custom_tool_use';
const isFromClient = ({ type }: LoggedEvent): boolean => /^(user|system)\./.test(type);
const isStatus = ({ type }: LoggedEvent): boolean => type.startsWith('session.status_');
const isEnd = ({ type }: LoggedEvent): boolean =>
  type === 'session.status_terminated' || type === 'session.deleted';
/** Of a result or a confirmation: the call it is about. */
const callOf = ({ body }: LoggedEvent): unknown => body.tool_use_id ?? body.custom_tool_use_id;
const stopOf = ({ body }: LoggedEvent): { type: string; event_ids?: string[] } | undefined =>
  body.stop_reason as never;

/** Results, whoever gave them; an error that stands for a custom tool's result is the server's. */
const isResult = ({ type }: LoggedEvent): boolean =>
  type === 'agent.tool_result' || type === 'user.custom_tool_result';
const isAnswer = (event: LoggedEvent): boolean =>
  event.type === 'user.tool_confirmation' ||
  (event.type === 'user.custom_tool_result' && event.body.is_error !== true);

const before = (log: readonly LoggedEvent[], seq: number): LoggedEvent[] =>
  log.filter((event) => event.seq < seq);

/** Calls asked for before a place in the log that nobody had answered by then. */
function unanswered(log: readonly LoggedEvent[], seq: number): string[] {
  const earlier = before(log, seq);
  const answered = new Set(
    earlier.filter((event) => isAnswer(event) || isResult(event)).map(callOf),
  );
  return earlier
    .filter((event) => isCall(event) && needsClient(event) && !answered.has(event.id))
    .map(({ id }) => id);
}

const needsClient = ({ type, body }: LoggedEvent): boolean =>
  type === 'agent.custom_tool_use' || body.evaluated_permission === 'ask';

/** The newest status event before a place in the log. */
const statusBefore = (log: readonly LoggedEvent[], seq: number): LoggedEvent | undefined =>
  before(log, seq).findLast(isStatus);

const isIdleFor = (event: LoggedEvent | undefined, reason: string): boolean =>
  event?.type === 'session.status_idle' && stopOf(event)?.type === reason;

const cents = (event: LoggedEvent): number =>
  Number((event.body.usage as { list_cost: { amount: string } }).list_cost.amount);

export const CLAIMS: Readonly<Record<string, Claim>> = {
  'the sequence has no gap and no number twice'({ log, row }) {
    const first = row.is_deleted ? row.last_seq : 1;
    expect(log.map(({ seq }) => seq)).toEqual(
      Array.from({ length: row.last_seq - first + 1 }, (_, index) => first + index),
    );
  },

  'no two events have one place in history'({ log }) {
    const places = log.flatMap(({ position }) => position ?? []);
    expect(new Set(places).size).toBe(places.length);
  },

  'every accepted event is in the log once, and none that was not accepted'({ log, row, ...of }) {
    if (row.is_deleted) return;
    const own = log.filter(
      (event) => isFromClient(event) && !(isResult(event) && event.body.is_error === true),
    );
    expect(own.map(({ id }) => id).toSorted()).toEqual(of.accepted.map(({ id }) => id).toSorted());
  },

  'a refused batch stored nothing'({ log, refusedWords }) {
    const stored = JSON.stringify(log);
    for (const word of refusedWords) expect(stored).not.toContain(`"${word}"`);
  },

  'a refused update changed nothing and is not told of'({ log, row, refusedTitles }) {
    const stored = JSON.stringify([log, row]);
    for (const word of refusedTitles) expect(stored).not.toContain(`"${word}"`);
  },

  'every refusal says why, as a mistake of its caller'({ refusals }) {
    for (const { type, message } of refusals) {
      expect(['invalid_request_error', 'not_found_error']).toContain(type);
      expect(message.length).toBeGreaterThan(20);
    }
  },

  'a call has one accepted answer at most, and one result in the end'({ log, row, calls }) {
    if (row.is_deleted) return;
    for (const id of calls) {
      const about = log.filter((event) => callOf(event) === id);
      expect([id, about.filter(isAnswer).length]).not.toEqual([id, 2]);
      const results = about.filter(isResult).length;
      // Archived while it waited, a call keeps no result.
      if (row.status === 'terminated') expect([id, results]).not.toEqual([id, 2]);
      else expect([id, results]).toEqual([id, 1]);
    }
  },

  'nothing is accepted after the end'({ log }) {
    const end = log.find(isEnd);
    const status = end?.type === 'session.status_terminated' ? [end] : [];
    const later = log.filter(({ seq, type }) => end !== undefined && seq > end.seq && type);
    // Only the deletion of what was archived before.
    for (const { type } of later) expect([status.length, type]).toEqual([1, 'session.deleted']);
  },

  'a session ends only at rest'({ log }) {
    const end = log.find(({ type }) => type === 'session.thread_status_terminated');
    if (end === undefined) return;
    const status = statusBefore(log, end.seq);
    expect([undefined, 'session.status_idle']).toContain(status?.type);
    // What was accepted is read, or held back by the budget.
    const unread = log.filter(
      ({ type, position, seq }) =>
        type === 'user.message' && seq < end.seq && !isFollowedByWork(log, position!, end),
    );
    if (unread.length > 0) expect(isIdleFor(status, 'budget_reached')).toBe(true);
  },

  'an idle that requires action names exactly the calls then unanswered'({ log }) {
    for (const event of log) {
      if (!isIdleFor(event, 'requires_action')) continue;
      expect(stopOf(event)!.event_ids).toEqual(unanswered(log, event.seq));
      expect(stopOf(event)!.event_ids).not.toEqual([]);
    }
  },

  'any other idle leaves no call open'({ log }) {
    for (const event of log) {
      if (event.type !== 'session.status_idle' || isIdleFor(event, 'requires_action')) continue;
      const closed = new Set(before(log, event.seq).filter(isResult).map(callOf));
      const open = before(log, event.seq).filter((each) => isCall(each) && !closed.has(each.id));
      expect([event.seq, open.map(({ id }) => id)]).toEqual([event.seq, []]);
    }
  },

  'every request that begins ends once, and none is open while the session is idle'({ log, row }) {
    // What was archived in the middle of an overtaken attempt keeps its span as it is.
    if (row.status === 'terminated') return;
    const ends = log.filter(({ type }) => type === 'span.model_request_end');
    const ended = ends.map(({ body }) => body.model_request_start_id as string);
    const begun = log.filter(({ type }) => type === 'span.model_request_start');
    expect(ended.toSorted()).toEqual(begun.map(({ id }) => id).toSorted());
  },

  'status and stop reason are those of the last status event'({ log, row }) {
    if (row.is_deleted) return;
    const last = log.findLast(isStatus);
    const shown = last?.type.replace('session.status_', '').replace('ed', 'ing');
    if (last === undefined) expect(row.status).toBe('idle');
    else if (last.type === 'session.status_terminated') expect(row.status).toBe('terminated');
    else expect(row.status).toBe(shown);
    if (last?.type !== 'session.status_idle') return;
    // A budget that was changed at its pause ends the pause before anything is told of it.
    const isLifted = isIdleFor(last, 'budget_reached') && hasNewBudget(log, last.seq, Infinity);
    expect(row.stop_reason).toBe(isLifted ? 'end_turn' : stopOf(last)!.type);
  },

  'a status is told only when it changes'({ log }) {
    let last: LoggedEvent | undefined;
    for (const event of log.filter(isStatus)) {
      const isSame = event.type === 'session.status_running' && event.type === last?.type;
      expect([event.seq, isSame]).toEqual([event.seq, false]);
      last = event;
    }
  },

  'the list cost only grows'({ log }) {
    const costs = log.filter(({ type }) => type === 'session.usage').map(cents);
    expect(costs).toEqual(costs.toSorted((a, b) => a - b));
  },

  'no message is accepted while calls wait, unless an interrupt stands before it'({ log }) {
    for (const { seq, type } of log) {
      if (type !== 'user.message') continue;
      const status = statusBefore(log, seq);
      if (!isIdleFor(status, 'requires_action') || unanswered(log, seq).length === 0) continue;
      const isBehindInterrupt = log.some(
        (each) => each.type === 'user.interrupt' && each.seq > status!.seq && each.seq < seq,
      );
      expect([seq, isBehindInterrupt]).toEqual([seq, true]);
    }
  },

  'no message is accepted at a budget pause'({ log }) {
    for (const { seq, type } of log) {
      const status = statusBefore(log, seq);
      if (type !== 'user.message' || !isIdleFor(status, 'budget_reached')) continue;
      expect([seq, hasNewBudget(log, status!.seq, seq)]).toEqual([seq, true]);
    }
  },

  'no answer is accepted behind an interrupt'({ log }) {
    for (const event of log.filter(isAnswer)) {
      const asked = log.find(({ id }) => id === callOf(event))!;
      const interrupts = log.filter(
        ({ type, seq }) => type === 'user.interrupt' && seq > asked.seq && seq < event.seq,
      );
      expect([event.seq, interrupts.map(({ seq }) => seq)]).toEqual([event.seq, []]);
    }
  },

  'messages are read in the order in which they were accepted'({ log }) {
    const places = log
      .filter(({ type }) => type === 'user.message')
      .map(({ position }) => position);
    expect(places).toEqual(places.toSorted((a, b) => a! - b!));
    expect(places).not.toContain(null);
  },

  'the agent changes only while no work is accepted'({ log }) {
    for (const event of log) {
      if (event.type !== 'session.updated' || event.body.agent === undefined) continue;
      const status = statusBefore(log, event.seq);
      expect([undefined, 'session.status_idle']).toContain(status?.type);
      if (isIdleFor(status, 'budget_reached')) continue;
      const waiting = before(log, event.seq).filter(
        ({ type, position }) => type === 'user.message' && position! > event.position!,
      );
      const isHeldByCalls = isIdleFor(status, 'requires_action');
      if (!isHeldByCalls)
        expect([event.seq, waiting.map(({ seq }) => seq)]).toEqual([event.seq, []]);
    }
  },

  'the session ends up as its last updates said'({ log, row }) {
    if (row.is_deleted) return;
    const said = (field: string): unknown =>
      log.findLast(({ type, body }) => type === 'session.updated' && field in body)?.body[field];
    if (said('title') !== undefined) expect(row.title).toBe(said('title'));
    const agent = said('agent') as { tools: unknown } | undefined;
    if (agent !== undefined) expect(row.tools).toEqual(agent.tools);
    const budget = said('budget');
    if (budget !== undefined) expect(row.budget).toEqual(budget);
  },
};

/** Whether a request began, or the turn was ended, between a message's reading and the end. */
function isFollowedByWork(
  log: readonly LoggedEvent[],
  position: number,
  end: LoggedEvent,
): boolean {
  return log.some(
    (event) =>
      !isFromClient(event) && event.position! > position && event.position! < end.position!,
  );
}

function hasNewBudget(log: readonly LoggedEvent[], from: number, to: number): boolean {
  return log.some(
    ({ seq, type, body }) =>
      type === 'session.updated' && 'budget' in body && seq > from && seq < to,
  );
}
