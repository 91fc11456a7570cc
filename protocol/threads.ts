// Session threads on the wire. Every session has its primary thread; the others come with
// multi-agent sessions, but parse already.

import * as z from 'zod';
import type { BetaManagedAgentsSessionThread } from '@anthropic-ai/sdk/resources/beta/sessions';
import { agentDefinitionFields } from './agents.ts';
import { listParam, timestamp } from './fields.ts';
import { EVENT_PAGE_ENTRIES_MAX } from './field-limits.ts';
import { advisorShape } from './multiagent.ts';
import { limitParam, pageParam } from './page.ts';
import { threadAgentShape } from './session-agent.ts';
import { usageShape } from './usage.ts';

/** sdk 1.11.0: BetaManagedAgentsSessionThread. */
export type SessionThread = BetaManagedAgentsSessionThread;

/** Shape of `status` of a session and of a thread. docs: managed-agents/session-operations. */
export const sessionStatus = z.enum(['idle', 'running', 'rescheduling', 'terminated']);

export const threadShape = z.strictObject({
  id: z.string(),
  type: z.literal('session_thread'),
  session_id: z.string(),
  parent_thread_id: z.string().nullable(),
  workflow_run_id: z.string().nullable(),
  agent: z.discriminatedUnion('type', [
    threadAgentShape,
    advisorShape,
    z.strictObject({ type: z.literal('inline'), ...agentDefinitionFields }),
  ]),
  status: sessionStatus,
  stats: z
    .strictObject({
      active_seconds: z.number().optional(),
      duration_seconds: z.number().optional(),
      startup_seconds: z.number().optional(),
    })
    .nullable(),
  usage: usageShape.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
  archived_at: timestamp.nullable(),
});

export const listThreadsQuery = z.strictObject({
  limit: limitParam(EVENT_PAGE_ENTRIES_MAX, EVENT_PAGE_ENTRIES_MAX),
  page: pageParam,
  statuses: listParam(sessionStatus),
});
