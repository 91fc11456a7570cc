// The tools of an agent: what a request may say about them, what a response says (everything
// resolved), and the rules that hold between the entries. Who runs a tool and whether it must ask
// is read from the resolved form only.

import * as z from 'zod';
import type {
  BetaManagedAgentsAgentToolConfig,
  BetaManagedAgentsAgentToolset20260401,
  BetaManagedAgentsMCPToolset,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import { textOf } from './fields.ts';
import {
  MCP_SERVER_NAME_CHARS_MAX,
  TOOL_DESCRIPTION_CHARS_MAX,
  TOOL_ENTRIES_MAX,
  TOOL_PROPERTY_CHARS_MAX,
  TOOLS_RESOLVED_MAX,
} from './field-limits.ts';
import { TOOL_NAME_CHARS_MAX } from './limits.ts';
import {
  bothListsProblem,
  resolvedUrlSources,
  type SettingProblem,
  urlSourceNamesProblem,
  urlSources,
  userLocation,
  webFetchRequest,
  webSearchRequest,
} from './web-settings.ts';

/** Tools of `agent_toolset_20260401` that run in the sandbox. docs: managed-agents/tools. */
export const SANDBOX_TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep'] as const;
/** Tools of the same toolset that run on the server. */
export const WEB_TOOLS = ['web_fetch', 'web_search'] as const;
const BUILT_IN_TOOLS = [...SANDBOX_TOOLS, ...WEB_TOOLS] as const;

export type SandboxToolName = (typeof SANDBOX_TOOLS)[number];
export type WebToolName = (typeof WEB_TOOLS)[number];
export type BuiltInToolName = SandboxToolName | WebToolName;

const typed = <T extends string>(type: T) => z.strictObject({ type: z.literal(type) });

export const permissionPolicy = z.discriminatedUnion('type', [
  typed('always_allow'),
  typed('always_ask'),
  typed('auto'),
]);
export type PermissionPolicy = z.infer<typeof permissionPolicy>;

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

const switches = {
  enabled: z.boolean().nullable().optional(),
  permission_policy: permissionPolicy.nullable().optional(),
};
const configRequest = <T extends BuiltInToolName>(name: T) =>
  z.strictObject({ name: z.literal(name), type: z.literal(name).optional(), ...switches });

const agentToolConfigRequest = z.discriminatedUnion('name', [
  configRequest('bash'),
  configRequest('edit'),
  configRequest('read'),
  configRequest('write'),
  configRequest('glob'),
  configRequest('grep'),
  configRequest('web_fetch').extend(webFetchRequest),
  configRequest('web_search').extend(webSearchRequest),
]);

const agentToolsetRequest = z.strictObject({
  type: z.literal('agent_toolset_20260401'),
  configs: z.array(agentToolConfigRequest).max(TOOL_ENTRIES_MAX).optional(),
  default_config: z.strictObject(switches).nullable().optional(),
});
type AgentToolsetRequest = z.infer<typeof agentToolsetRequest>;
type AgentToolConfigRequest = z.infer<typeof agentToolConfigRequest>;

const mcpToolsetRequest = z.strictObject({
  type: z.literal('mcp_toolset'),
  mcp_server_name: textOf(MCP_SERVER_NAME_CHARS_MAX, 1),
  configs: z
    .array(z.strictObject({ name: textOf(TOOL_NAME_CHARS_MAX, 1), ...switches }))
    .max(TOOLS_RESOLVED_MAX)
    .optional(),
  default_config: z.strictObject(switches).nullable().optional(),
});
type McpToolsetRequest = z.infer<typeof mcpToolsetRequest>;

const inputSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.unknown()).nullable().optional(),
  required: z.array(z.string()).nullable().optional(),
});

/** Clients of the old generation may leave out `type` (sdk 0.86.1). */
const inputSchemaRequest = inputSchema.extend({ type: z.literal('object').default('object') });

const customToolRequest = z.strictObject({
  type: z.literal('custom'),
  name: z.string().superRefine((name, context) => {
    const message = customNameProblem(name);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  }),
  description: textOf(TOOL_DESCRIPTION_CHARS_MAX, 1),
  input_schema: inputSchemaRequest.superRefine((schema, context) => {
    const message = inputSchemaProblem(schema);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  }),
});

const toolRequest = z.discriminatedUnion('type', [
  agentToolsetRequest,
  mcpToolsetRequest,
  customToolRequest,
]);
export type ToolRequest = z.infer<typeof toolRequest>;

