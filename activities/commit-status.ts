// Ends a turn that the model did not end itself: an interrupt, a model that failed for good, too
// many rounds. Whatever the stopped step left open is closed first, so that the transcript stays
// valid and every span has its end; then the idle is committed, once.

import { isConnectionLoss } from '../store/database.ts';
import { appendEvents, type IdleCommit, stepEvent } from '../store/events.ts';
import { endTurn, findModelError, findOpenSpans } from '../store/model-context.ts';
import type { ActivityDeps } from './deps.ts';
import { idleOf, type IdleStop, waitingIdle } from './idle-events.ts';
import type { CommitStatusInput, CommitStatusResult } from './messages.ts';
import { spanEnd } from './model/reply-events.ts';
import { answerCalls, cancelCalls } from './run-tool.ts';

/** Commits the idle; repeating it gives the first answer. */
export async function commitStatus(
  deps: ActivityDeps,
  input: CommitStatusInput,
): Promise<CommitStatusResult> {
  const isWait = input.reason.type === 'requires_action';
  const open = isWait ? [] : await openCalls(deps, input);
  const calls = open.filter((call) => call.isElsewhere !== true);
  const isHere = input.host === deps.hostId || deps.sandbox?.has(input.sessionId) === true;
  const isStopped = isHere && (await cancelCalls(deps, { ...input, calls }).catch(notHere));
  await answerCalls(deps, { ...input, calls: open, reason: 'interrupted' });
  const spans = await findOpenSpans(deps.sql, input.sessionId, input.threadId);
  const answer = await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: input.stepKey,
    events: spans.map((startId) => spanEnd({ ...input, startId }, null)),
    idle: idleCommit(input, await errorOf(deps, input)),
  });
  if (answer.outcome === 'ended') return { kind: 'ended' };
  const mayRun = calls.length > 0 && !isStopped;
  return { kind: 'went_idle', ...answer.result, ...(mayRun ? { mayRun } : {}) };
}

/**
 * The calls that the workflow knows, and those of a reply that came when nobody waited for it any
 * more: after this, none comes. A pause ends no turn.
 */
async function openCalls(
  deps: ActivityDeps,
  input: CommitStatusInput,
): Promise<CommitStatusInput['calls']> {
  if (input.reason.type === 'budget_reached') return input.calls;
  const late = await endTurn(deps.sql, input);
  const unknown = late.filter(({ id }) => input.calls.every((call) => call.id !== id));
  return [
    ...input.calls,
    ...unknown.map(({ id, answeredBy }) =>
      answeredBy === 'sandbox' ? { id } : { id, isElsewhere: true as const },
    ),
  ];
}

/** An interrupt does not wait for an engine that is away, only for the log. */
function notHere(error: unknown): false {
  if (isConnectionLoss(error)) throw error;
  return false;
}

const END_TURN: IdleStop = { stop_reason: { type: 'end_turn' }, stop_details: null };
const EXHAUSTED: IdleStop = { stop_reason: { type: 'retries_exhausted' }, stop_details: null };
const BUDGET_REACHED: IdleStop = { stop_reason: { type: 'budget_reached' }, stop_details: null };

interface SessionError {
  type: string;
  message: string;
}

/**
 * An interrupt lets queued messages start the next turn; an error flushes them (behaviour 6.8). An
 * interrupt that ends a wait for answers is told of although the session is idle already.
 */
function idleCommit(input: CommitStatusInput, error: SessionError | null): IdleCommit {
  const step = { sessionId: input.sessionId, threadId: input.threadId, key: input.stepKey };
  const { reason } = input;
  if (reason.type === 'requires_action') return waitingIdle(step);
  if (error === null) {
    const stop = reason.type === 'budget_reached' ? BUDGET_REACHED : END_TURN;
    const always = reason.type === 'interrupt' && reason.isParked === true;
    return { ...idleOf(step, stop), unless_messages: false, flush: false, always };
  }
  const said = stepEvent(step, 0, {
    type: 'session.error',
    error: { ...error, retry_status: { type: 'exhausted' } },
  });
  const { stop, events } = idleOf(step, EXHAUSTED);
  return {
    stop,
    unless_messages: false,
    flush: true,
    always: true,
    events: [said, ...events],
  };
}

/** The error that ends the turn; null for an interrupt, which is none. */
async function errorOf(
  deps: ActivityDeps,
  { reason, sessionId, threadId }: CommitStatusInput,
): Promise<SessionError | null> {
  switch (reason.type) {
    case 'interrupt':
    case 'requires_action':
    case 'budget_reached':
      return null;
    case 'compaction_limit':
      return {
        type: 'compaction_limit_reached_error',
        message:
          'The conversation does not fit the model, however often it is compacted. ' +
          'Send a message to try again.',
      };
    case 'tool_use_limit':
      return {
        type: 'tool_use_limit_reached_error',
        message: 'The turn reached its limit of tool-use rounds. Send a message to go on.',
      };
    case 'model_failed': {
      const said = await findModelError(deps.sql, sessionId, threadId);
      if (said?.type === reason.errorType) return said;
      return {
        type: reason.errorType,
        message: 'The model request could not be finished here; the log of the server says why.',
      };
    }
  }
}
