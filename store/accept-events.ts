// How a client's events enter the log: a batch as a whole or not at all, with the signal that rings
// its session's workflow. Promise: a send that is repeated because its answer was lost is stored
// once, whether the API process died (the table `sends`) or the connection to the database.

import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../protocol/errors.ts';
import type { ClientEventParams, SessionEvent } from '../protocol/events.ts';
import { newId, primaryThreadId } from '../protocol/ids.ts';
import { RING_PREVIEW_CHARS_MAX, SEND_SETTLE_MS_MAX } from '../protocol/limits.ts';
import { type Database, isConnectionLoss, mayHaveRun, type Transaction } from './database.ts';
import { type EventBody, requireSession, sessionNotFound, toWire } from './events.ts';

/** Pause between two tries to learn whether a send was stored; a restart takes about a second. */
const SETTLE_PAUSE_MS = 50;

export interface Accept {
  workspaceId: string;
  sessionId: string;
  events: ClientEventParams[];
  idempotencyKey?: string;
  /** Digest of the request body */
  requestHash: string;
  /** The advisory lock that this API process holds while it lives (store/instance.ts) */
  instance: bigint;
}

export interface Accepted {
  events: SessionEvent[];
  /** What the session's workflow is to be told; null for a repetition */
  signal: Ring | null;
  /** The answer of an earlier send was given again; nothing was stored */
  replayed: boolean;
  /** Name of this send, for markAnswered */
  sendId: string;
}

/** What a doorbell needs after a commit: where a workflow would start, and what is new. */
export interface Ring {
  start: {
    sessionId: string;
    workspaceId: string;
    turn: number;
    agentId: string;
    agentName: string;
    model: string;
    usesSandbox: boolean;
    title: string | null;
  };
  events: { seq: number; id: string; type: string; preview?: string }[];
}

/** What the SQL functions and the relay answer about a session's start. */
export type StartFacts = Omit<Ring['start'], 'sessionId' | 'workspaceId'>;

type StoredEvent = { seq: number; body: EventBody; processed_at: string | null };
type BatchProblem = {
  error: string;
  /** Place of the refused event in the request */
  index: number;
  type: string;
  /** Id of the call it would answer */
  call: string | null;
};
type AcceptAnswer =
  | { error: 'not_found' | 'terminated' | 'idempotency_key_reused' }
  | BatchProblem
  | { outcome: 'repeated'; events: StoredEvent[]; send_id: string }
  | { outcome: 'accepted'; events: StoredEvent[]; send_id: string; start: StartFacts };

/**
 * Stores a client's batch, all or nothing, and answers it as it is echoed. A repetition whose first
 * answer was lost gets that answer again (see the table `sends`). Where the database's own answer
 * is lost, asks it again by the events' ids until it is back. Throws ApiError: 404 for a session
 * unknown in this workspace, 400 for one that accepts no events.
 */
export async function acceptEvents(sql: Database, accept: Accept): Promise<Accepted> {
  const { sessionId, workspaceId } = accept;
  await refuseForeignThread(sql, accept);
  const argument = {
    session_id: sessionId,
    workspace_id: workspaceId,
    thread_id: primaryThreadId(sessionId),
    events: accept.events.map((event) => ({ id: newId('event'), ...event })),
    request_hash: accept.requestHash,
    idempotency_key: accept.idempotencyKey ?? null,
    instance: accept.instance.toString(),
  };
  const answer = await settled(async () => {
    const [row] = await sql<{ answer: AcceptAnswer }[]>`
      select accept_events(${sql.json(argument as never)}) as answer`;
    return row!.answer;
  });
  if ('error' in answer) throw acceptError(answer, sessionId);
  const signal =
    answer.outcome === 'accepted' && answer.events.length > 0
      ? sessionSignal({ sessionId, workspaceId, ...answer.start }, answer.events)
      : null;
  return {
    events: answer.events.map((event) => toWire(event.body, event.processed_at)),
    signal,
    replayed: answer.outcome === 'repeated',
    sendId: answer.send_id,
  };
}

/** Notes that a send's answer was written out, which ends its protection against lost answers. */
export async function markAnswered(
  sql: Database,
  send: { sessionId: string; sendId: string },
): Promise<void> {
  await sql`update sends set answered_at = now()
    where session_id = ${send.sessionId} and send_id = ${send.sendId}`;
}

/**
 * Stores a new session's initial events in its creating transaction and answers what rings its
 * workflow. The caller has inserted the row with status `running`.
 */
