// Agents on the wire: requests, responses, and the pure rules of creating and updating one. An
// agent is a row of versions; what a version consists of is `AgentVersionFields`, and the same
// fields, resolved, are what a session takes as its snapshot.

import * as z from 'zod';
import type {
  BetaManagedAgentsAgent,
  BetaManagedAgentsModelConfig,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import { type Effort, EFFORTS, type ModelCatalog } from './models/model-catalog.ts';
import { ApiError } from './errors.ts';
import {
  createdAtWithin,
  flagParam,
  httpUrl,
  mergeMetadata,
  metadata,
  metadataPatch,
  countParam,
  textOf,
  timestamp,
} from './fields.ts';
import {
  AGENT_DESCRIPTION_CHARS_MAX,
  AGENT_SKILLS_MAX,
  MCP_SERVER_NAME_CHARS_MAX,
  MCP_SERVERS_MAX,
  MODEL_ID_CHARS_MAX,
  NAME_CHARS_MAX,
  PAGE_ENTRIES_DEFAULT,
  PAGE_ENTRIES_MAX,
  ROLE_ARN_CHARS_MAX,
  SKILL_ID_CHARS_MAX,
  SYSTEM_CHARS_MAX,
} from './field-limits.ts';
import { multiagentRequest, multiagentShape } from './multiagent.ts';
import { limitParam, pageParam } from './page.ts';
import { effortOf, PUBLIC_CATALOG } from './models/public-models.ts';
import { builtInToolSettings, resolvedTools, toolShape, toolsRequest } from './tools.ts';

/** sdk 1.11.0: BetaManagedAgentsAgent. */
export type Agent = BetaManagedAgentsAgent;
/**
 * sdk 1.11.0: BetaManagedAgentsModelConfig; in what we store, speed is always there, and effort
 * only where it was named.
 */
export type ModelConfig = BetaManagedAgentsModelConfig;
/** What makes up one version of an agent; the store adds id, number and times. */
export type AgentVersionFields = Omit<
  Agent,
  'id' | 'type' | 'version' | 'created_at' | 'updated_at' | 'archived_at'
>;

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

const effortLevel = z.enum(EFFORTS);
const effortObject = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('low') }),
  z.strictObject({ type: z.literal('medium') }),
  z.strictObject({ type: z.literal('high') }),
  z.strictObject({ type: z.literal('xhigh') }),
  z.strictObject({ type: z.literal('max') }),
]);
const speed = z.enum(['standard', 'fast']);
const modelId = textOf(MODEL_ID_CHARS_MAX, 1);

/** Shape of `model` in a request: an id, or an object with its settings. */
export const modelRequest = z.union([
  modelId,
  z.strictObject({
    id: modelId,
    effort: z.union([effortLevel, effortObject]).nullable().optional(),
    // docs: managed-agents/agent-setup: `us` or `global`.
    inference_geo: z.string().min(1).nullable().optional(),
    speed: speed.nullable().optional(),
  }),
]);
type ModelRequest = z.infer<typeof modelRequest>;

/** Shape of `mcp_servers` in a request. */
export const mcpServersRequest = z
  .array(
    z.strictObject({
      type: z.literal('url'),
      name: textOf(MCP_SERVER_NAME_CHARS_MAX, 1),
      url: httpUrl,
    }),
  )
  .max(MCP_SERVERS_MAX)
  .superRefine((servers, context) => {
    const index = servers.findIndex(({ name }, at) =>
      servers.some((s, b) => b < at && s.name === name),
    );
    if (index >= 0) {
      context.addIssue({ code: 'custom', path: [index, 'name'], message: 'this name is taken' });
    }
  });

const skillRequest = <T extends 'anthropic' | 'custom'>(type: T) =>
  z.strictObject({
    type: z.literal(type),
    skill_id: textOf(SKILL_ID_CHARS_MAX, 1),
    version: textOf(SKILL_ID_CHARS_MAX, 1).nullable().optional(),
  });

/** Shape of `skills` in a request. */
export const skillsRequest = z
  .array(z.discriminatedUnion('type', [skillRequest('anthropic'), skillRequest('custom')]))
  .max(AGENT_SKILLS_MAX);

const executionIdentityRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('aws_role'),
    role_arn: textOf(ROLE_ARN_CHARS_MAX, 1),
  }),
  z.strictObject({ type: z.literal('service_account') }),
]);

/** Shape of `system` in a request. */
export const systemRequest = textOf(SYSTEM_CHARS_MAX);
const description = textOf(AGENT_DESCRIPTION_CHARS_MAX);
const name = textOf(NAME_CHARS_MAX, 1);

