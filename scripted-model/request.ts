// Checks a Messages request as strictly as the upstream does wherever a looser check would let a
// broken transcript pass our tests. Nothing is repaired: the first fault is a 400 with its field
// path. What every request repeats (tools, config) is checked here, the messages in
// transcript-rules.ts.

import type Anthropic from '@anthropic-ai/sdk';
import {
  CACHE_BREAKPOINTS_MAX,
  MODEL_MESSAGES_MAX,
  THINKING_BUDGET_TOKENS_MIN,
} from '../protocol/limits.ts';
import { hasSystemRole } from './models.ts';
import { invalid } from './request-error.ts';
import { checkTranscript, isRecord } from './transcript-rules.ts';

export interface MessagesRequest {
  model: string;
  max_tokens: number;
  messages: Anthropic.MessageParam[];
  stream?: boolean;
  system?: string | Anthropic.TextBlockParam[];
  tools?: { name?: string; type?: string | null }[];
  tool_choice?: unknown;
  thinking?: { type: string; display?: string | null };
  output_config?: { effort?: string | null };
  speed?: string | null;
  cache_control?: Anthropic.CacheControlEphemeral | null;
}

/** sdk 1.11.0: MessageCreateParams of the stable and the beta resource, and what older ones had. */
const FIELDS = new Set(
  `model max_tokens messages stream system tools tool_choice thinking cache_control container
  context_management diagnostics inference_geo mcp_servers metadata output_config output_format
  service_tier speed stop_sequences temperature top_k top_p billing_policy compaction
  fallback_credit_token fallbacks thread user_profile_id workspace_id`.split(/\s+/),
);
/** sdk 1.11.0: OutputConfig of the stable and the beta resource. */
const OUTPUT_FIELDS = new Set(['effort', 'format', 'task_budget']);
const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'];
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/;

/** Returns the body as a request or throws a `RequestError`; `forCount` needs no `max_tokens`. */
export function checkRequest(body: unknown, forCount = false): MessagesRequest {
  if (!isRecord(body)) invalid('body', 'a JSON object is expected');
  for (const key of Object.keys(body)) {
    if (!FIELDS.has(key)) invalid(key, 'no such field is known');
  }
  if (typeof body['model'] !== 'string' || body['model'] === '') {
    invalid('model', 'a model id is required');
  }
  if (!forCount) checkMaxTokens(body['max_tokens']);
  if (body['stream'] !== undefined && typeof body['stream'] !== 'boolean') {
    invalid('stream', 'true or false is expected');
  }
  checkSystem(body['system']);
  checkTools(body['tools']);
  checkThinking(body['thinking'], body['max_tokens']);
  checkOutput(body['output_config']);
  const { messages } = body;
  if (!Array.isArray(messages) || messages.length === 0) {
    invalid('messages', 'at least one message is required');
  }
  if (messages.length > MODEL_MESSAGES_MAX) {
    invalid('messages', `at most ${MODEL_MESSAGES_MAX} messages are allowed`);
  }
  const marks = [
    ...marksOf(body['tools'], body['system']),
    ...checkTranscript(messages, hasSystemRole(body['model'])),
  ];
  if (body['cache_control'] != null) marks.push(body['cache_control']);
  checkBreakpoints(marks);
  return body as unknown as MessagesRequest;
}

function checkMaxTokens(maxTokens: unknown): void {
  if (maxTokens === undefined) invalid('max_tokens', 'the field is required');
  if (!Number.isInteger(maxTokens) || (maxTokens as number) < 0) {
    invalid('max_tokens', 'a whole number of at least 0 is expected');
  }
}

function checkSystem(system: unknown): void {
  if (system === undefined || typeof system === 'string') return;
  if (!Array.isArray(system)) invalid('system', 'a string or text blocks are expected');
  for (const [at, block] of system.entries()) {
    const path = `system.${at}`;
    if (!isRecord(block) || block['type'] !== 'text') invalid(path, 'a text block is expected');
    if (typeof block['text'] !== 'string') invalid(`${path}.text`, 'a string is expected');
    if (block['text'] === '') invalid(path, 'a text block may not be empty');
  }
}

function checkTools(tools: unknown): void {
  if (tools === undefined) return;
  if (!Array.isArray(tools)) invalid('tools', 'an array is expected');
  const names = new Set<string>();
  for (const [at, tool] of tools.entries()) {
    const path = `tools.${at}`;
    if (!isRecord(tool)) invalid(path, 'an object is expected');
    const { name, type } = tool;
    // Server toolsets need no name of their own.
    if (name === undefined && typeof type === 'string' && type !== 'custom') continue;
    if (typeof name !== 'string' || !TOOL_NAME.test(name)) {
      invalid(`${path}.name`, `1 to 128 of a-z, A-Z, 0-9, _ and - are expected`);
    }
    if (names.has(name)) invalid('tools', `tool names must differ, "${name}" is there twice`);
    names.add(name);
    if (type !== undefined && type !== null && type !== 'custom') continue;
    const schema = tool['input_schema'];
    if (!isRecord(schema)) invalid(`${path}.input_schema`, 'the field is required');
    if (schema['type'] !== 'object') invalid(`${path}.input_schema.type`, '"object" is expected');
  }
}

function checkThinking(thinking: unknown, maxTokens: unknown): void {
  if (thinking === undefined) return;
  if (!isRecord(thinking) || typeof thinking['type'] !== 'string') {
    invalid('thinking.type', 'the field is required');
  }
  if (thinking['type'] !== 'enabled') return;
  const budget = thinking['budget_tokens'];
  if (!Number.isInteger(budget) || (budget as number) < THINKING_BUDGET_TOKENS_MIN) {
    const path = 'thinking.budget_tokens';
    invalid(path, `a whole number of at least ${THINKING_BUDGET_TOKENS_MIN} is expected`);
  }
  if (typeof maxTokens === 'number' && (budget as number) >= maxTokens) {
    invalid('max_tokens', 'it must be greater than thinking.budget_tokens');
  }
}

function checkOutput(config: unknown): void {
  if (config === undefined) return;
  if (!isRecord(config)) invalid('output_config', 'an object is expected');
  for (const key of Object.keys(config)) {
    if (!OUTPUT_FIELDS.has(key)) invalid(`output_config.${key}`, 'no such field is known');
  }
  const { effort } = config;
  if (effort != null && !EFFORTS.some((level) => level === effort)) {
    invalid('output_config.effort', `one of ${EFFORTS.join(', ')} is expected`);
  }
}

/** Checks the breakpoints in the order of the prompt: how many, and which lives how long. */
function checkBreakpoints(marks: readonly unknown[]): void {
  if (marks.length > CACHE_BREAKPOINTS_MAX) {
    const found = `${marks.length} were found`;
    invalid('cache_control', `at most ${CACHE_BREAKPOINTS_MAX} breakpoints are allowed, ${found}`);
  }
  let isShort = false;
  for (const mark of marks) {
    if (!isRecord(mark) || mark['type'] !== 'ephemeral') {
      invalid('cache_control.type', '"ephemeral" is expected');
    }
    const { ttl = '5m' } = mark;
    if (ttl !== '5m' && ttl !== '1h') invalid('cache_control.ttl', '"5m" or "1h" is expected');
    if (ttl === '1h' && isShort) {
      invalid('cache_control.ttl', 'a breakpoint of 1h may not come after one of 5m');
    }
    isShort ||= ttl === '5m';
  }
}

function marksOf(...lists: unknown[]): unknown[] {
  return lists
    .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
    .flatMap((item) =>
      isRecord(item) && item['cache_control'] != null ? [item['cache_control']] : [],
    );
}