/** Shape of `tools` in a request, with the rules that need no other field of the agent. */
export const toolsRequest = z
  .array(toolRequest)
  .max(TOOL_ENTRIES_MAX)
  .superRefine((tools, context) => {
    const problem = toolsProblem(tools);
    if (problem !== undefined) context.addIssue({ code: 'custom', ...problem });
  });

// ── Responses ────────────────────────────────────────────────────────────────────────────────────

const resolved = { enabled: z.boolean(), permission_policy: permissionPolicy };
const config = <T extends BuiltInToolName>(name: T) =>
  z.strictObject({ name: z.literal(name), type: z.literal(name), ...resolved });

const agentToolsetShape = z.strictObject({
  type: z.literal('agent_toolset_20260401'),
  configs: z.array(
    z.discriminatedUnion('name', [
      config('bash'),
      config('edit'),
      config('read'),
      config('write'),
      config('glob'),
      config('grep'),
      config('web_fetch').extend({
        url_sources: urlSources.nullable(),
        allowed_domains: z.array(z.string()).optional(),
        blocked_domains: z.array(z.string()).optional(),
        max_content_tokens: z.number().nullable().optional(),
      }),
      config('web_search').extend({
        allowed_domains: z.array(z.string()).optional(),
        blocked_domains: z.array(z.string()).optional(),
        user_location: userLocation.nullable().optional(),
      }),
    ]),
  ),
  default_config: z.strictObject(resolved),
});

/** Shape of one entry of `tools` in a response. */
export const toolShape = z.discriminatedUnion('type', [
  agentToolsetShape,
  z.strictObject({
    type: z.literal('mcp_toolset'),
    mcp_server_name: z.string(),
    configs: z.array(z.strictObject({ name: z.string(), ...resolved })),
    default_config: z.strictObject(resolved),
  }),
  z.strictObject({
    type: z.literal('custom'),
    name: z.string(),
    description: z.string(),
    input_schema: inputSchema,
  }),
]);
export type Tool = z.infer<typeof toolShape>;

/** Resolves the tools of a request: every default filled in. docs: managed-agents/tools. */
export function resolvedTools(tools: readonly ToolRequest[]): Tool[] {
  return tools.map((tool) => {
    if (tool.type === 'custom') return tool;
    return tool.type === 'mcp_toolset' ? resolvedMcpToolset(tool) : resolvedAgentToolset(tool);
  });
}

/**
 * Tells how a built-in tool is set for an agent: its own entry, else its toolset's default; null
 * when the agent has no built-in toolset. A tool that is not enabled is neither offered nor run.
 */
export function builtInToolSettings(
  tools: readonly Tool[],
  name: BuiltInToolName,
): { enabled: boolean; permission_policy: PermissionPolicy } | null {
  const toolset = tools.find((tool) => tool.type === 'agent_toolset_20260401');
  if (toolset === undefined) return null;
  return toolset.configs.find((entry) => entry.name === name) ?? toolset.default_config;
}

const ASK = { type: 'always_ask' } as const;

/** The same of an MCP server's tool, by its name there; off where no toolset names the server. */
export function mcpToolSettings(tools: readonly Tool[], server: string, tool: string) {
  const toolset = tools.find((t) => t.type === 'mcp_toolset' && t.mcp_server_name === server);
  if (toolset?.type !== 'mcp_toolset') return { enabled: false, permission_policy: ASK };
  return toolset.configs.find(({ name }) => name === tool) ?? toolset.default_config;
}

// docs: managed-agents/permission-policies: always_allow is the default of the built-in toolset,
// always_ask that of MCP toolsets; a tool's own entry goes before the toolset's default.

interface Switches {
  enabled?: boolean | null | undefined;
  permission_policy?: PermissionPolicy | null | undefined;
}

function settled(
  given: Switches | null | undefined,
  base: { enabled: boolean; permission_policy: PermissionPolicy },
) {
  return {
    enabled: given?.enabled ?? base.enabled,
    permission_policy: given?.permission_policy ?? base.permission_policy,
  };
}

function resolvedAgentToolset(toolset: AgentToolsetRequest): BetaManagedAgentsAgentToolset20260401 {
  const base = { enabled: true, permission_policy: { type: 'always_allow' } } as const;
  const defaults = settled(toolset.default_config, base);
  return {
    type: toolset.type,
    default_config: defaults,
    configs: (toolset.configs ?? []).map((given) => resolvedConfig(given, defaults)),
  };
}