export const createAgentRequest = z.strictObject({
  name,
  model: modelRequest,
  description: description.nullable().optional(),
  system: systemRequest.nullable().optional(),
  tools: toolsRequest.optional(),
  mcp_servers: mcpServersRequest.optional(),
  skills: skillsRequest.optional(),
  multiagent: multiagentRequest.nullable().optional(),
  execution_identity: executionIdentityRequest.nullable().optional(),
  metadata: metadata.optional(),
});
export type CreateAgentRequest = z.infer<typeof createAgentRequest>;

export const updateAgentRequest = z.strictObject({
  version: z.int().min(1).optional(),
  name: name.optional(),
  model: modelRequest.optional(),
  description: description.nullable().optional(),
  system: systemRequest.nullable().optional(),
  tools: toolsRequest.nullable().optional(),
  mcp_servers: mcpServersRequest.nullable().optional(),
  skills: skillsRequest.nullable().optional(),
  multiagent: multiagentRequest.nullable().optional(),
  execution_identity: executionIdentityRequest.nullable().optional(),
  metadata: metadataPatch.nullable().optional(),
});
export type UpdateAgentRequest = z.infer<typeof updateAgentRequest>;

export const retrieveAgentQuery = z.strictObject({ version: countParam(1) });

export const listAgentsQuery = z.strictObject({
  created_at: createdAtWithin,
  include_archived: flagParam,
  limit: limitParam(PAGE_ENTRIES_DEFAULT, PAGE_ENTRIES_MAX),
  page: pageParam,
});

export const listAgentVersionsQuery = z.strictObject({
  limit: limitParam(PAGE_ENTRIES_DEFAULT, PAGE_ENTRIES_MAX),
  page: pageParam,
});

// ── Responses ────────────────────────────────────────────────────────────────────────────────────

const skillShape = <T extends 'anthropic' | 'custom'>(type: T) =>
  z.strictObject({ type: z.literal(type), skill_id: z.string(), version: z.string() });

/** Fields that an agent, a session's snapshot and a thread's snapshot all have. */
export const agentDefinitionFields = {
  name: z.string(),
  description: z.string().nullable(),
  system: z.string().nullable(),
  model: z.strictObject({
    id: z.string(),
    effort: effortObject.optional(),
    inference_geo: z.string().optional(),
    speed: speed.optional(),
  }),
  tools: z.array(toolShape),
  mcp_servers: z.array(
    z.strictObject({ type: z.literal('url'), name: z.string(), url: z.string() }),
  ),
  skills: z.array(z.discriminatedUnion('type', [skillShape('anthropic'), skillShape('custom')])),
  execution_identity: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('aws_role'), role_arn: z.string() }),
    z.strictObject({ type: z.literal('service_account') }),
  ]),
};

export const agentShape = z.strictObject({
  id: z.string(),
  type: z.literal('agent'),
  version: z.number(),
  ...agentDefinitionFields,
  multiagent: multiagentShape.nullable(),
  metadata: z.record(z.string(), z.string()),
  created_at: timestamp,
  updated_at: timestamp,
  archived_at: timestamp.nullable(),
});

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

/**
 * Fills the defaults of a new agent's first version; throws 400 when its parts do not fit together.
 */
export function agentFromCreate(
  request: CreateAgentRequest,
  models: ModelCatalog = PUBLIC_CATALOG,
): AgentVersionFields {
  return fitting({
    name: request.name,
    description: textOrNull(request.description),
    system: textOrNull(request.system),
    model: modelFromRequest(request.model, undefined, { models }),
    tools: resolvedTools(request.tools ?? []),
    mcp_servers: request.mcp_servers ?? [],
    skills: resolvedSkills(request.skills),
    multiagent: null,
    execution_identity: request.execution_identity ?? { type: 'service_account' },
    metadata: request.metadata ?? {},
  });
}

/**
 * Applies an update: an omitted field stays, null or empty clears, arrays are replaced whole,
 * metadata is merged by key. Throws 400 when the result does not fit together. The caller compares
 * `version` before and the result (`sameAgentVersion`) after. docs: managed-agents/agent-setup.
 */
export function agentAfterUpdate(
  current: AgentVersionFields,
  request: UpdateAgentRequest,
  models: ModelCatalog = PUBLIC_CATALOG,
): AgentVersionFields {
  const { model, tools, skills, mcp_servers: servers, execution_identity: identity } = request;
  const given = <K extends keyof UpdateAgentRequest>(key: K) => request[key] !== undefined;
  return fitting({
    name: request.name ?? current.name,
    description: given('description') ? textOrNull(request.description) : current.description,
    system: given('system') ? textOrNull(request.system) : current.system,
    model: model === undefined ? current.model : modelFromRequest(model, current.model, { models }),
    tools: tools === undefined ? current.tools : resolvedTools(tools ?? []),
    mcp_servers: servers === undefined ? current.mcp_servers : (servers ?? []),
    skills: skills === undefined ? current.skills : resolvedSkills(skills),
    multiagent: given('multiagent') ? null : current.multiagent,
    execution_identity:
      identity === undefined
        ? current.execution_identity
        : (identity ?? { type: 'service_account' }),
    metadata: mergeMetadata(current.metadata, request.metadata),
  });
}

