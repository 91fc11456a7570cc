// The tools a session's model is offered, and what becomes of a call to each. Names, descriptions
// and input schemas of the built-in ones are the SDK's own agent toolset, the same code that runs
// them in the sandbox, so the model reads what will happen; custom ones are the agent's.

import type Anthropic from '@anthropic-ai/sdk';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import type { SessionAgent } from '../../protocol/sessions.ts';
import {
  builtInToolSettings,
  mcpToolSettings,
  type PermissionPolicy,
  SANDBOX_TOOLS,
  WEB_TOOLS,
} from '../../protocol/tools.ts';
import { offeredMcpTools } from '../mcp/offered-tools.ts';
import type { McpTool } from '../mcp/tool-list.ts';
import type { PendingCall } from '../messages.ts';
import { webToolDefinitions } from '../web/web-tools.ts';

/** A tool the model was offered: who answers a call to it, and what must be asked first. */
export interface BookedTool {
  /** As events name it */
  name: string;
  runsIn: PendingCall['answeredBy'];
  policy: PermissionPolicy['type'];
  /** MCP server it belongs to */
  server?: string;
  isRepeatable?: true;
}

/** Tools by the name that the model knows. */
export type ToolBook = ReadonlyMap<string, BookedTool>;

/** What is to become of a call whose policy is `auto`. sdk 1.11.0: AgentAutoEvaluatedPermission. */
export type Verdict =
  | { type: 'allow' }
  | { type: 'ask' | 'deny'; reason: 'high_risk' | 'indeterminate' };

/** The enabled tools of an agent in a fixed order, since a request's prefix must not change. */
export function offeredTools(
  agent: SessionAgent,
  mcpTools: readonly McpTool[] = [],
): Anthropic.Tool[] {
  const book = toolBook(agent);
  const sandbox = SANDBOX_TOOLS.filter((name) => book.has(name));
  return [
    ...sandbox.map((name) => DEFINITIONS.get(name)!),
    ...webToolDefinitions(new Set(book.keys())),
    ...agent.tools.filter((tool) => tool.type === 'custom').map(customDefinition),
    ...offeredMcpTools(mcpTools, agent.tools).definitions,
  ];
}

/** Every enabled tool of an agent, those of its MCP servers included. */
export function toolBook(agent: SessionAgent, mcpTools: readonly McpTool[] = []): ToolBook {
  const book = new Map<string, BookedTool>();
  for (const name of [...SANDBOX_TOOLS, ...WEB_TOOLS]) {
    const settings = builtInToolSettings(agent.tools, name);
    if (settings?.enabled !== true) continue;
    const policy = settings.permission_policy.type;
    const isWeb = WEB_TOOLS.some((each) => each === name);
    if (isWeb) book.set(name, { name, runsIn: 'web', policy, isRepeatable: true });
    else book.set(name, { name, runsIn: 'sandbox', policy });
  }
  for (const [modelName, tool] of offeredMcpTools(mcpTools, agent.tools).byModelName) {
    const { server, name } = tool;
    const policy = mcpToolSettings(agent.tools, server, name).permission_policy.type;
    const repeatable = tool.isIdempotent ? { isRepeatable: true as const } : {};
    book.set(modelName, { name, server, runsIn: 'mcp', policy, ...repeatable });
  }
  for (const tool of agent.tools) {
    // behaviour 3.2: policies never apply to custom tools.
    if (tool.type !== 'custom') continue;
    book.set(tool.name, { name: tool.name, runsIn: 'client', policy: 'always_allow' });
  }
  return book;
}

/** Whether the agent has tools that run in a sandbox. */
export function usesSandbox(agent: SessionAgent): boolean {
  return [...toolBook(agent).values()].some(({ runsIn }) => runsIn === 'sandbox');
}

function customDefinition(
  tool: Extract<SessionAgent['tools'][number], { type: 'custom' }>,
): Anthropic.Tool {
  const { name, description, input_schema: schema } = tool;
  return { name, description, input_schema: schema as Anthropic.Tool.InputSchema };
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
