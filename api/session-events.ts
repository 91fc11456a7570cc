// A session's events: send and list. A send is accepted as a whole or not at all, answered as soon
// as it is committed, and rung through to the session's workflow after that. docs:
// managed-agents/events-and-streaming.

import { createHash } from 'node:crypto';
import { ApiError } from '../protocol/errors.ts';
import { listEventsQuery, sendEventsRequest } from '../protocol/events.ts';
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../protocol/limits.ts';
import { refuseNotYetEvents } from '../protocol/not-yet.ts';
import { parseBody, parseQuery } from '../protocol/parse.ts';
import { acceptEvents, markAnswered } from '../store/accept-events.ts';
import * as store from '../store/events.ts';
import { getSession } from '../store/sessions.ts';
import { readJsonBody } from './body.ts';
import { afterAnswer, type ApiRequest, cursorOf, queryOf } from './request.ts';
import { sessionKey } from './sessions.ts';

/**
 * POST /v1/sessions/{session_id}/events. Safe to repeat with the same `Idempotency-Key` (our
 * extension): the first answer is given again, for as long as sends are remembered.
 */
export async function sendEvents(request: ApiRequest) {
  const { deps, context } = request;
  const key = sessionKey(request);
  const idempotencyKey = readIdempotencyKey(request);
  const { value, bytes } = await readJsonBody(context);
  const { events } = parseBody(sendEventsRequest, value);
  refuseNotYetEvents(events);
  await checkSystemMessages(request, events);
  const accepted = await acceptEvents(deps.sql, {
    ...key,
    events,
    requestHash: createHash('sha256').update(bytes).digest('base64url'),
    instance: deps.instance,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
  await deps.pausePoint?.('events-accepted');
  if (accepted.signal !== null) void deps.doorbell.ring(key.sessionId, accepted.signal);
  afterAnswer(context, () => {
    const send = { sessionId: key.sessionId, sendId: accepted.sendId };
    // Forgetting this only makes a repetition from another process safe for longer than needed.
    markAnswered(deps.sql, send).catch((error: unknown) => {
      deps.log.debug({ err: error, session_id: key.sessionId }, 'send not marked as answered');
    });
  });
  return { data: accepted.events };
}

/** docs: managed-agents/events-and-streaming: the primary model decides; it never changes. */
async function checkSystemMessages(
  request: ApiRequest,
  events: readonly { type: string }[],
): Promise<void> {
  const index = events.findIndex(({ type }) => type === 'system.message');
  if (index < 0) return;
  const { agent } = await getSession(request.deps.sql, sessionKey(request));
  if (request.deps.models.find(agent.model.id)?.takesMidConversationSystem === true) return;
  throw new ApiError(
    'invalid_request_error',
    `events.${index}.type: \`${agent.model.id}\` takes no system messages in a conversation.`,
    { error_code: 'model_does_not_support_mid_conversation_system' },
  );
}

/** GET /v1/sessions/{session_id}/events */
export async function listEvents(request: ApiRequest) {
  return listEventsOf(request, undefined);
}

/** Answers one page of a session's history, or of one of its threads. */
export async function listEventsOf(request: ApiRequest, threadId: string | undefined) {
  const key = sessionKey(request);
  const query = parseQuery(listEventsQuery, queryOf(request));
  const list = store.eventsList({ ...key, threadId });
  const cursor = cursorOf(query.page, list, { order: query.order, createdAt: query.created_at });
  const page = await store.listEvents(request.deps.sql, {
    ...key,
    order: query.order,
    limit: query.limit,
    ...(threadId === undefined ? {} : { threadId }),
    ...(query.types === undefined ? {} : { types: query.types }),
    ...(query.created_at === undefined ? {} : { createdAt: query.created_at }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  return { data: page.data, next_page: page.nextPage };
}

function readIdempotencyKey(request: ApiRequest): string | undefined {
  const key = request.context.req.header('idempotency-key');
  if (key === undefined) return undefined;
  if (key.length >= 1 && key.length <= IDEMPOTENCY_KEY_CHARS_MAX) return key;
  throw new ApiError(
    'invalid_request_error',
    `Idempotency-Key: expected 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters.`,
  );
}
