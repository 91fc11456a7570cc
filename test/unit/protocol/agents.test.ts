// How an agent is created and updated, with its defaults and its rules.
// docs: managed-agents/agent-setup; behaviour.md 2 and 3.

import { describe, expect, test } from 'vitest';
import {
  agentAfterUpdate,
  agentFromCreate,
  agentShape,
  createAgentRequest,
  sameAgentVersion,
  updateAgentRequest,
} from '../../../protocol/agents.ts';
import { withShownEffort } from '../../../protocol/models/public-models.ts';
import { parseBody } from '../../../protocol/parse.ts';
import { sessionAgent, sessionAgentShape } from '../../../protocol/session-agent.ts';
import { builtInToolSettings } from '../../../protocol/tools.ts';

const create = (extra: object = {}) =>
  agentFromCreate(parseBody(createAgentRequest, { name: 'a', model: 'claude-x', ...extra }));
const update = (current: ReturnType<typeof create>, request: object) =>
  agentAfterUpdate(current, parseBody(updateAgentRequest, request));
const whole = (fields: ReturnType<typeof create>) => ({
  id: 'agent_1',
  type: 'agent' as const,
  version: 1,
  created_at: '2026-11-21T00:00:00Z',
  updated_at: '2026-11-21T00:00:00Z',
  archived_at: null,
  ...fields,
});

const TOOLSET = { type: 'agent_toolset_20260401' };
const MCP = {
  mcp_servers: [{ type: 'url', name: 'docs', url: 'https://mcp.example.com/' }],
  tools: [TOOLSET, { type: 'mcp_toolset', mcp_server_name: 'docs' }],
};
const SKILLED = { tools: [TOOLSET], skills: [{ type: 'anthropic', skill_id: 'pdf' }] };

