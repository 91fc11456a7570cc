// The request of one model call: pure. Everything before the newest messages is byte for byte what
// the previous call of the session sent, so that the provider's prompt cache hits.

import type Anthropic from '@anthropic-ai/sdk';
import type { Effort } from '../../protocol/effort.ts';
import type { SessionAgent } from '../../protocol/sessions.ts';
import type { ModelRequest } from './anthropic.ts';
import { abilitiesOf } from './routes.ts';
import { offeredTools, usesSandbox } from './tools.ts';
import { withCacheBreakpoints } from './transcript.ts';

/** Thinking allowance for models that take one, in tokens. */
const THINKING_BUDGET_TOKENS = 8_000;

/** Builds the request for an agent and its conversation so far. */
export function modelRequest(
  agent: SessionAgent,
  messages: Anthropic.MessageParam[],
): ModelRequest {
  const { id } = agent.model;
  const abilities = abilitiesOf(id);
  const tools = offeredTools(agent);
  const system = systemBlocks(agent, usesSandbox(agent));
  return {
    model: id,
    max_tokens: abilities.outputTokensMax,
    ...(system.length > 0 ? { system } : {}),
    ...(tools.length > 0 ? { tools } : {}),
    ...thinking(abilities.thinking),
    ...effort(agent.model.effort?.type, abilities.efforts),
    messages: withCacheBreakpoints(messages),
  };
}

function thinking(kind: 'adaptive' | 'budget' | 'none'): Pick<ModelRequest, 'thinking'> {
  if (kind === 'adaptive') return { thinking: { type: 'adaptive' } };
  if (kind === 'budget') {
    return { thinking: { type: 'enabled', budget_tokens: THINKING_BUDGET_TOKENS } };
  }
  return {};
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
function systemBlocks(agent: SessionAgent, hasSandbox: boolean): Anthropic.TextBlockParam[] {
  const parts = [agent.system, hasSandbox ? SANDBOX_NOTE : null].filter(
    (part): part is string => part !== null && part !== undefined && part !== '',
  );
  return parts.map((text, index) => ({
    type: 'text',
    text,
    // One mark after the last block covers the tools and the whole system prompt.
    ...(index === parts.length - 1 ? { cache_control: { type: 'ephemeral' } } : {}),
  }));
}

const SANDBOX_NOTE = [
  'Your tools run in a Linux container of your own. The working directory is /workspace; files',
  'there are kept for the whole session. The bash tool keeps its shell between calls. The',
  'container may be',
  'stopped while you wait for the user: files stay, background processes and shell state do not.',
].join(' ');
