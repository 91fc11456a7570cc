// Session threads: list, retrieve, their events and their streams. docs:
// managed-agents/session-threads. Until multi-agent sessions come there is the primary thread,
// which every session has.

import { primaryThreadId } from '../protocol/ids.ts';
import { withShownEffort } from '../protocol/models/public-models.ts';
import { parseQuery } from '../protocol/parse.ts';
import { listThreadsQuery, type SessionThread } from '../protocol/threads.ts';
import * as store from '../store/threads.ts';
import { type ApiRequest, cursorOf, pathId, queryOf } from './request.ts';
import { listEventsOf } from './session-events.ts';
import { streamEventsOf } from './session-stream.ts';
import { sessionKey } from './sessions.ts';

/** GET /v1/sessions/{session_id}/threads */
export async function listThreads(request: ApiRequest) {
  const key = sessionKey(request);
  const { page, statuses } = parseQuery(listThreadsQuery, queryOf(request));
  const cursor = cursorOf(page, { name: 'threads', within: key.sessionId }, { order: 'asc' });
  const threads = await store.listThreads(request.deps.sql, key);
  const data = threads
    .filter(({ status }) => statuses === undefined || statuses.includes(status))
    .map((thread) => shown(request, thread));
  // All threads fit one page, so there is nothing past any cursor.
  return { data: cursor === undefined ? data : [], next_page: null };
}

/** GET /v1/sessions/{session_id}/threads/{thread_id} */
export async function retrieveThread(request: ApiRequest) {
  return shown(request, await store.getThread(request.deps.sql, threadKey(request)));
}

/** GET /v1/sessions/{session_id}/threads/{thread_id}/events */
export async function listThreadEvents(request: ApiRequest) {
  const { id } = await retrieveThread(request);
  return listEventsOf(request, id);
}

/** GET /v1/sessions/{session_id}/threads/{thread_id}/stream */
export async function streamThread(request: ApiRequest) {
  const { sessionId, threadId } = threadKey(request);
  // The primary thread is there whenever the stream finds its session, which it does for a reader
  // who resumes even after a delete.
  if (threadId !== primaryThreadId(sessionId)) await retrieveThread(request);
  return streamEventsOf(request, threadId);
}

function shown(request: ApiRequest, thread: SessionThread): SessionThread {
  const { agent } = thread;
  if (agent.type !== 'agent') return thread;
  return { ...thread, agent: withShownEffort(agent, request.deps.models) };
}

function threadKey(request: ApiRequest) {
  return { ...sessionKey(request), threadId: pathId(request, 'thread') };
}