describe('create', () => {
  test('a response has every default filled in', () => {
    expect(withShownEffort(create())).toEqual({
      name: 'a',
      description: null,
      system: null,
      model: { id: 'claude-x', effort: { type: 'high' }, speed: 'standard' },
      tools: [],
      mcp_servers: [],
      skills: [],
      multiagent: null,
      execution_identity: { type: 'service_account' },
      metadata: {},
    });
  });

  test('a created agent and its session snapshot have the documented shape', () => {
    const agent = whole(create({ ...MCP, skills: SKILLED.skills, metadata: { k: 'v' } }));
    expect(agentShape.parse(agent)).toEqual(agent);
    const snapshot = sessionAgent(agent);
    expect(sessionAgentShape.parse(snapshot)).toEqual(snapshot);
    expect(snapshot).not.toHaveProperty('metadata');
  });

  test.each(['low', { type: 'low' }])('effort %j is stored as an object', (effort) => {
    const model = { id: 'claude-x', effort };
    expect(create({ model }).model.effort).toEqual({ type: 'low' });
  });

  test.each([
    ['claude-opus-5-5', 'medium'],
    ['claude-haiku-5-5-20261101', 'medium'],
    ['claude-opus-5', 'high'],
    ['claude-opus-4-8', 'high'],
    ['claude-haiku-4-5', 'high'],
    ['some-model', 'high'],
  ])('an unnamed effort of %s is shown as %s', (model, type) => {
    expect(withShownEffort(create({ model })).model.effort).toEqual({ type });
  });

  test.each([
    ['claude-opus-4-6', 'xhigh', /^model\.effort: .* "low", "medium", "high", "max"/],
    ['claude-opus-4-5-20251101', 'max', /^model\.effort: .* "low", "medium", "high"/],
    ['claude-haiku-4-5', 'high', /^model\.effort: /],
    ['claude-sonnet-4-5', { type: 'low' }, /^model\.effort: /],
  ])('%s with the effort %j is refused, since it would fail every turn', (id, effort, message) => {
    expect(() => create({ model: { id, effort } })).toThrow(message);
    expect(() => update(create(), { model: { id, effort } })).toThrow(message);
  });

  test('a null effort names none', () => {
    const model = { id: 'claude-haiku-4-5', effort: null };
    expect(create({ model })).toEqual(create({ model: model.id }));
  });

  test('a toolset is echoed with its defaults and its entries resolved', () => {
    const { tools } = create({
      tools: [
        {
          ...TOOLSET,
          default_config: { enabled: false },
          configs: [
            { name: 'bash', enabled: true },
            { name: 'web_fetch', url_sources: { user_input: 'none' } },
            { name: 'read', permission_policy: { type: 'always_ask' } },
          ],
        },
      ],
    });
    const allow = { type: 'always_allow' };
    expect(tools).toEqual([
      {
        ...TOOLSET,
        default_config: { enabled: false, permission_policy: allow },
        configs: [
          { name: 'bash', type: 'bash', enabled: true, permission_policy: allow },
          {
            name: 'web_fetch',
            type: 'web_fetch',
            enabled: false,
            permission_policy: allow,
            url_sources: {
              client_tool_results: null,
              server_tool_results: null,
              user_input: { type: 'none' },
            },
          },
          { name: 'read', type: 'read', enabled: false, permission_policy: { type: 'always_ask' } },
        ],
      },
    ]);
    expect(builtInToolSettings(tools, 'bash')?.enabled).toBe(true);
    expect(builtInToolSettings(tools, 'write')?.enabled).toBe(false);
    expect(builtInToolSettings([], 'bash')).toBeNull();
  });

  test('an MCP toolset asks unless it is told otherwise', () => {
    expect(create(MCP).tools[1]).toEqual({
      type: 'mcp_toolset',
      mcp_server_name: 'docs',
      default_config: { enabled: true, permission_policy: { type: 'always_ask' } },
      configs: [],
    });
  });

  test.each([
    ['a server without a toolset', { mcp_servers: MCP.mcp_servers }, /^mcp_servers\.0: /],
    ['a toolset without a server', { tools: MCP.tools }, /^tools\.1\.mcp_server_name: /],
    [
      'two servers of one name',
      { mcp_servers: [...MCP.mcp_servers, ...MCP.mcp_servers] },
      /^mcp_servers\.1\.name: /,
    ],
    ['skills without the read tool', { skills: SKILLED.skills }, /^skills: .*read/],
    ['two built-in toolsets', { tools: [TOOLSET, TOOLSET] }, /^tools\.1\.type: /],
    [
      'one tool set twice',
      { tools: [{ ...TOOLSET, configs: [{ name: 'bash' }, { name: 'bash' }] }] },
      /^tools\.0\.configs\.1\.name: /,
    ],
    [
      'too many entries',
      { tools: Array(129).fill(TOOLSET) },
      /^tools: expected at most 128 entries/,
    ],
    [
      'an MCP address that is none',
      { mcp_servers: [{ type: 'url', name: 'd', url: 'file:///etc' }] },
      /^mcp_servers\.0\.url: /,
    ],
    ['a system prompt that is too long', { system: 'x'.repeat(100_001) }, /^system: .*100000/],
  ])('%s is a 400', (_, extra, message) => {
    expect(() => create(extra)).toThrow(message);
  });

  const custom = (extra: object) => ({
    tools: [
      { type: 'custom', name: 't', description: 'd', input_schema: { type: 'object' }, ...extra },
    ],
  });
  test.each([
    [{ name: 'bash' }],
    [{ name: 'mcp__x' }],
    [{ name: 'ant__x' }],
    [{ name: 'a b' }],
    [{ name: 'x'.repeat(129) }],
    [{ description: '' }],
    [{ input_schema: { type: 'array' } }],
    [{ input_schema: { type: 'object', anyOf: [] } }],
    [{ input_schema: { type: 'object', properties: { a: { items: { $ref: '#/x' } } } } }],
    [{ input_schema: { type: 'object', properties: { 'a b': {} } } }],
    [{ input_schema: { type: 'object', properties: { ['x'.repeat(65)]: {} } } }],
  ])('custom tool %j is a 400', (extra) => {
    expect(() => create(custom(extra))).toThrow(/^tools\.0\./);
  });

  test('a custom tool keeps its schema, of which the old generation may omit the type', () => {
    const schema = { properties: { city: { type: 'string' } }, required: ['city'], title: 'T' };
    const [tool] = create(custom({ input_schema: schema })).tools;
    expect(tool).toMatchObject({ input_schema: { type: 'object', ...schema } });
  });
});

