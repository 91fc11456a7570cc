// Takes up what clients answered to tool calls that waited for them: allowed calls may run, denied
// ones get their error result here, results of custom tools are in the log already. When nothing is
// left to wait for, a parked session runs again; otherwise it says once more what it waits for.

import { appendEvents } from '../store/events.ts';
import { loadAnswers, type CallAnswer } from '../store/call-answers.ts';
import type { ActivityDeps } from './deps.ts';
import { runningEvents, waitingIdle } from './idle-events.ts';
import type { ReadAnswersInput, ReadAnswersResult } from './messages.ts';
import { errorResult } from './model/result-events.ts';

type Facts = Pick<Extract<ReadAnswersResult, { kind: 'answers_read' }>, 'resolved' | 'through'>;

/** Takes up every answer that is in the log; repeating it gives the first answer. */
export async function readAnswers(
  deps: ActivityDeps,
  input: ReadAnswersInput,
): Promise<ReadAnswersResult> {
  const { sessionId, threadId, stepKey } = input;
  const answers = await loadAnswers(deps.sql, sessionId);
  const through = answers.reduce((max, { seq }) => Math.max(max, seq), input.through);
  const denied = answers.filter(({ answer }) => answer === 'deny');
  const facts: Facts = {
    resolved: answers.map(({ id, answer }) => ({ id, how: answer })),
    through,
  };
  const outcome = await appendEvents<Facts>(deps.sql, {
    sessionId,
    stepKey,
    takes: answers.map(({ id }) => id),
    announcing: runningEvents(input, stepKey),
    events: denied.map((call) => errorResult(input, call, deniedText(call))),
    result: { ...facts },
    idle: { ...waitingIdle({ sessionId, threadId, key: stepKey }), again: true },
  });
  if (outcome.outcome === 'ended') return { kind: 'ended' };
  return { kind: 'answers_read', ...outcome.result };
}

/** docs: managed-agents/permission-policies: the model reads why its call was denied. */
function deniedText({ denyMessage }: CallAnswer): string {
  const said = 'The user denied permission to run this tool call.';
  return denyMessage === null || denyMessage === '' ? said : `${said} ${denyMessage}`;
}
