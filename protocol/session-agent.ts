// The snapshot of an agent that a session and its threads keep from the moment they are created,
// whatever becomes of the agent later.

import * as z from 'zod';
import type { BetaManagedAgentsSessionAgent } from '@anthropic-ai/sdk/resources/beta/sessions';
import { type Agent, agentDefinitionFields } from './agents.ts';
import { sessionMultiagentShape } from './multiagent.ts';

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
