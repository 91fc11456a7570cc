// Sessions on the wire: requests and responses. What may be sent into a session is events.ts's, its
// snapshot of the agent session-agent.ts's.

import * as z from 'zod';
import type {
  BetaManagedAgentsSession,
  BetaManagedAgentsSessionAgent,
  BetaManagedAgentsSessionUsage,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { mcpServersRequest, modelRequest, skillsRequest, systemRequest } from './agents.ts';
import { ApiError } from './errors.ts';
import { initialEventsRequest } from './events.ts';
import {
  countParam,
  createdAtRange,
  flagParam,
  idOf,
  listParam,
  metadata,
  metadataPatch,
  orderParam,
  textOf,
  timestamp,
} from './fields.ts';
import {
  PAGE_ENTRIES_DEFAULT,
  PAGE_ENTRIES_MAX,
  SESSION_TITLE_CHARS_MAX,
  SESSION_VAULTS_MAX,
} from './field-limits.ts';
import { TURN_ROUNDS_MAX } from './limits.ts';
import { limitParam, pageParam } from './page.ts';
import { resourceShape, resourcesRequest } from './resources.ts';
import { sessionAgentShape } from './session-agent.ts';
import { sessionStatus } from './threads.ts';
import { toolsRequest } from './tools.ts';
import { budgetRequest, budgetShape, usageShape } from './usage.ts';

/** sdk 1.11.0: BetaManagedAgentsSession. */
export type Session = BetaManagedAgentsSession;
/** sdk 1.11.0: BetaManagedAgentsSessionAgent: the agent as it was when the session was created. */
export type SessionAgent = BetaManagedAgentsSessionAgent;
export type SessionStatus = Session['status'];
/** sdk 1.11.0: BetaManagedAgentsSessionUsage. */
export type SessionUsage = BetaManagedAgentsSessionUsage;

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

const agentId = idOf('agent');
const version = z.int().min(1).optional();

export const createSessionRequest = z.strictObject({
  agent: z.union([
    agentId,
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('agent'), id: agentId, version }),
      z.strictObject({
        type: z.literal('agent_with_overrides'),
        id: agentId,
        version,
        model: modelRequest.optional(),
        system: systemRequest.nullable().optional(),
        tools: toolsRequest.optional(),
        mcp_servers: mcpServersRequest.optional(),
        skills: skillsRequest.optional(),
      }),
    ]),
  ]),
  environment_id: idOf('environment'),
  title: textOf(SESSION_TITLE_CHARS_MAX).nullable().optional(),
  metadata: metadata.optional(),
  initial_events: initialEventsRequest.optional(),
  resources: resourcesRequest.optional(),
  vault_ids: z.array(idOf('vault')).max(SESSION_VAULTS_MAX).optional(),
  budget: budgetRequest.optional(),
});
/** Our extension: rounds of one turn before it ends with `tool_use_limit_reached_error`. */
const ROUNDS_MAX_KEY = 'holdfast.turn_rounds_max';

/** Refuses a session's own limit of rounds that is none. Throws 400. */
export function checkSessionMetadata(bag: Readonly<Record<string, string | null>>): void {
  const value = bag[ROUNDS_MAX_KEY];
  if (value == null) return;
  if (/^[1-9]\d{0,4}$/.test(value) && Number(value) <= TURN_ROUNDS_MAX) return;
  const text = `metadata.${ROUNDS_MAX_KEY}: expected a whole number from 1 to ${TURN_ROUNDS_MAX}`;
  throw new ApiError('invalid_request_error', text, { error_code: 'invalid_metadata' });
}

export type CreateSessionRequest = z.infer<typeof createSessionRequest>;

export const updateSessionRequest = z.strictObject({
  title: textOf(SESSION_TITLE_CHARS_MAX, 1).nullable().optional(),
  metadata: metadataPatch.nullable().optional(),
  agent: z
    .strictObject({ tools: toolsRequest.optional(), mcp_servers: mcpServersRequest.optional() })
    .optional(),
  budget: budgetRequest.nullable().optional(),
  vault_ids: z.array(idOf('vault')).optional(),
});
export type UpdateSessionRequest = z.infer<typeof updateSessionRequest>;

export const listSessionsQuery = z.strictObject({
  agent_id: agentId.optional(),
  agent_version: countParam(1),
  created_at: createdAtRange,
  deployment_id: idOf('deployment').optional(),
  include_archived: flagParam,
  limit: limitParam(PAGE_ENTRIES_DEFAULT, PAGE_ENTRIES_MAX),
  memory_store_id: idOf('memory_store').optional(),
  order: orderParam('desc'),
  page: pageParam,
  statuses: listParam(sessionStatus),
});

// ── Responses ────────────────────────────────────────────────────────────────────────────────────

export const sessionShape = z.strictObject({
  id: z.string(),
  type: z.literal('session'),
  agent: sessionAgentShape,
  environment_id: z.string(),
  deployment_id: z.string().nullable().optional(),
  status: sessionStatus,
  title: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  budget: budgetShape.nullable(),
  outcome_evaluations: z.array(
    z.strictObject({
      type: z.literal('outcome_evaluation'),
      outcome_id: z.string(),
      description: z.string(),
      explanation: z.string().nullable(),
      iteration: z.number(),
      result: z.string(),
      completed_at: timestamp.nullable(),
    }),
  ),
  resources: z.array(resourceShape),
  stats: z.strictObject({
    active_seconds: z.number().optional(),
    duration_seconds: z.number().optional(),
  }),
  usage: usageShape,
  vault_ids: z.array(z.string()),
  created_at: timestamp,
  updated_at: timestamp,
  archived_at: timestamp.nullable(),
});
