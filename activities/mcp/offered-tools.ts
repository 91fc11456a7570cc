// The MCP tools that an agent's model is offered: pure. What a server lists is one thing, what the
// agent's toolsets enable another; the order is fixed by the agent and by name, since a request's
// prefix must not change with a server's mood.

import type Anthropic from '@anthropic-ai/sdk';
import { mcpToolSettings, type Tool } from '../../protocol/tools.ts';
import type { McpTool } from './tool-list.ts';

export interface OfferedMcpTools {
  definitions: Anthropic.Tool[];
  /** The offered tools by the name that the model knows */
  byModelName: Map<string, McpTool>;
}

/** Picks the enabled ones of the servers' tools: in the order of the toolsets, then by name. */
export function offeredMcpTools(
  tools: readonly McpTool[],
  agentTools: readonly Tool[],
): OfferedMcpTools {
  const servers = agentTools.flatMap((tool) =>
    tool.type === 'mcp_toolset' ? [tool.mcp_server_name] : [],
  );
  const enabled = tools.filter((t) => mcpToolSettings(agentTools, t.server, t.name).enabled);
  const ordered = enabled.toSorted(
    (a, b) => servers.indexOf(a.server) - servers.indexOf(b.server) || (a.name < b.name ? -1 : 1),
  );
  const byModelName = new Map<string, McpTool>();
  for (const tool of ordered) {
    if (!byModelName.has(tool.modelName)) byModelName.set(tool.modelName, tool);
  }
  return { definitions: [...byModelName.values()].map(definitionOf), byModelName };
}

function definitionOf(tool: McpTool): Anthropic.Tool {
  const { modelName, description, inputSchema } = tool;
  return {
    name: modelName,
    ...(description === '' ? {} : { description }),
    input_schema: inputSchema as Anthropic.Tool.InputSchema,
  };
}
