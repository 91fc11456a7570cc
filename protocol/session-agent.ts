// The snapshot of an agent that a session and its threads keep from the moment they are created,
// whatever becomes of the agent later; and what a session changes of it: overrides at its creation,
// tools and MCP servers later. A value replaces the agent's own whole and is never merged; the
// result must fit together as an agent's own fields must. docs: managed-agents/sessions.

import * as z from 'zod';
import type { BetaManagedAgentsSessionAgent } from '@anthropic-ai/sdk/resources/beta/sessions';
import {
  type Agent,
  agentDefinitionFields,
  type AgentVersionFields,
  fitting,
  type mcpServersRequest,
  modelFromRequest,
  type modelRequest,
  resolvedSkills,
  type skillsRequest,
} from './agents.ts';
import { ApiError } from './errors.ts';
import type { ModelCatalog } from './models/model-catalog.ts';
import { sessionMultiagentShape } from './multiagent.ts';
import { resolvedTools, type ToolRequest } from './tools.ts';

/** Shape of an agent as the snapshot of one thread. */
export const threadAgentShape = z.strictObject({
  id: z.string(),
  type: z.literal('agent'),
  version: z.number(),
  ...agentDefinitionFields,
});

/** Shape of `agent` on a session. */
export const sessionAgentShape = threadAgentShape.extend({
  multiagent: sessionMultiagentShape(threadAgentShape).nullable(),
});

/** Takes a session's snapshot of an agent; the roster of a multi-agent one comes with that work. */
export function sessionAgent(agent: Agent): BetaManagedAgentsSessionAgent {
  const { id, type, version, name, description, system, model } = agent;
  const { tools, mcp_servers, skills, execution_identity } = agent;
  const definition = { name, description, system, model, tools, mcp_servers, skills };
  return { id, type, version, ...definition, execution_identity, multiagent: null };
}

// ── What a session changes ───────────────────────────────────────────────────────────────────────

export interface AgentOverrides {
  model?: z.infer<typeof modelRequest> | undefined;
  system?: string | null | undefined;
  tools?: ToolRequest[] | undefined;
  mcp_servers?: z.infer<typeof mcpServersRequest> | undefined;
  skills?: z.infer<typeof skillsRequest> | undefined;
}

/**
 * The agent's fields under the overrides of a new session. A model replaces effort and region too
 * (behaviour.md 5.1). Throws 400 when the result does not fit together.
 */
export function overriddenAgent(
  fields: AgentVersionFields,
  overrides: AgentOverrides,
  models: ModelCatalog,
): AgentVersionFields {
  const within = 'agent.';
  const { model, system, tools, mcp_servers: servers, skills } = overrides;
  return fitting(
    {
      ...fields,
      ...(model === undefined
        ? {}
        : { model: modelFromRequest(model, undefined, { models, within }) }),
      ...(system === undefined ? {} : { system: system === '' ? null : system }),
      ...(tools === undefined ? {} : { tools: resolvedTools(tools) }),
      ...(servers === undefined ? {} : { mcp_servers: servers }),
      ...(skills === undefined ? {} : { skills: resolvedSkills(skills) }),
    },
    within,
  );
}

/** A session's agent with other tools or MCP servers. Throws 400 when they do not fit together. */
export function updatedSessionAgent(
  agent: BetaManagedAgentsSessionAgent,
  update: Pick<AgentOverrides, 'tools' | 'mcp_servers'>,
): BetaManagedAgentsSessionAgent {
  const { tools, mcp_servers: servers } = update;
  const fields = {
    tools: tools === undefined ? agent.tools : resolvedTools(tools),
    mcp_servers: servers ?? agent.mcp_servers,
  };
  fitting({ ...fields, skills: agent.skills }, 'agent.');
  return { ...agent, ...fields };
}

/**
 * A create request as it is parsed: `skills: null` clears like an empty list, and a model cannot be
 * cleared (400 `agent_model_required`, behaviour.md 5.1).
 */
export function withClearedOverrides(value: unknown): unknown {
  const agent = objectOf(objectOf(value)?.agent);
  if (agent?.type !== 'agent_with_overrides') return value;
  if (agent.model === null) {
    throw new ApiError('invalid_request_error', 'agent.model: an agent needs a model.', {
      error_code: 'agent_model_required',
    });
  }
  if (agent.skills !== null) return value;
  return { ...objectOf(value), agent: { ...agent, skills: [] } };
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : undefined;
}
