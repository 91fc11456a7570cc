// Ends a turn that the model did not end itself: an interrupt, a model that failed for good, too
// many rounds. Whatever the stopped step left open is closed first, so that the transcript stays
// valid and every span has its end; then the idle is committed, once.

import { appendEvents, type IdleCommit, type NewEvent, stepEvent } from '../store/events.ts';
import { findOpenSpans, loadSessionAgent } from '../store/model-context.ts';
import type { CommitStatusInput } from './messages.ts';
import type { CommitStatusResult, IdleReason } from './messages.ts';
import type { ActivityDeps } from './deps.ts';
import { idleEvents, type IdleStop } from './idle-events.ts';
import { spanEnd } from './model/reply-events.ts';
import { answerCalls } from './run-tool.ts';

/** Commits the idle; repeating it gives the first answer. */
export async function commitStatus(
  deps: ActivityDeps,
  input: CommitStatusInput,
): Promise<CommitStatusResult> {
  const agentName = await loadSessionAgent(deps.sql, input.sessionId);
  if (agentName === null) return { kind: 'ended' };
  await answerCalls(deps, { ...input, message: INTERRUPTED });
  const open = await findOpenSpans(deps.sql, input.sessionId, input.threadId);
  const answer = await appendEvents(deps.sql, {
    sessionId: input.sessionId,
    stepKey: input.stepKey,
    events: open.map((startId) => spanEnd({ ...input, startId }, null)),
    idle: idleCommit(input, agentName),
  });
  if (answer.outcome === 'ended') return { kind: 'ended' };
  return { kind: 'went_idle', ...answer.result };
}

const INTERRUPTED =
  'The user interrupted the session before this call ended. It may have run in part; try it again ' +
  'if it is still wanted.';

const END_TURN: IdleStop = { stop_reason: { type: 'end_turn' }, stop_details: null };
const EXHAUSTED: IdleStop = { stop_reason: { type: 'retries_exhausted' }, stop_details: null };

/**
 * An interrupt ends the turn and lets queued messages start the next; an error flushes them (6.8).
 */
function idleCommit(input: CommitStatusInput, agentName: string): IdleCommit {
  const step = { sessionId: input.sessionId, threadId: input.threadId, key: input.stepKey };
  if (input.reason.type === 'interrupt') {
    return {
      unless_messages: false,
      flush: false,
      events: idleEvents(step, agentName, END_TURN),
    };
  }
  return {
    unless_messages: false,
    flush: true,
    always: true,
    events: [errorEvent(step, input.reason), ...idleEvents(step, agentName, EXHAUSTED)],
  };
}

function errorEvent(
  step: { sessionId: string; threadId: string; key: string },
  reason: Exclude<IdleReason, { type: 'interrupt' }>,
): NewEvent {
  const error =
    reason.type === 'model_failed'
      ? reason.error
      : {
          type: 'tool_use_limit_reached_error',
          message: 'The turn reached its limit of tool-use rounds. Send a message to go on.',
        };
  return stepEvent(step, 0, {
    type: 'session.error',
    error: { ...error, retry_status: { type: 'exhausted' } },
  });
}
