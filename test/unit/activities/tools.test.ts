// Which tools a model is offered, and what becomes of a call to each: pure, so agents are given and
// the lists are looked at.

import { describe, expect, test } from 'vitest';
import type { SessionAgent } from '../../../protocol/sessions.ts';
import { offeredTools, toolBook, usesSandbox } from '../../../activities/model/tools.ts';
import { parseBody } from '../../../protocol/parse.ts';
import { createAgentRequest, agentFromCreate } from '../../../protocol/agents.ts';

const MCP_TOOL = {
  server: 'docs',
  name: 'look up',
  modelName: 'mcp__docs__look_up_1a2b',
  description: 'Looks up.',
  inputSchema: { type: 'object' },
  isIdempotent: true,
};

function agent(tools: object[]): SessionAgent {
  const servers = [{ type: 'url', name: 'docs', url: 'https://docs.example.com/mcp' }];
  const isUsed = tools.some((tool) => 'mcp_server_name' in tool);
  const fields = { name: 'a', model: 'claude-opus-5-5', tools };
  const body = parseBody(createAgentRequest, isUsed ? { ...fields, mcp_servers: servers } : fields);
  return agentFromCreate(body) as unknown as SessionAgent;
}

const TOOLSET = { type: 'agent_toolset_20260401' };
const CUSTOM = { type: 'custom', name: 'mine', description: 'd', input_schema: { type: 'object' } };
const names = (tools: object[]) => offeredTools(agent(tools), [MCP_TOOL]).map(({ name }) => name);

describe('the tools of a request', () => {
  test('come in one order: sandbox, web, custom, MCP', () => {
    const all = [CUSTOM, { type: 'mcp_toolset', mcp_server_name: 'docs' }, TOOLSET];
    expect(names(all)).toEqual([
      'bash',
      'read',
      'write',
      'edit',
      'glob',
      'grep',
      'web_fetch',
      'web_search',
      'mine',
      MCP_TOOL.modelName,
    ]);
  });

  test('are those that are enabled', () => {
    const off = { ...TOOLSET, default_config: { enabled: false } };
    expect(names([{ ...off, configs: [{ name: 'read', enabled: true }] }])).toEqual(['read']);
    const mcp = { type: 'mcp_toolset', mcp_server_name: 'docs' };
    expect(names([{ ...mcp, configs: [{ name: 'look up', enabled: false }] }])).toEqual([]);
    expect(usesSandbox(agent([off]))).toBe(false);
    expect(usesSandbox(agent([CUSTOM]))).toBe(false);
  });
});

describe('the book of tools', () => {
  test('says who answers a call, under which policy, and whether it may be made twice', () => {
    const asking = { permission_policy: { type: 'always_ask' } };
    const book = toolBook(
      agent([
        { ...TOOLSET, configs: [{ name: 'web_fetch', permission_policy: { type: 'auto' } }] },
        { type: 'mcp_toolset', mcp_server_name: 'docs', default_config: asking },
        CUSTOM,
      ]),
      [MCP_TOOL],
    );
    expect(book.get('bash')).toEqual({ name: 'bash', runsIn: 'sandbox', policy: 'always_allow' });
    expect(book.get('web_fetch')).toMatchObject({ runsIn: 'web', policy: 'auto' });
    expect(book.get('mine')).toMatchObject({ runsIn: 'client' });
    expect(book.get(MCP_TOOL.modelName)).toEqual({
      name: 'look up',
      server: 'docs',
      runsIn: 'mcp',
      policy: 'always_ask',
      isRepeatable: true,
    });
  });
});
