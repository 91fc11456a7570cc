// MCP servers in a session: their tools, policies, results and failures. docs:
// managed-agents/mcp-connector; sdk 1.11.0: AgentMCPToolUseEvent, MCPConnectionFailedErrorObject.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startMcpServer, type TestMcpServer } from '../../helpers/mcp-server.ts';
import {
  confirmation,
  MODEL,
  ofType,
  resultsOf,
  Scene,
  stopReasonOf,
  type StreamEvent,
  textOf,
  typesOf,
  waitingOf,
} from '../../helpers/scene.ts';
import { until } from '../../helpers/until.ts';

let mcp: TestMcpServer;
let scene: Scene;

beforeAll(async () => {
  mcp = await startMcpServer();
  scene = await Scene.open(inject('server'), {
    agent: {
      mcp_servers: [{ type: 'url', name: 'helper', url: mcp.url }],
      tools: [
        { type: 'agent_toolset_20260401' },
        {
          type: 'mcp_toolset',
          mcp_server_name: 'helper',
          default_config: { permission_policy: { type: 'always_allow' } },
          configs: [
            { name: 'echo', permission_policy: { type: 'always_ask' } },
            { name: 'fail', enabled: false },
          ],
        },
      ],
    },
    networking: { type: 'limited', allow_mcp_servers: true },
  });
});

afterAll(async () => {
  await scene.close();
  await mcp.close();
});

const mcpResults = (events: readonly StreamEvent[]) => ofType(events, 'agent.mcp_tool_result');

describe('a tool of an MCP server', () => {
  it('is called by its own name and answers the model', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('@slow {"ms":10}');
    expect(ofType(events, 'agent.mcp_tool_use')).toMatchObject([
      {
        name: 'slow',
        mcp_server_name: 'helper',
        evaluated_permission: 'allow',
        evaluation: { type: 'always_allow' },
      },
    ]);
    const [use] = ofType(events, 'agent.mcp_tool_use');
    expect(mcpResults(events)).toMatchObject([{ mcp_tool_use_id: use!.id, is_error: false }]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('whose policy asks waits for a confirmation', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const asked = await talk.turn('@echo {"text":"hello"}');
    const [call] = waitingOf(asked);
    expect(ofType(asked, 'agent.mcp_tool_use')).toMatchObject([
      { evaluated_permission: 'ask', evaluation: { type: 'always_ask' } },
    ]);
    await talk.send(confirmation(call!, 'allow'));
    const events = await tape.untilIdle(2);
    expect(textOf(mcpResults(events)[0]!)).toContain('hello');
  });

  it('that is judged is run, denied or asked about, like any other', async () => {
    const policy = { permission_policy: { type: 'auto' as const } };
    const toolset = { type: 'mcp_toolset' as const, mcp_server_name: 'helper' };
    const agent = {
      type: 'agent_with_overrides' as const,
      id: scene.agentId,
      tools: [{ ...toolset, default_config: policy }],
    };
    const talk = await scene.newTalk({ agent });
    const verdicts = '# judge high_risk denied\n# judge indeterminate asked';
    const lines = ['fine', 'denied', 'asked'].map((text) => `@&echo ${JSON.stringify({ text })}`);
    const events = await talk.turn([verdicts, ...lines].join('\n'));
    const uses = ofType(events, 'agent.mcp_tool_use');
    expect(uses.map((use) => use.evaluated_permission)).toEqual(['allow', 'deny', 'ask']);
    expect(uses.map((use) => use.evaluation)).toMatchObject([
      { type: 'auto', evaluated_permission: { type: 'allow' } },
      { type: 'auto', evaluated_permission: { type: 'deny', reason_code: 'high_risk' } },
      { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
    ]);
    expect(mcpResults(events)).toHaveLength(2);
    expect(waitingOf(events)).toEqual([uses[2]!.id]);
  });

  it('that is disabled is not there for the model', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('@mcp__helper__fail {}');
    expect(ofType(events, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'deny' }]);
    expect(ofType(events, 'agent.mcp_tool_use')).toEqual([]);
  });

  it('may answer with a picture', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('@image {}');
    const [result] = ofType(events, 'agent.mcp_tool_result');
    const source = { type: 'base64', media_type: 'image/png' };
    expect(result?.content).toMatchObject([{ type: 'image', source }]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('may answer with a resource, which the model reads as a document', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('@page {}');
    const [result] = ofType(events, 'agent.mcp_tool_result');
    const source = { type: 'text', data: 'some notes' };
    expect(result?.content).toMatchObject([{ type: 'document', source }]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('that answers too long a text has it kept whole in a file of the sandbox', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ true\n@big {"n":250000}');
    const text = textOf(mcpResults(events)[0]!);
    expect(text.length).toBeLessThan(20_000);
    const path = /\/mnt\/session\/tool-output\/[\w.-]+/.exec(text)?.[0];
    const next = await talk.turn(`$ wc -c < ${path}`);
    expect(Number(resultsOf(next)[0])).toBeGreaterThanOrEqual(250_000);
  });

  it('that answers with too long a document has it kept as well', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ true\n@page {"copies":20000}');
    const [document] = mcpResults(events)[0]?.content ?? [];
    expect(document).toMatchObject({ type: 'document', title: 'file:///notes.txt' });
    const shown = JSON.stringify(document);
    expect(shown.length).toBeLessThan(20_000);
    const path = /\/mnt\/session\/tool-output\/[\w.-]+/.exec(shown)?.[0];
    expect(resultsOf(await talk.turn(`$ wc -c < ${path}`))).toEqual(['200000']);
  });

  it('that is interrupted is cancelled, and its call gets an error', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const before = mcp.cancelled;
    await talk.say('@slow {"ms":60000}');
    const calls = mcp.calls.get('slow') ?? 0;
    await tape.untilType('agent.mcp_tool_use');
    await until('the server has the call', () => (mcp.calls.get('slow') ?? 0) > calls);
    await talk.interrupt();
    const events = await tape.untilIdle();
    expect(mcpResults(events)).toMatchObject([{ is_error: true }]);
    expect(stopReasonOf(events)).toBe('end_turn');
    await until('the server was told', () => mcp.cancelled > before);
  });

  it('runs beside commands of the same reply', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$& echo shell\n@& slow {"ms":20}');
    expect(resultsOf(events)).toEqual(['shell']);
    expect(mcpResults(events)).toHaveLength(1);
  });
});

