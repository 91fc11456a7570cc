// The tools of a session's MCP servers for one model request. Servers are connected to at the
// beginning of a turn; one that cannot be reached is told as `session.error` and the session goes
// on without its tools until the next turn (docs: managed-agents/mcp-connector).

import { Context } from '@temporalio/activity';
import type { SessionAgent } from '../protocol/sessions.ts';
import { appendEvents, stepEvent } from '../store/events.ts';
import type { ActivityDeps } from './deps.ts';
import type { McpTool } from './mcp/tool-list.ts';
import type { SessionRef } from './messages.ts';

/** Lists the tools; `key` names the attempt, whose failures are told once. */
export async function mcpToolsOf(
  deps: ActivityDeps,
  agent: SessionAgent,
  of: { input: SessionRef; key: string; isTurnStart: boolean },
): Promise<readonly McpTool[]> {
  if (agent.mcp_servers.length === 0) return [];
  const { sessionId, threadId } = of.input;
  const signal = Context.current().cancellationSignal;
  const options = { refresh: of.isTurnStart, signal };
  const { tools, failures } = await deps.mcp.tools({ sessionId }, agent.mcp_servers, options);
  if (failures.length > 0) {
    const step = { sessionId, threadId, key: `${of.key}.mcp` };
    const events = failures.map(({ type, server, message }, index) => {
      const retry_status = { type: 'retrying' };
      const error = { type, message, mcp_server_name: server, retry_status };
      return stepEvent(step, index, { type: 'session.error', error });
    });
    await appendEvents(deps.sql, { sessionId, stepKey: step.key, events });
  }
  return tools;
}