function resolvedConfig(
  given: AgentToolConfigRequest,
  defaults: { enabled: boolean; permission_policy: PermissionPolicy },
): BetaManagedAgentsAgentToolConfig {
  const on = settled(given, defaults);
  if (given.name === 'web_fetch') {
    const { url_sources: sources, ...rest } = given;
    const settledSources = sources == null ? null : resolvedUrlSources(sources);
    return { ...rest, type: given.name, ...on, url_sources: settledSources };
  }
  // Restated per case: TypeScript does not see that `name` and `type` agree across a union.
  if (given.name === 'web_search') return { ...given, type: given.name, ...on };
  const { name } = given;
  return { name, type: name, ...on } as BetaManagedAgentsAgentToolConfig;
}

function resolvedMcpToolset(toolset: McpToolsetRequest): BetaManagedAgentsMCPToolset {
  const base = { enabled: true, permission_policy: ASK } as const;
  const defaults = settled(toolset.default_config, base);
  return {
    type: toolset.type,
    mcp_server_name: toolset.mcp_server_name,
    default_config: defaults,
    configs: (toolset.configs ?? []).map((given) => ({
      name: given.name,
      ...settled(given, defaults),
    })),
  };
}

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

function customNameProblem(name: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(name) || name.length > TOOL_NAME_CHARS_MAX) {
    return `expected 1 to ${TOOL_NAME_CHARS_MAX} letters, digits, underscores and hyphens`;
  }
  if (BUILT_IN_TOOLS.some((builtIn) => builtIn === name)) {
    return `"${name}" is the name of a built-in tool`;
  }
  // behaviour.md 2: `mcp__` names MCP tools to the model, `ant__` is reserved.
  return /^(mcp|ant)__/.test(name)
    ? 'names that begin with mcp__ or ant__ are reserved'
    : undefined;
}

function inputSchemaProblem(schema: Record<string, unknown>): string | undefined {
  const combiner = ['oneOf', 'anyOf', 'allOf'].find((key) => key in schema);
  if (combiner !== undefined) return `${combiner} is not allowed at the top level`;
  return nestedSchemaProblem(schema);
}

function nestedSchemaProblem(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, each] of Object.entries(value)) {
    if (key === '$ref') return '$ref is not allowed';
    if (key === 'properties' && typeof each === 'object' && each !== null) {
      const odd = Object.keys(each).find(
        (name) => !/^[\w.-]+$/.test(name) || name.length > TOOL_PROPERTY_CHARS_MAX,
      );
      if (odd !== undefined) {
        return `expected property names of 1 to ${TOOL_PROPERTY_CHARS_MAX} letters, digits, _ . -`;
      }
    }
    const problem = nestedSchemaProblem(each);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function toolsProblem(tools: readonly ToolRequest[]): SettingProblem | undefined {
  const seen = new Set<string>();
  let count = 0;
  for (const [index, tool] of tools.entries()) {
    const [key, field] = identityOf(tool);
    if (seen.has(key)) return { path: [index, field], message: 'there is such an entry already' };
    seen.add(key);
    if (tool.type === 'custom') {
      count += 1;
      continue;
    }
    count += tool.type === 'mcp_toolset' ? (tool.configs?.length ?? 0) : BUILT_IN_TOOLS.length;
    const problem = configsProblem(tool.configs ?? []);
    if (problem !== undefined) return { ...problem, path: [index, 'configs', ...problem.path] };
  }
  if (count <= TOOLS_RESOLVED_MAX) return urlSourceNamesProblem(tools);
  return { path: [], message: `expected at most ${TOOLS_RESOLVED_MAX} tools across all toolsets` };
}

function identityOf(tool: ToolRequest): [string, string] {
  if (tool.type === 'custom') return [`custom ${tool.name}`, 'name'];
  if (tool.type === 'mcp_toolset') return [`mcp ${tool.mcp_server_name}`, 'mcp_server_name'];
  return [tool.type, 'type'];
}

function configsProblem(
  configs: readonly (AgentToolConfigRequest | { name: string })[],
): SettingProblem | undefined {
  const names = new Set<string>();
  for (const [index, entry] of configs.entries()) {
    if (names.has(entry.name)) {
      return { path: [index, 'name'], message: 'there is an entry for this tool already' };
    }
    names.add(entry.name);
    const problem = bothListsProblem(entry);
    if (problem !== undefined) return { ...problem, path: [index, ...problem.path] };
  }
  return undefined;
}