describe('an MCP server', () => {
  it('that cannot be reached is told of, and the session goes on without its tools', async () => {
    const agent = {
      type: 'agent_with_overrides' as const,
      id: scene.agentId,
      mcp_servers: [{ type: 'url' as const, name: 'helper', url: 'http://127.0.0.1:9/mcp' }],
    };
    const talk = await scene.newTalk({ agent });
    const events = await talk.turn('$ echo alone');
    expect(ofType(events, 'session.error')).toMatchObject([
      {
        error: {
          type: 'mcp_connection_failed_error',
          mcp_server_name: 'helper',
          retry_status: { type: 'retrying' },
        },
      },
    ]);
    expect(resultsOf(events)).toEqual(['alone']);
    expect(stopReasonOf(events)).toBe('end_turn');
    // Once a turn, not once a round.
    expect(typesOf(events).filter((type) => type === 'session.error')).toHaveLength(1);
  });

  it('that wants a credential is told of as such', async () => {
    mcp.wantToken('secret');
    const closed = await startMcpServer();
    closed.wantToken('secret');
    const agent = {
      type: 'agent_with_overrides' as const,
      id: scene.agentId,
      mcp_servers: [{ type: 'url' as const, name: 'helper', url: closed.url }],
    };
    const talk = await scene.newTalk({ agent });
    const events = await talk.turn('= hello');
    expect(ofType(events, 'session.error')).toMatchObject([
      { error: { type: 'mcp_authentication_failed_error', mcp_server_name: 'helper' } },
    ]);
    mcp.wantToken(null);
    await closed.close();
  });

  it('that comes back is connected to at the next turn', async () => {
    const talk = await scene.newTalk();
    await mcp.goAway();
    expect(ofType(await talk.turn('= first'), 'session.error')).toHaveLength(1);
    await mcp.comeBack();
    const events = await talk.turn('@slow {"ms":1}');
    expect(ofType(events, 'session.error')).toEqual([]);
    expect(mcpResults(events)).toMatchObject([{ is_error: false }]);
  });

  it('is no part of a session whose network is closed to it', async () => {
    const { client } = scene;
    const environment = await client.beta.environments.create({
      name: 'closed to MCP servers',
      config: { type: 'cloud', networking: { type: 'limited' } },
    });
    const created = client.beta.sessions.create({
      agent: scene.agentId,
      environment_id: environment.id,
    });
    await expect(created).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('allow_mcp_servers'),
    });
  });

  it.each([
    [
      'a toolset names a server that is not there',
      { tools: [{ type: 'mcp_toolset' as const, mcp_server_name: 'x' }] },
    ],
    [
      'no toolset names it',
      { mcp_servers: [{ type: 'url' as const, name: 'x', url: 'https://a.com' }] },
    ],
  ])('is refused where %s', async (_, fields) => {
    const created = scene.client.beta.agents.create({ name: 'a', model: MODEL, ...fields });
    await expect(created).rejects.toMatchObject({ status: 400 });
  });
});