describe('update', () => {
  const stored = create({
    ...MCP,
    model: { id: 'claude-opus-5-5', effort: 'low', inference_geo: 'us' },
    system: 's',
    description: 'd',
    metadata: { a: '1', b: '2' },
  });

  test('an empty update changes nothing, and equals what was there', () => {
    expect(sameAgentVersion(update(stored, {}), stored)).toBe(true);
    expect(sameAgentVersion(update(stored, { system: 's', name: 'a' }), stored)).toBe(true);
  });

  test('equality does not see the order of keys, but that of lists', () => {
    const turned = { ...stored, metadata: { b: '2', a: '1' } };
    expect(sameAgentVersion(turned, stored)).toBe(true);
    const reordered = { ...stored, tools: stored.tools.toReversed() };
    expect(sameAgentVersion(reordered, stored)).toBe(false);
    expect(sameAgentVersion({ ...stored, system: null }, stored)).toBe(false);
  });

  test.each([null, ''])('%j clears system and description', (nothing) => {
    const next = update(stored, { system: nothing, description: nothing });
    expect([next.system, next.description]).toEqual([null, null]);
  });

  test.each([null, []])('%j clears lists', (nothing) => {
    const next = update(stored, { tools: nothing, mcp_servers: nothing });
    expect([next.tools, next.mcp_servers]).toEqual([[], []]);
  });

  test('name and model cannot be cleared', () => {
    expect(() => update(stored, { name: '' })).toThrow(/^name: /);
    expect(() => update(stored, { name: null })).toThrow(/^name: /);
    expect(() => update(stored, { model: null })).toThrow(/^model: /);
  });

  test('the same model without effort keeps its effort, and loses its region', () => {
    for (const model of ['claude-opus-5-5', { id: 'claude-opus-5-5' }]) {
      expect(update(stored, { model }).model).toEqual({
        id: 'claude-opus-5-5',
        effort: { type: 'low' },
        speed: 'standard',
      });
    }
  });

  test('another model takes the default effort', () => {
    const shown = (model: string) => withShownEffort(update(stored, { model })).model.effort;
    expect(shown('claude-y')).toEqual({ type: 'high' });
    expect(shown('claude-haiku-5-5')).toEqual({ type: 'medium' });
  });

  test('metadata is merged by key, null deletes', () => {
    expect(update(stored, { metadata: { a: null, c: '3' } }).metadata).toEqual({ b: '2', c: '3' });
    expect(update(stored, { metadata: null }).metadata).toEqual(stored.metadata);
    const many = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, 'v']));
    expect(() => update(stored, { metadata: many })).toThrow(
      /^metadata: expected at most 16 pairs/,
    );
    expect(() => update(stored, { metadata: { ...many, a: null } })).not.toThrow();
  });

  test('the result must fit together', () => {
    expect(() => update(stored, { tools: [] })).toThrow(/^mcp_servers\.0: /);
    expect(() => update(create(SKILLED), { tools: [] })).toThrow(/^skills: /);
  });
});

describe('how and where a model is served', () => {
  test.each([
    ['fast mode', { id: 'claude-sonnet-4-5', speed: 'fast' }, 'model.speed'],
    ['fast mode of an unknown model', { id: 'm', speed: 'fast' }, 'model.speed'],
    ['a region that is none', { id: 'claude-opus-5-5', inference_geo: 'eu' }, 'inference_geo'],
    ['a region of an unknown model', { id: 'm', inference_geo: 'us' }, 'model.inference_geo'],
  ])('%s is refused', (_, model, field) => {
    expect(() => create({ model })).toThrow(field);
  });

  test('a model that has both takes both', () => {
    const model = { id: 'claude-opus-5-5', speed: 'fast', inference_geo: 'us' };
    expect(create({ model }).model).toMatchObject(model);
  });
});
