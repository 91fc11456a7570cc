// Events that only the server emits, as the stream and the history carry them: what the agent did,
// what became of the session and its threads, spans, workflow runs, and the previews that are never
// stored. Every variant the SDK types is here, also those that nothing emits yet.

import * as z from 'zod';
import { agentContent, messageContent, resultContent, textPiece } from './content.ts';
import { timestamp } from './fields.ts';
import { sessionAgentShape } from './session-agent.ts';
import { budgetShape, modelUsage, usageSnapshot } from './usage.ts';

const typed = <T extends string>(type: T) => z.strictObject({ type: z.literal(type) });

/** A server event: id and time are always there, as it is processed when it is made. */
const event = <T extends string, S extends z.ZodRawShape>(type: T, fields: S) =>
  z.strictObject({ type: z.literal(type), id: z.string(), processed_at: timestamp, ...fields });

// ── Agent ────────────────────────────────────────────────────────────────────────────────────────

const autoPermission = z.discriminatedUnion('type', [
  typed('allow'),
  z.strictObject({ type: z.literal('ask'), reason_code: z.string() }),
  z.strictObject({ type: z.literal('deny'), reason_code: z.string() }),
]);
const permission = {
  evaluated_permission: z.enum(['allow', 'ask', 'deny']).optional(),
  evaluation: z
    .discriminatedUnion('type', [
      typed('always_allow'),
      typed('always_ask'),
      z.strictObject({ type: z.literal('auto'), evaluated_permission: autoPermission }),
    ])
    .optional(),
};
const call = {
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  session_thread_id: z.string().nullable().optional(),
};
const result = {
  content: resultContent.optional(),
  is_error: z.boolean().nullable().optional(),
};

export const agentEvents = [
  event('agent.message', { content: agentContent }),
  event('agent.thinking', {}),
  event('agent.tool_use', { ...call, ...permission }),
  event('agent.tool_result', { tool_use_id: z.string(), ...result }),
  event('agent.mcp_tool_use', { ...call, ...permission, mcp_server_name: z.string() }),
  event('agent.mcp_tool_result', { mcp_tool_use_id: z.string(), ...result }),
  event('agent.custom_tool_use', call),
  event('agent.thread_context_compacted', {}),
  event('agent.thread_message_sent', {
    content: messageContent,
    to_session_thread_id: z.string(),
    to_agent_name: z.string().nullable().optional(),
  }),
  event('agent.thread_message_received', {
    content: messageContent,
    from_session_thread_id: z.string(),
    from_agent_name: z.string().nullable().optional(),
  }),
] as const;

// ── Session and threads ──────────────────────────────────────────────────────────────────────────

const failure = <T extends string, S extends z.ZodRawShape>(type: T, fields: S) =>
  z.strictObject({
    type: z.literal(type),
    message: z.string(),
    retry_status: z.discriminatedUnion('type', [
      typed('retrying'),
      typed('exhausted'),
      typed('terminal'),
    ]),
    ...fields,
  });
const mcpServer = { mcp_server_name: z.string() };
const repository = { repository_url: z.string().nullable() };

/** Shape of the `error` of a `session.error`. */
const sessionError = z.discriminatedUnion('type', [
  failure('unknown_error', {}),
  failure('model_overloaded_error', {}),
  failure('model_rate_limited_error', {}),
  failure('model_request_failed_error', {}),
  failure('mcp_connection_failed_error', mcpServer),
  failure('mcp_authentication_failed_error', mcpServer),
  failure('billing_error', {}),
  failure('credential_host_unreachable_error', {
    credential_id: z.string(),
    vault_id: z.string(),
  }),
  failure('tool_use_limit_reached_error', {}),
  failure('compaction_limit_reached_error', {}),
  failure('repository_authentication_error', repository),
  failure('repository_forbidden_error', repository),
  failure('repository_not_found_error', repository),
  failure('repository_checkout_error', repository),
  failure('repository_clone_error', repository),
]);

