// Every variant of an event that the SDK types: the types themselves, and inside an event each
// value of a member that is told apart by `type` or is one of a closed list. Read from the
// generated schemas, so the list is the contract's own; also finds in an event the variants it is.

import { readFileSync } from 'node:fs';

interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  type?: string | string[];
  items?: Schema;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
}

// Members that repeat something which is no property of the event.
const REPEATED: readonly RegExp[] = [
  // session.updated carries the whole agent and budget: the answers of the session's routes.
  /^session\.updated (agent|budget)\b/,
  // What speed a request was sent with is the agent's setting.
  /usage\.speed=/,
  // Why a model refused is its own word, passed on as it came.
  /stop_details\.category=/,
];

function schemaOf(name: string): Record<string, Schema> {
  const file = new URL(`../conformance-schemas/${name}.schema.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { definitions: Record<string, Schema> })
    .definitions;
}

/** The alternatives of a schema, references resolved and unions flattened. */
function alternatives(definitions: Record<string, Schema>, schema: Schema): Schema[] {
  if (schema.$ref !== undefined) {
    const name = decodeURIComponent(schema.$ref.split('/').at(-1)!);
    return alternatives(definitions, definitions[name]!);
  }
  return schema.anyOf?.flatMap((one) => alternatives(definitions, one)) ?? [schema];
}

/** Adds `path=value` of every closed list below a schema; a path's last `.type` is left out. */
function collect(
  definitions: Record<string, Schema>,
  schema: Schema,
  path: string,
  found: Set<string>,
): void {
  for (const one of alternatives(definitions, schema)) {
    if (one.items !== undefined) collect(definitions, one.items, `${path}[]`, found);
    const values = one.enum ?? (one.const === undefined ? [] : [one.const]);
    for (const value of values) {
      if (typeof value === 'string') found.add(`${path.replace(/\.type$/, '')}=${value}`);
    }
    for (const [key, member] of Object.entries(one.properties ?? {})) {
      if (path === '' && key === 'type') continue;
      collect(definitions, member, path === '' ? key : `${path}.${key}`, found);
    }
  }
}

/** A member that can have one value only tells nothing apart. */
function withChoice(variants: ReadonlySet<string>): string[] {
  const counts = new Map<string, number>();
  const memberOf = (variant: string): string => variant.split('=')[0]!;
  for (const variant of variants) {
    counts.set(memberOf(variant), (counts.get(memberOf(variant)) ?? 0) + 1);
  }
  return [...variants].filter((variant) => counts.get(memberOf(variant))! > 1);
}

function variantsOf(definitions: Record<string, Schema>, unions: readonly Schema[]): string[] {
  const members = new Map<string, Set<string>>();
  for (const event of unions.flatMap((union) => alternatives(definitions, union))) {
    const type = String(event.properties!.type!.const);
    const found = members.get(type) ?? new Set();
    collect(definitions, event, '', found);
    members.set(type, found);
  }
  return [...members]
    .flatMap(([type, found]) => [type, ...withChoice(found).map((member) => `${type} ${member}`)])
    .filter((variant) => !REPEATED.some((pattern) => pattern.test(variant)))
    .toSorted();
}

const wire = schemaOf('wire');
const sent = schemaOf('sent');
const answers = wire.Wire!.properties!;

/** What a stream or a history carries: `session.error`, `session.error error=billing_error`. */
export const EVENT_VARIANTS: readonly string[] = variantsOf(wire, [
  answers.streamEvent!,
  answers.threadStreamEvent!,
]);

/** What a client sends. */
export const SENT_VARIANTS: readonly string[] = variantsOf(sent, [sent.Sent!.properties!.event!]);

const isKnown = new Set([...EVENT_VARIANTS, ...SENT_VARIANTS]);

/** The variants that one event, carried or sent, is; none where its type is not known. */
export function variantsIn(event: unknown): string[] {
  const type = (event as { type?: unknown } | null)?.type;
  if (typeof type !== 'string' || !isKnown.has(type)) return [];
  const found = new Set([type]);
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, `${path}[]`);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) {
        visit(member, path === '' ? key : `${path}.${key}`);
      }
    } else if (typeof value === 'string') {
      const variant = `${type} ${path.replace(/\.type$/, '')}=${value}`;
      if (isKnown.has(variant)) found.add(variant);
    }
  };
  visit(event, '');
  return [...found];
}