export async function insertInitialEvents(
  tx: Transaction,
  start: Ring['start'],
  events: ClientEventParams[],
): Promise<Ring> {
  const stored = events.map((event, index) => {
    const body: EventBody = { id: newId('event'), ...event };
    return { seq: index + 1, body, processed_at: null };
  });
  await tx`
    insert into events (session_id, id, workspace_id, thread_id, seq, type, body, created_at)
    select ${start.sessionId}, e -> 'body' ->> 'id', ${start.workspaceId},
           ${primaryThreadId(start.sessionId)}, (e ->> 'seq')::bigint, e -> 'body' ->> 'type',
           e -> 'body', clock_timestamp()
      from jsonb_array_elements(${tx.json(stored as never)}) as e`;
  await tx`
    update sessions set last_seq = ${events.length}, sent_at = clock_timestamp(), sent_seq = 1
    where id = ${start.sessionId}`;
  return sessionSignal(start, stored);
}

/**
 * Asks until the database answers, once a first try may have been carried out. A try that never
 * reached it is refused at once: nothing was stored, and the client may come again.
 */
async function settled<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + SEND_SETTLE_MS_MAX;
  let isInDoubt = false;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      isInDoubt ||= mayHaveRun(error);
      if (!isInDoubt || !isConnectionLoss(error) || performance.now() > deadline) throw error;
    }
    await pause(SETTLE_PAUSE_MS);
  }
}

/**
 * An interrupt may name a thread; a session of one agent has only its primary one. Whose session it
 * is comes first: nobody learns about the threads of one that is not theirs.
 */
async function refuseForeignThread(sql: Database, accept: Accept): Promise<void> {
  const { sessionId, workspaceId, events } = accept;
  for (const [index, event] of events.entries()) {
    if (event.type !== 'user.interrupt') continue;
    const named = event.session_thread_id ?? null;
    if (named === null || named === primaryThreadId(sessionId)) continue;
    await requireSession(sql, workspaceId, sessionId);
    throw new ApiError(
      'invalid_request_error',
      `events.${index}.session_thread_id: \`${named}\` is no thread of this session.`,
    );
  }
}

function acceptError(
  answer: Extract<AcceptAnswer, { error: string }>,
  sessionId: string,
): ApiError {
  switch (answer.error) {
    case 'not_found':
      return sessionNotFound(sessionId);
    case 'terminated':
      return new ApiError(
        'invalid_request_error',
        `Session \`${sessionId}\` is terminated and accepts no events; create a new session.`,
      );
    case 'idempotency_key_reused':
      return new ApiError(
        'invalid_request_error',
        'Idempotency-Key: this key was used for another request body; use a new one.',
      );
    default:
      return new ApiError('invalid_request_error', batchRefusal(answer as BatchProblem));
  }
}

/** Why a session in its state cannot take one event of a batch; nothing of the batch is stored. */
function batchRefusal({ error, index, type, call }: BatchProblem): string {
  const field = type === 'user.custom_tool_result' ? 'custom_tool_use_id' : 'tool_use_id';
  const at = `events.${index}`;
  switch (error) {
    case 'unknown_call':
      return `${at}.${field}: \`${call}\` is the id of no tool call of this session.`;
    case 'not_self_hosted':
      return `${at}.type: a user.tool_result is only taken in a self_hosted environment.`;
    case 'wrong_kind':
      return (
        `${at}.${field}: \`${call}\` expects another answer: a custom tool's call is answered by ` +
        'user.custom_tool_result, any other by user.tool_confirmation.'
      );
    case 'not_asked':
      return `${at}.${field}: \`${call}\` asks for no confirmation.`;
    case 'answered':
      return `${at}.${field}: \`${call}\` has been answered already.`;
    case 'interrupted':
      return `${at}.${field}: \`${call}\` is being closed by an interrupt sent before.`;
    case 'requires_action':
      return (
        `${at}.type: the session waits for answers to its tool calls (requires_action): send ` +
        'user.tool_confirmation, user.custom_tool_result, user.tool_result or user.interrupt.'
      );
    case 'budget_reached':
      return (
        `${at}.type: the session has reached its budget and takes only user.tool_confirmation, ` +
        'user.tool_result, user.custom_tool_result and user.interrupt; raise or remove the budget.'
      );
    case 'system_alone':
      return `${at}.type: alone, a system.message is only taken while the session is idle.`;
    default:
      throw new Error(`the log refused an event for a reason without words: ${error}`);
  }
}

function sessionSignal(start: Ring['start'], stored: StoredEvent[]): Ring {
  return {
    start,
    events: stored
      .filter((event) => event.processed_at === null || ANSWERED_AT_ONCE.has(event.body.type))
      .map((event) => {
        const preview = previewOf(event.body);
        const { id, type } = event.body;
        return preview === ''
          ? { seq: event.seq, id, type }
          : { seq: event.seq, id, type, preview };
      }),
  };
}

/** Stamped when they are taken, and yet news for the workflow. */
const ANSWERED_AT_ONCE = new Set(['user.custom_tool_result', 'user.tool_result']);

function previewOf(body: EventBody): string {
  const blocks = Array.isArray(body.content) ? (body.content as { text?: unknown }[]) : [];
  const text = blocks.map((block) => (typeof block.text === 'string' ? block.text : '')).join(' ');
  return text.slice(0, RING_PREVIEW_CHARS_MAX);
}