/**
 * Says whether two versions are the same, whatever the order of their keys: an update to it is
 * none.
 */
export function sameAgentVersion(a: AgentVersionFields, b: AgentVersionFields): boolean {
  return sameJson(a, b);
}

/**
 * Resolves `model`. docs: managed-agents/agent-setup: the object is replaced whole, but the same id
 * without `effort` keeps the stored effort; another id takes the default.
 */
export function modelFromRequest(
  request: ModelRequest,
  stored: ModelConfig | undefined,
  context: { models: ModelCatalog; within?: string },
): ModelConfig {
  const given = typeof request === 'string' ? { id: request } : request;
  const kept = given.id === stored?.id && given.effort === undefined ? stored.effort : undefined;
  const named = typeof given.effort === 'string' ? { type: given.effort } : given.effort;
  if (named != null) checkEffort(given.id, named.type, context);
  const effort = kept ?? named;
  checkTerms(given, context);
  return {
    id: given.id,
    ...(effort == null ? {} : { effort }),
    speed: given.speed ?? 'standard',
    ...(given.inference_geo == null ? {} : { inference_geo: given.inference_geo }),
  };
}

/** behaviour.md 5.1: a level that the model does not have is a 400, not a turn that fails later. */
/**
 * Fast mode and a pinned region are refused where the model has none. docs:
 * managed-agents/agent-setup: a region is `us` or `global`.
 */
function checkTerms(
  { id, speed: named, inference_geo: geo }: Exclude<ModelRequest, string>,
  { models, within = '' }: { models: ModelCatalog; within?: string },
): void {
  const price = models.find(id)?.price;
  if (geo != null && geo !== 'us' && geo !== 'global') {
    refuse(`${within}model.inference_geo`, 'expected "us" or "global"');
  }
  if (geo === 'us' && price?.usMultiplier == null) {
    refuse(`${within}model.inference_geo`, `\`${id}\` cannot be pinned to a region`);
  }
  if (named === 'fast' && price?.fastMultiplier == null) {
    refuse(`${within}model.speed`, `\`${id}\` has no fast mode`);
  }
}

function checkEffort(
  modelId: string,
  level: Effort,
  { models, within = '' }: { models: ModelCatalog; within?: string },
): void {
  const levels = effortOf(modelId, models)?.levels;
  if (levels === undefined || levels.includes(level)) return;
  if (levels.length === 0) refuse(`${within}model.effort`, `\`${modelId}\` takes no effort`);
  const listed = levels.map((each) => `"${each}"`).join(', ');
  refuse(`${within}model.effort`, `\`${modelId}\` takes one of ${listed}`);
}

export function resolvedSkills(skills: CreateAgentRequest['skills'] | null): Agent['skills'] {
  return (skills ?? []).map((skill) => ({ ...skill, version: skill.version ?? 'latest' }));
}

function textOrNull(text: string | null | undefined): string | null {
  return text == null || text === '' ? null : text;
}

/**
 * Refuses parts that contradict each other; returns the fields. docs: managed-agents/mcp-connector.
 */
export function fitting<F extends Pick<AgentVersionFields, 'tools' | 'mcp_servers' | 'skills'>>(
  fields: F,
  within = '',
): F {
  const declared = new Set(fields.mcp_servers.map((server) => server.name));
  const used = new Set<string>();
  for (const [index, tool] of fields.tools.entries()) {
    if (tool.type !== 'mcp_toolset') continue;
    used.add(tool.mcp_server_name);
    if (!declared.has(tool.mcp_server_name)) {
      refuse(
        `${within}tools.${index}.mcp_server_name`,
        'expected the name of an entry of mcp_servers',
      );
    }
  }
  const unused = fields.mcp_servers.findIndex((server) => !used.has(server.name));
  if (unused >= 0)
    refuse(`${within}mcp_servers.${unused}`, 'expected an mcp_toolset in tools that names it');
  const canRead = builtInToolSettings(fields.tools, 'read')?.enabled === true;
  if (fields.skills.length > 0 && !canRead)
    refuse(`${within}skills`, 'expected the read tool to be enabled');
  return fields;
}

function refuse(field: string, problem: string): never {
  throw new ApiError('invalid_request_error', `${field}: ${problem}`);
}

function sameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && sameJson(Reflect.get(a, key), Reflect.get(b, key)),
  );
}
