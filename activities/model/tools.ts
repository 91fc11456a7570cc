// The tools a session's model is offered. Names, descriptions and input schemas of the built-in
// ones are the SDK's own agent toolset, the same code that runs them in the sandbox, so the model
// reads what will happen. Web tools are not offered yet (docs/differences.md).

import type Anthropic from '@anthropic-ai/sdk';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import type { SessionAgent } from '../../protocol/sessions.ts';
import { builtInToolSettings, SANDBOX_TOOLS } from '../../protocol/tools.ts';

/** The enabled tools of an agent in a fixed order, since a request's prefix must not change. */
export function offeredTools(agent: SessionAgent): Anthropic.Tool[] {
  const enabled = enabledTools(agent);
  return SANDBOX_TOOLS.filter((name) => enabled.has(name)).map((name) => DEFINITIONS.get(name)!);
}

/** Names of the enabled built-in tools that run in the sandbox. */
export function enabledTools(agent: SessionAgent): ReadonlySet<string> {
  return new Set(
    SANDBOX_TOOLS.filter((name) => builtInToolSettings(agent.tools, name)?.enabled === true),
  );
}

const DEFINITIONS: ReadonlyMap<string, Anthropic.Tool> = new Map(
  betaAgentToolset20260401({ workdir: '/workspace' }).flatMap((tool) =>
    'input_schema' in tool
      ? [
          [
            tool.name,
            {
              name: tool.name,
              description: 'description' in tool ? tool.description : undefined,
              input_schema: tool.input_schema as Anthropic.Tool.InputSchema,
            },
          ] as [string, Anthropic.Tool],
        ]
      : [],
  ),
);
