// Session events on the wire: what a client may send, how it is echoed, and the union of everything
// that the stream and the history carry. Rules that need the session's state are not here but where
// the state is known (store/events.ts).

import * as z from 'zod';
import type {
  BetaManagedAgentsEventParams,
  BetaManagedAgentsSessionErrorEvent,
  BetaManagedAgentsSessionEvent,
  BetaManagedAgentsSessionEventType,
  BetaManagedAgentsSessionStatusIdleEvent,
  BetaManagedAgentsStreamSessionEvents,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import {
  messageContent,
  messageContentRequest,
  resultContent,
  resultContentRequest,
  systemContent,
  systemContentRequest,
} from './content.ts';
import {
  countParam,
  createdAtRange,
  idOf,
  listParam,
  orderParam,
  textOf,
  timestamp,
} from './fields.ts';
import {
  DENY_MESSAGE_CHARS_MAX,
  EVENT_PAGE_ENTRIES_MAX,
  FILE_DOCUMENTS_MAX,
  INITIAL_EVENTS_MAX,
  OUTCOME_DESCRIPTION_CHARS_MAX,
  OUTCOME_ITERATIONS_MAX,
  RUBRIC_CHARS_MAX,
  SEND_EVENTS_MAX,
} from './field-limits.ts';
import { limitParam, pageParam } from './page.ts';
import {
  agentEvents,
  previewEvents,
  sessionEvents,
  spanEvents,
  workflowRunEvents,
} from './server-events.ts';

/** sdk 1.11.0: everything that a history holds. */
export type SessionEvent = BetaManagedAgentsSessionEvent;
/** sdk 1.11.0: everything that a stream carries: the same, and previews. */
export type StreamEvent = BetaManagedAgentsStreamSessionEvents;
/** sdk 1.11.0: everything that a client may send. */
export type ClientEventParams = BetaManagedAgentsEventParams;
export type SessionEventType = BetaManagedAgentsSessionEventType;
export type StopReason = BetaManagedAgentsSessionStatusIdleEvent['stop_reason'];
export type StopDetails = BetaManagedAgentsSessionStatusIdleEvent['stop_details'];
export type SessionErrorObject = BetaManagedAgentsSessionErrorEvent['error'];
/** Any content block of a message or a tool result. */
export type ContentBlock =
  | Extract<SessionEvent, { type: 'user.message' }>['content'][number]
  | NonNullable<Extract<SessionEvent, { type: 'agent.tool_result' }>['content']>[number];
/** Event types that a stream can preview. */
export const PREVIEWED_EVENT_TYPES = ['agent.message', 'agent.thinking'] as const;

// ── What a client sends ──────────────────────────────────────────────────────────────────────────

const eventId = idOf('event');
const toolResult = {
  content: resultContentRequest.optional(),
  is_error: z.boolean().nullable().optional(),
};

const userMessage = z.strictObject({
  type: z.literal('user.message'),
  content: messageContentRequest,
});
const defineOutcome = z.strictObject({
  type: z.literal('user.define_outcome'),
  description: textOf(OUTCOME_DESCRIPTION_CHARS_MAX, 1),
  rubric: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text'), content: textOf(RUBRIC_CHARS_MAX, 1) }),
    z.strictObject({ type: z.literal('file'), file_id: idOf('file') }),
  ]),
  max_iterations: z.int().min(1).max(OUTCOME_ITERATIONS_MAX).nullable().optional(),
});
const toolConfirmation = z
  .strictObject({
    type: z.literal('user.tool_confirmation'),
    tool_use_id: eventId,
    result: z.enum(['allow', 'deny']),
    deny_message: textOf(DENY_MESSAGE_CHARS_MAX).nullable().optional(),
  })
  .refine(({ result, deny_message: message }) => result === 'deny' || message == null, {
    path: ['deny_message'],
    error: 'only allowed when result is "deny"',
  });

/** Shape of one event in a send. Variants of later work parse too; not-yet.ts refuses them. */
export const clientEventShape = z.discriminatedUnion('type', [
  userMessage,
  z.strictObject({
    type: z.literal('user.interrupt'),
    session_thread_id: idOf('thread').nullable().optional(),
  }),
  toolConfirmation,
  z.strictObject({
    type: z.literal('user.custom_tool_result'),
    custom_tool_use_id: eventId,
    ...toolResult,
  }),
  z.strictObject({ type: z.literal('user.tool_result'), tool_use_id: eventId, ...toolResult }),
  defineOutcome,
  z.strictObject({ type: z.literal('system.message'), content: systemContentRequest }),
]);

export const sendEventsRequest = z.strictObject({
  events: z
    .array(clientEventShape)
    .min(1)
    .max(SEND_EVENTS_MAX)
    .superRefine((events, context) => {
      const problem = batchProblem(events);
      if (problem !== undefined) context.addIssue({ code: 'custom', ...problem });
    }),
});

