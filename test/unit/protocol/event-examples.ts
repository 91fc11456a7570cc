// One example of every event a stream can carry, typed by the SDK: a new variant there fails to
// compile here until it has an example.

import type { ClientEventParams, StreamEvent } from '../../../protocol/events.ts';

type ByType<E extends { type: string }> = { [T in E['type']]: Extract<E, { type: T }> };

const AT = '2026-11-21T09:30:00.123456Z';
const at = { id: 'sevt_1', processed_at: AT };
const text = { type: 'text', text: 'hello' } as const;
const thread = { session_thread_id: 'sthr_1', agent_name: 'a' };
const usage = {
  input_tokens: 1,
  output_tokens: 2,
  cache_read_input_tokens: 3,
  cache_creation_input_tokens: 4,
};
const run = { workflow_run_id: 'wrun_1' };
const phase = { ...run, workflow_run_phase_id: 'wrph_1' };
const outcome = { outcome_id: 'outc_1', iteration: 0 };
const idle = { stop_reason: { type: 'end_turn' }, stop_details: null } as const;

export const STREAM_EVENTS: ByType<StreamEvent> = {
  'user.message': {
    type: 'user.message',
    id: 'sevt_1',
    processed_at: null,
    content: [
      text,
      { type: 'image', source: { type: 'file', file_id: 'file_1' } },
      { type: 'document', source: { type: 'url', url: 'https://a.com/x.pdf' }, title: null },
    ],
  },
  'user.interrupt': { type: 'user.interrupt', id: 'sevt_1' },
  'user.tool_confirmation': {
    type: 'user.tool_confirmation',
    id: 'sevt_1',
    tool_use_id: 'sevt_2',
    result: 'deny',
    deny_message: 'no',
    session_thread_id: 'sthr_1',
  },
  'user.custom_tool_result': {
    type: 'user.custom_tool_result',
    ...at,
    custom_tool_use_id: 'sevt_2',
    content: [text],
    is_error: null,
  },
  'user.tool_result': { type: 'user.tool_result', ...at, tool_use_id: 'sevt_2' },
  'user.define_outcome': {
    type: 'user.define_outcome',
    ...at,
    outcome_id: 'outc_1',
    description: 'd',
    rubric: { type: 'text', content: 'r' },
    max_iterations: null,
  },
  'system.message': { type: 'system.message', id: 'sevt_1', content: [text] },
  'agent.message': { type: 'agent.message', ...at, content: [text, { type: 'redacted' }] },
  'agent.thinking': { type: 'agent.thinking', ...at },
  'agent.tool_use': {
    type: 'agent.tool_use',
    ...at,
    name: 'bash',
    input: { command: 'ls' },
    evaluated_permission: 'deny',
    evaluation: {
      type: 'auto',
      evaluated_permission: { type: 'deny', reason_code: 'high_risk' },
    },
  },
  'agent.tool_result': {
    type: 'agent.tool_result',
    ...at,
    tool_use_id: 'sevt_2',
    is_error: true,
    content: [
      {
        type: 'search_result',
        source: 'https://a.com',
        title: 't',
        content: [text],
        citations: { enabled: true },
      },
    ],
  },
  'agent.mcp_tool_use': {
    type: 'agent.mcp_tool_use',
    ...at,
    name: 'find',
    input: {},
    mcp_server_name: 'docs',
    evaluation: { type: 'always_ask' },
  },
  'agent.mcp_tool_result': { type: 'agent.mcp_tool_result', ...at, mcp_tool_use_id: 'sevt_2' },
  'agent.custom_tool_use': {
    type: 'agent.custom_tool_use',
    ...at,
    name: 'weather',
    input: { city: 'Rome' },
    session_thread_id: null,
  },
  'agent.thread_context_compacted': { type: 'agent.thread_context_compacted', ...at },
  'agent.thread_message_sent': {
    type: 'agent.thread_message_sent',
    ...at,
    content: [text],
    to_session_thread_id: 'sthr_2',
    to_agent_name: 'b',
  },
  'agent.thread_message_received': {
    type: 'agent.thread_message_received',
    ...at,
    content: [text],
    from_session_thread_id: 'sthr_2',
  },
  'session.status_running': { type: 'session.status_running', ...at },
  'session.status_idle': {
    type: 'session.status_idle',
    ...at,
    stop_reason: { type: 'refusal' },
    stop_details: { type: 'refusal', category: 'cyber', explanation: null },
  },
  'session.status_rescheduled': { type: 'session.status_rescheduled', ...at },
  'session.status_terminated': { type: 'session.status_terminated', ...at },
  'session.deleted': { type: 'session.deleted', ...at },
  'session.error': {
    type: 'session.error',
    ...at,
    error: {
      type: 'model_overloaded_error',
      message: 'busy',
      retry_status: { type: 'retrying' },
    },
  },
  'session.updated': { type: 'session.updated', ...at, title: 't', metadata: { a: 'b' } },
  'session.usage': {
    type: 'session.usage',
    ...at,
    usage: { input_tokens: 1, list_cost: { amount: '5', currency: 'USD' } },
    budget: null,
  },
  'session.thread_created': {
    type: 'session.thread_created',
    ...at,
    ...thread,
    workflow_run_id: null,
  },
  'session.thread_status_running': { type: 'session.thread_status_running', ...at, ...thread },
  'session.thread_status_idle': {
    type: 'session.thread_status_idle',
    ...at,
    ...thread,
    ...idle,
    stop_reason: { type: 'requires_action', event_ids: ['sevt_2'] },
  },
  'session.thread_status_rescheduled': {
    type: 'session.thread_status_rescheduled',
    ...at,
    ...thread,
  },
  'session.thread_status_terminated': {
    type: 'session.thread_status_terminated',
    ...at,
    ...thread,
  },
  'span.model_request_start': { type: 'span.model_request_start', ...at },
  'span.model_request_end': {
    type: 'span.model_request_end',
    ...at,
    model_request_start_id: 'sevt_2',
    is_error: null,
    model_usage: { ...usage, speed: 'standard' },
  },
  'span.outcome_evaluation_start': { type: 'span.outcome_evaluation_start', ...at, ...outcome },
  'span.outcome_evaluation_ongoing': {
    type: 'span.outcome_evaluation_ongoing',
    ...at,
    ...outcome,
  },
  'span.outcome_evaluation_end': {
    type: 'span.outcome_evaluation_end',
    ...at,
    ...outcome,
    outcome_evaluation_start_id: '',
    result: 'interrupted',
    explanation: '',
    usage,
  },
  'workflow_run.created': {
    type: 'workflow_run.created',
    ...at,
    ...run,
    name: 'n',
    description: null,
    phases: [{ id: 'wrph_1', name: 'n', description: null }],
  },
  'workflow_run.status_running': { type: 'workflow_run.status_running', ...at, ...run },
  'workflow_run.status_idle': { type: 'workflow_run.status_idle', ...at, ...run },
  'workflow_run.status_ended': {
    type: 'workflow_run.status_ended',
    ...at,
    ...run,
    result: { type: 'error', error: { type: 'timeout_error', message: 'late' } },
  },
  'workflow_run.phase_started': { type: 'workflow_run.phase_started', ...at, ...phase },
  'workflow_run.phase_ended': {
    type: 'workflow_run.phase_ended',
    ...at,
    ...phase,
    phase_started_id: 'sevt_2',
  },
  'workflow_run.error': {
    type: 'workflow_run.error',
    ...at,
    workflow_run_id: null,
    error: { type: 'max_workflow_runs_error', message: 'full' },
  },
  event_start: { type: 'event_start', event: { type: 'agent.message', id: 'sevt_1' } },
  event_delta: {
    type: 'event_delta',
    event_id: 'sevt_1',
    delta: { type: 'content_delta', index: 0, content: text },
  },
};

/** One example of every event that a client can send. */
export const CLIENT_EVENTS: ByType<ClientEventParams> = {
  'user.message': { type: 'user.message', content: [text] },
  'user.interrupt': { type: 'user.interrupt', session_thread_id: 'sthr_1' },
  'user.tool_confirmation': {
    type: 'user.tool_confirmation',
    tool_use_id: 'sevt_1',
    result: 'allow',
  },
  'user.custom_tool_result': {
    type: 'user.custom_tool_result',
    custom_tool_use_id: 'sevt_1',
    content: [text],
  },
  'user.tool_result': { type: 'user.tool_result', tool_use_id: 'sevt_1', is_error: true },
  'user.define_outcome': {
    type: 'user.define_outcome',
    description: 'd',
    rubric: { type: 'file', file_id: 'file_1' },
    max_iterations: 20,
  },
  'system.message': { type: 'system.message', content: [text] },
};
