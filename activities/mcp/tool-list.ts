// A server's tool list as we keep it: pure. A server may say anything here, and one tool that the
// model's endpoint refuses would fail every request of the session, so each tool is checked by
// itself: what cannot be offered is left out, with its reason for the log.

import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as z from 'zod';
import { TOOL_PROPERTY_CHARS_MAX } from '../../protocol/field-limits.ts';
import { JSON_DEPTH_MAX, TOOL_NAME_CHARS_MAX } from '../../protocol/limits.ts';
import {
  MCP_DESCRIPTION_CHARS_MAX,
  MCP_SCHEMA_CHARS_MAX,
  MCP_TOOL_LIST_CHARS_MAX,
  MCP_TOOLS_MAX,
  MODEL_TOOL_NAME_CHARS_MAX,
} from '../../protocol/server-tool-limits.ts';
import { storableJson, storableText } from '../../protocol/text.ts';

export interface McpTool {
  /** Name of its server in the agent's `mcp_servers` */
  server: string;
  /** Its name at the server, as events, policies and calls have it */
  name: string;
  /** `mcp__<server>__<tool>`, as the model knows it */
  modelName: string;
  description: string;
  inputSchema: Record<string, unknown>;
  /** The server says that a repeated call does no more than one */
  isIdempotent: boolean;
}

export interface ToolList {
  tools: McpTool[];
  /** Size of what is kept, in characters */
  chars: number;
  /** Why tools are not there: names cut short, no other text of the server's */
  leftOut: string[];
}

const listedTool = z.looseObject({
  name: z.string().min(1).max(TOOL_NAME_CHARS_MAX),
  title: z.string().optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  inputSchema: z.looseObject({ type: z.literal('object') }),
  annotations: z
    .looseObject({
      readOnlyHint: z.boolean().optional().catch(undefined),
      idempotentHint: z.boolean().optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  execution: z
    .looseObject({ taskSupport: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** Checks the tools that a server listed; the order is theirs. */
export function toolList(server: string, listed: readonly unknown[]): ToolList {
  const list: ToolList = { tools: [], chars: 0, leftOut: [] };
  for (const entry of listed.slice(0, MCP_TOOLS_MAX)) {
    const problem = addTool(list, server, entry);
    if (problem !== undefined) list.leftOut.push(`${labelOf(entry)}: ${problem}`);
  }
  if (listed.length > MCP_TOOLS_MAX) {
    list.leftOut.push(`everything after the first ${MCP_TOOLS_MAX} tools`);
  }
  return list;
}

/** Adds one tool, or says why it cannot be offered. */
function addTool(list: ToolList, server: string, entry: unknown): string | undefined {
  if (isDeeperThan(entry, JSON_DEPTH_MAX)) return 'nested too deeply';
  const parsed = listedTool.safeParse(entry);
  if (!parsed.success) return `${parsed.error.issues[0]?.path.join('.') || 'entry'} is not valid`;
  const { name, title, annotations, execution } = parsed.data;
  if (storableText(name) !== name) return 'name is not valid';
  if (list.tools.some((tool) => tool.name === name)) return 'listed twice';
  // MCP 2025-11-25, tasks: such a tool cannot be called the plain way.
  if (execution?.taskSupport === 'required') return 'runs as a task only';
  const inputSchema = storableJson(parsed.data.inputSchema);
  const problem = schemaProblem(inputSchema);
  if (problem !== undefined) return problem;
  const description = cut(storableText(parsed.data.description ?? title ?? ''));
  const chars = name.length + description.length + JSON.stringify(inputSchema).length;
  if (list.chars + chars > MCP_TOOL_LIST_CHARS_MAX) return 'the list is too large';
  list.chars += chars;
  const isIdempotent = annotations?.readOnlyHint === true || annotations?.idempotentHint === true;
  const modelName = modelToolName(server, name);
  list.tools.push({ server, name, modelName, description, inputSchema, isIdempotent });
  return undefined;
}

// Checks against the meta-schema alone: a server's schema is never compiled, so that its patterns
// are never run.
const metaSchema = new Ajv2020({ strict: false, validateFormats: false, logger: false });

/** What the Messages API would refuse in a schema, as far as that is known. */
function schemaProblem(schema: Record<string, unknown>): string | undefined {
  if (JSON.stringify(schema).length > MCP_SCHEMA_CHARS_MAX) return 'inputSchema is too large';
  const combiner = ['oneOf', 'anyOf', 'allOf'].find((key) => key in schema);
  if (combiner !== undefined) return `inputSchema has ${combiner} at its top level`;
  const { $schema: _, ...plain } = schema;
  if (metaSchema.validateSchema(plain) !== true) {
    return 'inputSchema is not a JSON Schema of draft 2020-12';
  }
  const isOdd = (key: string): boolean =>
    !/^[\w.-]+$/.test(key) || key.length > TOOL_PROPERTY_CHARS_MAX;
  const { properties } = schema;
  if (typeof properties === 'object' && properties !== null) {
    if (Object.keys(properties).some(isOdd)) return 'inputSchema has a property of an odd name';
  }
  return hasOutsideReference(schema) ? 'inputSchema refers to another document' : undefined;
}

function hasOutsideReference(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, each]) =>
      (key === '$ref' && typeof each === 'string' && !each.startsWith('#')) ||
      hasOutsideReference(each),
  );
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((each) => isDeeperThan(each, levels - 1));
}

/**
 * The name of a server's tool for the model: `mcp__<server>__<tool>` where that is short, of the
 * allowed characters and can be read in one way only; else its readable part cut, and a hash of
 * both names. Plain names never end like hashed ones, so that no two tools share a name.
 */
export function modelToolName(server: string, tool: string): string {
  const plain = `mcp__${server}__${tool}`;
  const isClear =
    /^[\w-]+$/.test(plain) && !/__|_$/.test(server) && !HASHED.test(tool) && tool.length > 0;
  if (isClear && plain.length <= MODEL_TOOL_NAME_CHARS_MAX) return plain;
  const hash = createHash('sha256').update(`${server}\0${tool}`).digest('hex').slice(0, HASH_CHARS);
  const room = MODEL_TOOL_NAME_CHARS_MAX - 'mcp__'.length - '__'.length - '_'.length - HASH_CHARS;
  const toolPart = readable(tool).slice(0, Math.max(Math.ceil(room / 2), room - server.length));
  const serverPart = readable(server).slice(0, room - toolPart.length);
  return `mcp__${serverPart}__${toolPart}_${hash}`;
}

const HASH_CHARS = 16;
const HASHED = new RegExp(`_[0-9a-f]{${HASH_CHARS}}$`);

function readable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

function cut(description: string): string {
  if (description.length <= MCP_DESCRIPTION_CHARS_MAX) return description;
  return `${description.slice(0, MCP_DESCRIPTION_CHARS_MAX).toWellFormed()} … [cut]`;
}

function labelOf(entry: unknown): string {
  const name = typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : null;
  return typeof name === 'string' ? readable(name).slice(0, MODEL_TOOL_NAME_CHARS_MAX) : 'unnamed';
}