/** Shape of `initial_events`. docs: managed-agents/sessions: two types, at most 50. */
export const initialEventsRequest = z
  .array(z.discriminatedUnion('type', [userMessage, defineOutcome]))
  .max(INITIAL_EVENTS_MAX)
  .superRefine((events, context) => {
    const problem = batchProblem(events);
    if (problem !== undefined) context.addIssue({ code: 'custom', ...problem });
  });

// ── How it is echoed ─────────────────────────────────────────────────────────────────────────────

const queued = { id: z.string(), processed_at: timestamp.nullable().optional() };
const routed = { ...queued, session_thread_id: z.string().nullable().optional() };
const echoedResult = {
  content: resultContent.optional(),
  is_error: z.boolean().nullable().optional(),
};

const clientEvents = [
  z.strictObject({ type: z.literal('user.message'), ...queued, content: messageContent }),
  z.strictObject({ type: z.literal('user.interrupt'), ...routed }),
  z.strictObject({
    type: z.literal('user.tool_confirmation'),
    ...routed,
    tool_use_id: z.string(),
    result: z.enum(['allow', 'deny']),
    deny_message: z.string().nullable().optional(),
  }),
  z.strictObject({
    type: z.literal('user.custom_tool_result'),
    ...routed,
    custom_tool_use_id: z.string(),
    ...echoedResult,
  }),
  z.strictObject({
    type: z.literal('user.tool_result'),
    ...routed,
    tool_use_id: z.string(),
    ...echoedResult,
  }),
  z.strictObject({
    type: z.literal('user.define_outcome'),
    id: z.string(),
    processed_at: timestamp,
    outcome_id: z.string(),
    description: z.string(),
    rubric: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text'), content: z.string() }),
      z.strictObject({ type: z.literal('file'), file_id: z.string() }),
    ]),
    max_iterations: z.number().nullable(),
  }),
  z.strictObject({ type: z.literal('system.message'), ...queued, content: systemContent }),
] as const;

/** Shape of everything a stream carries: every variant that the SDK types. */
export const streamEventShape = z.discriminatedUnion('type', [
  ...clientEvents,
  ...agentEvents,
  ...sessionEvents,
  ...spanEvents,
  ...workflowRunEvents,
  ...previewEvents,
]);

// ── Queries ──────────────────────────────────────────────────────────────────────────────────────

/** Types that the history can be filtered by. sdk 1.11.0: BetaManagedAgentsSessionEventType. */
const listedTypes = [
  ...clientEvents,
  ...agentEvents,
  ...sessionEvents,
  ...spanEvents,
  ...workflowRunEvents,
]
  .map((shape) => shape.shape.type.value)
  .filter((type) => type !== 'session.deleted');

export const listEventsQuery = z.strictObject({
  created_at: createdAtRange,
  limit: limitParam(EVENT_PAGE_ENTRIES_MAX, EVENT_PAGE_ENTRIES_MAX),
  order: orderParam('asc'),
  page: pageParam,
  types: listParam(z.enum(listedTypes)),
});

export const streamEventsQuery = z.strictObject({
  /** our extension: resume right after this event's `seq`, see docs/differences.md */
  after_seq: countParam(0),
  event_deltas: listParam(z.enum(PREVIEWED_EVENT_TYPES)),
});

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

interface BatchProblem {
  path: (string | number)[];
  message: string;
}

/** Rules between the events of one request; those that also need the session's state come later. */
function batchProblem(
  events: readonly z.infer<typeof clientEventShape>[],
): BatchProblem | undefined {
  // behaviour.md 5.1 and 7: one active outcome at a time.
  const outcomes = events.filter(({ type }) => type === 'user.define_outcome');
  const second = outcomes[1] === undefined ? -1 : events.indexOf(outcomes[1]);
  if (second >= 0) return { path: [second], message: 'expected at most one user.define_outcome' };
  const blocks = events.flatMap((event): ContentBlock[] =>
    'content' in event ? (event.content ?? []) : [],
  );
  const fileDocuments = blocks.filter(
    (block) => block.type === 'document' && block.source.type === 'file',
  );
  if (fileDocuments.length > FILE_DOCUMENTS_MAX) {
    const message = `expected at most ${FILE_DOCUMENTS_MAX} documents with a file source in all`;
    return { path: [], message };
  }
  return systemMessageProblem(events);
}

/**
 * sdk 1.11.0: BetaManagedAgentsSystemMessageEventParams: one, last, right after what it goes with.
 */
function systemMessageProblem(
  events: readonly z.infer<typeof clientEventShape>[],
): BatchProblem | undefined {
  const at = events.findIndex(({ type }) => type === 'system.message');
  if (at < 0) return undefined;
  if (at !== events.length - 1) {
    return { path: [at], message: 'a system.message must be the last event, and the only one' };
  }
  const before = events[at - 1];
  const accompanied = ['user.message', 'user.tool_result', 'user.custom_tool_result'];
  // Alone it is accepted: the documentation shows both readings (behaviour.md 20).
  if (before === undefined || accompanied.includes(before.type)) return undefined;
  return { path: [at], message: `a system.message must follow ${accompanied.join(' or ')}` };
}
