// The request of one model call: pure. Everything before the newest messages is byte for byte what
// the previous call of the session sent, so that the provider's prompt cache hits.

import type Anthropic from '@anthropic-ai/sdk';
import { MODEL_OUTPUT_TOKENS_MAX, THINKING_BUDGET_TOKENS_MIN } from '../../protocol/limits.ts';
import type { Effort, ModelCatalog, ThinkingKind } from '../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG } from '../../protocol/models/public-models.ts';
import type { SessionAgent } from '../../protocol/sessions.ts';
import type { ModelRequest } from './anthropic.ts';
import type { McpTool } from '../mcp/tool-list.ts';
import { offeredTools, usesSandbox } from './tools.ts';
import { withCacheBreakpoints } from './transcript.ts';

/** Thinking allowance for models that take one, in tokens. */
const THINKING_BUDGET_TOKENS = 8_000;

/**
 * Builds the request for an agent and its conversation so far. A model of which nothing is known
 * gets the plainest one: no thinking, no effort.
 */
export function modelRequest(
  agent: SessionAgent,
  messages: Anthropic.MessageParam[],
  models: ModelCatalog = PUBLIC_CATALOG,
  mcpTools: readonly McpTool[] = [],
): ModelRequest {
  const { id } = agent.model;
  const known = models.find(id);
  const outputTokens = Math.min(known?.outputTokensMax ?? Infinity, MODEL_OUTPUT_TOKENS_MAX);
  const isCaching = known?.hasPromptCaching ?? true;
  const tools = offeredTools(agent, mcpTools);
  const system = systemBlocks(agent, { hasSandbox: usesSandbox(agent), isCaching });
  return {
    model: id,
    max_tokens: outputTokens,
    ...(system.length > 0 ? { system } : {}),
    ...(tools.length > 0 ? { tools } : {}),
    ...thinking(known?.thinking ?? 'none', outputTokens),
    ...effort(agent.model.effort?.type, known?.efforts ?? []),
    ...terms(agent.model),
    messages: isCaching ? withCacheBreakpoints(messages) : messages,
  };
}

/** An allowance is part of what may be put out, so at most half of it. */
function thinking(kind: ThinkingKind, outputTokens: number): Pick<ModelRequest, 'thinking'> {
  if (kind === 'adaptive') return { thinking: { type: 'adaptive' } };
  const budget = Math.min(THINKING_BUDGET_TOKENS, Math.floor(outputTokens / 2));
  if (kind === 'none' || budget < THINKING_BUDGET_TOKENS_MIN) return {};
  return { thinking: { type: 'enabled', budget_tokens: budget } };
}

/** How and where the request is to be served, where the agent says so. */
function terms({ speed, inference_geo: geo }: SessionAgent['model']): Partial<ModelRequest> {
  return {
    ...(speed === 'fast' ? { speed } : {}),
    ...(geo === undefined ? {} : { inference_geo: geo }),
  };
}

/** Only what the agent names: the model's own level needs no saying. */
function effort(
  named: Effort | undefined,
  levels: readonly Effort[],
): Pick<ModelRequest, 'output_config'> {
  if (named === undefined || !levels.includes(named)) return {};
  return { output_config: { effort: named } };
}

/** The agent's own prompt, then what the model must know of the machine it works on. */
function systemBlocks(
  agent: SessionAgent,
  { hasSandbox, isCaching }: { hasSandbox: boolean; isCaching: boolean },
): Anthropic.TextBlockParam[] {
  const parts = [agent.system, hasSandbox ? SANDBOX_NOTE : null].filter(
    (part): part is string => part !== null && part !== undefined && part !== '',
  );
  return parts.map((text, index) => ({
    type: 'text',
    text,
    // One mark after the last block covers the tools and the whole system prompt.
    ...(isCaching && index === parts.length - 1 ? { cache_control: { type: 'ephemeral' } } : {}),
  }));
}

const SANDBOX_NOTE = [
  'Your tools run in a Linux container of your own. The working directory is /workspace; files',
  'there are kept for the whole session. The bash tool keeps its shell between calls. The',
  'container may be',
  'stopped while you wait for the user: files stay, background processes and shell state do not.',
].join(' ');