const idle = {
  stop_reason: z.discriminatedUnion('type', [
    typed('end_turn'),
    z.strictObject({ type: z.literal('requires_action'), event_ids: z.array(z.string()) }),
    typed('retries_exhausted'),
    typed('budget_reached'),
    typed('refusal'),
  ]),
  stop_details: z
    .strictObject({
      type: z.literal('refusal'),
      category: z
        .enum(['cyber', 'bio', 'frontier_llm', 'reasoning_extraction', 'general_harms'])
        .nullable(),
      explanation: z.string().nullable(),
    })
    .nullable(),
};
const thread = { session_thread_id: z.string(), agent_name: z.string() };

export const sessionEvents = [
  event('session.status_running', {}),
  event('session.status_idle', idle),
  event('session.status_rescheduled', {}),
  event('session.status_terminated', {}),
  event('session.deleted', {}),
  event('session.error', { error: sessionError }),
  event('session.updated', {
    agent: sessionAgentShape.nullable().optional(),
    budget: budgetShape.nullable().optional(),
    metadata: z.record(z.string(), z.string()).optional(),
    title: z.string().nullable().optional(),
  }),
  event('session.usage', {
    usage: usageSnapshot,
    budget: budgetShape.nullable().optional(),
  }),
  event('session.thread_created', { ...thread, workflow_run_id: z.string().nullable() }),
  event('session.thread_status_running', thread),
  event('session.thread_status_idle', { ...thread, ...idle }),
  event('session.thread_status_rescheduled', thread),
  event('session.thread_status_terminated', thread),
] as const;

// ── Spans ────────────────────────────────────────────────────────────────────────────────────────

const evaluation = { outcome_id: z.string(), iteration: z.number() };

export const spanEvents = [
  event('span.model_request_start', {}),
  event('span.model_request_end', {
    model_request_start_id: z.string(),
    model_usage: modelUsage,
    is_error: z.boolean().nullable(),
  }),
  event('span.outcome_evaluation_start', evaluation),
  event('span.outcome_evaluation_ongoing', evaluation),
  event('span.outcome_evaluation_end', {
    ...evaluation,
    outcome_evaluation_start_id: z.string(),
    result: z.string(),
    explanation: z.string(),
    usage: modelUsage,
  }),
] as const;

// ── Workflow runs ────────────────────────────────────────────────────────────────────────────────

const runError = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('timeout_error'), message: z.string() }),
  z.strictObject({ type: z.literal('program_error'), message: z.string() }),
  z.strictObject({ type: z.literal('unknown_error'), message: z.string() }),
  z.strictObject({ type: z.literal('thread_limit_error'), message: z.string() }),
  z.strictObject({ type: z.literal('max_workflow_runs_error'), message: z.string() }),
]);
const run = { workflow_run_id: z.string() };
const phase = { ...run, workflow_run_phase_id: z.string() };
const label = { name: z.string(), description: z.string().nullable() };

export const workflowRunEvents = [
  event('workflow_run.created', {
    ...run,
    ...label,
    phases: z.array(z.strictObject({ id: z.string(), ...label })),
  }),
  event('workflow_run.status_running', run),
  event('workflow_run.status_idle', run),
  event('workflow_run.status_ended', {
    ...run,
    result: z.discriminatedUnion('type', [
      typed('completed'),
      typed('stopped'),
      z.strictObject({ type: z.literal('error'), error: runError }),
    ]),
  }),
  event('workflow_run.phase_started', phase),
  event('workflow_run.phase_ended', { ...phase, phase_started_id: z.string() }),
  event('workflow_run.error', { error: runError, workflow_run_id: z.string().nullable() }),
] as const;

// ── Previews ─────────────────────────────────────────────────────────────────────────────────────

export const previewEvents = [
  z.strictObject({
    type: z.literal('event_start'),
    event: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('agent.message'), id: z.string() }),
      z.strictObject({ type: z.literal('agent.thinking'), id: z.string() }),
    ]),
  }),
  z.strictObject({
    type: z.literal('event_delta'),
    event_id: z.string(),
    delta: z.strictObject({
      type: z.literal('content_delta'),
      index: z.number().optional(),
      content: textPiece,
    }),
  }),
] as const;
