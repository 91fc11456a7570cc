// A server's tool list as we keep and offer it: names that no two tools share, lies left out with a
// reason, bounds, and the agent's own switches. Pure.

import { describe, expect, test } from 'vitest';
import { offeredMcpTools } from '../../../activities/mcp/offered-tools.ts';
import { modelToolName, toolList } from '../../../activities/mcp/tool-list.ts';
import { mcpToolSettings, resolvedTools } from '../../../protocol/tools.ts';

const schema = { type: 'object' };
const plain = (name: string) => ({ name, inputSchema: schema });

describe('names for the model', () => {
  test('are plain where they can be', () => {
    expect(modelToolName('github', 'create_issue')).toBe('mcp__github__create_issue');
  });

  test.each([
    ['a server of another alphabet', 'сервер', 'tool'],
    ['dots and slashes', 'my.server', 'files/read'],
    ['a long server', 's'.repeat(255), 'tool'],
    ['a long tool', 'server', 't'.repeat(128)],
    ['both long', 's'.repeat(255), 't'.repeat(128)],
    ['a name that looks like a hashed one', 'server', 'tool_0123456789abcdef'],
  ])('%s is cut and hashed', (_, server, tool) => {
    const name = modelToolName(server, tool);
    expect(name).toMatch(/^mcp__[A-Za-z0-9_-]+__[A-Za-z0-9_-]+_[0-9a-f]{16}$/);
    expect(name.length).toBeLessThanOrEqual(64);
    expect(modelToolName(server, tool)).toBe(name);
  });

  test('tell apart what would read the same', () => {
    const pairs = [
      ['a__b', 'c'],
      ['a', 'b__c'],
      ['a_', 'b'],
      ['a', '_b'],
      ['a', '__b'],
      ['a__', 'b'],
      ['a.b', 'c'],
      ['a b', 'c'],
    ] as const;
    const names = new Set(pairs.map(([server, tool]) => modelToolName(server, tool)));
    expect(names.size).toBe(pairs.length);
  });
});

describe('a list', () => {
  test('keeps what it can use of a tool', () => {
    const entry = {
      name: 'look',
      title: 'Look',
      inputSchema: { ...schema, $schema: 'http://json-schema.org/draft-07/schema#' },
      outputSchema: { type: 'nonsense' },
      annotations: { readOnlyHint: true },
    };
    expect(toolList('it', [entry]).tools).toEqual([
      {
        server: 'it',
        name: 'look',
        modelName: 'mcp__it__look',
        description: 'Look',
        inputSchema: entry.inputSchema,
        isIdempotent: true,
      },
    ]);
  });

  const deep = Array.from({ length: 100 }).reduce<object>((inner) => ({ items: inner }), {});
  test.each<[string, unknown, string]>([
    ['no object', 'tool', 'unnamed: entry is not valid'],
    ['no name', { inputSchema: schema }, 'unnamed: name is not valid'],
    ['a name of 129 characters', plain('n'.repeat(129)), 'name is not valid'],
    ['no schema', { name: 'x' }, 'x: inputSchema is not valid'],
    ['a schema of no object', { name: 'x', inputSchema: { type: 'string' } }, 'x: inputSchema'],
    ['a nonsense schema', lie({ properties: { a: { type: 'strnig' } } }), 'no JSON Schema'],
    ['a combined schema', lie({ anyOf: [schema] }), 'anyOf at its top level'],
    ['an odd property', lie({ properties: { 'a b': {} } }), 'a property of an odd name'],
    ['a reference outside', lie({ properties: { a: { $ref: 'http://a/b' } } }), 'another document'],
    ['a deep schema', lie({ properties: { a: deep } }), 'nested too deeply'],
    ['a huge schema', lie({ title: 'x'.repeat(70_000) }), 'inputSchema is too large'],
    ['tasks', { ...plain('x'), execution: { taskSupport: 'required' } }, 'a task only'],
  ])('leaves out %s, and only that', (_, entry, reason) => {
    const { tools, leftOut } = toolList('it', [plain('before'), entry, plain('after')]);
    expect(tools.map(({ name }) => name)).toEqual(['before', 'after']);
    expect(leftOut).toHaveLength(1);
    expect(leftOut[0]).toContain(reason.replace('no JSON Schema', 'not a JSON Schema'));
  });

  function lie(more: object) {
    return { name: 'x', inputSchema: { ...schema, ...more } };
  }

  test('keeps the first of two tools of one name', () => {
    const second = { ...plain('x'), description: 'the second' };
    const { tools, leftOut } = toolList('it', [plain('x'), second]);
    expect(tools.map(({ description }) => description)).toEqual(['']);
    expect(leftOut).toEqual(['x: listed twice']);
  });

  test('is bounded in tools, descriptions and size', () => {
    const many = Array.from({ length: 300 }, (_, index) => plain(`t${index}`));
    expect(toolList('it', many).tools).toHaveLength(256);
    const wordy = { ...plain('x'), description: 'd'.repeat(1_000_000) };
    expect(toolList('it', [wordy]).tools[0]!.description.length).toBeLessThan(10_100);
    const large = many.map((tool) => ({ ...tool, description: 'd'.repeat(9000) }));
    expect(toolList('it', large).chars).toBeLessThanOrEqual(400_000);
  });

  test('a pattern that would take for ever is never run', () => {
    const pattern = '^(a+)+$';
    const inputSchema = {
      ...schema,
      properties: { a: { pattern, default: `${'a'.repeat(50)}!` } },
    };
    expect(toolList('it', [{ name: 'x', inputSchema }]).tools).toHaveLength(1);
  });
});

describe('what an agent offers', () => {
  const agentTools = resolvedTools([
    { type: 'mcp_toolset', mcp_server_name: 'second' },
    {
      type: 'mcp_toolset',
      mcp_server_name: 'first',
      default_config: { enabled: false, permission_policy: { type: 'always_allow' } },
      configs: [
        { name: 'b', enabled: true },
        { name: 'a', permission_policy: { type: 'auto' } },
      ],
    },
  ]);
  const tools = [
    ...toolList('first', [plain('c'), plain('b'), plain('a')]).tools,
    ...toolList('second', [plain('z'), plain('y')]).tools,
    ...toolList('third', [plain('x')]).tools,
  ];

  test('is what its toolsets enable, in their order and by name', () => {
    const { definitions, byModelName } = offeredMcpTools(tools, agentTools);
    const names = ['mcp__second__y', 'mcp__second__z', 'mcp__first__b'];
    expect(definitions.map(({ name }) => name)).toEqual(names);
    expect([...byModelName.keys()]).toEqual(names);
    expect(byModelName.get('mcp__first__b')).toMatchObject({ server: 'first', name: 'b' });
    const reversed = offeredMcpTools(tools.toReversed(), agentTools);
    expect(reversed.definitions).toEqual(definitions);
  });

  test('asks first unless it is told otherwise', () => {
    const policyOf = (server: string, tool: string) => mcpToolSettings(agentTools, server, tool);
    expect(policyOf('second', 'any')).toEqual({
      enabled: true,
      permission_policy: { type: 'always_ask' },
    });
    expect(policyOf('first', 'b')).toMatchObject({
      enabled: true,
      permission_policy: { type: 'always_allow' },
    });
    expect(policyOf('first', 'a')).toMatchObject({
      enabled: false,
      permission_policy: { type: 'auto' },
    });
    expect(policyOf('third', 'x').enabled).toBe(false);
  });
});
