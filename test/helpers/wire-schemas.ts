// Validators for every kind of answer and of request, compiled once from the generated schemas.
// Promise: a value fits the SDK's type of that kind, or each deviation is named with its path.
// A property the type does not know is told apart from a broken one: the first is an invention of
// ours, the second breaks clients.

import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { SentKind } from '../conformance-schemas/sent.ts';
import type { WireKind } from '../conformance-schemas/wire.ts';

type Schema = { [key: string]: unknown };

export interface Deviations {
  /** missing, mistyped or out-of-range members */
  violations: string[];
  /** members that the SDK's type does not have */
  unknown: string[];
}

type Definitions = Record<string, Schema>;

function definitionsIn(name: string): Definitions {
  const file = new URL(`../conformance-schemas/${name}`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { definitions: Definitions }).definitions;
}

const wire = definitionsIn('wire.schema.json');
const sent = definitionsIn('sent.schema.json');

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The variants of a union that is told apart by `type`, or nothing when it is not such a union. */
function variantsByType(union: unknown, definitions: Definitions): Schema[] | undefined {
  if (!Array.isArray(union) || union.length < 2) return undefined;
  const seen = new Set<unknown>();
  for (const variant of union as Schema[]) {
    const name = typeof variant.$ref === 'string' ? variant.$ref.split('/').at(-1)! : '';
    const { properties, required } = definitions[name] ?? {};
    // Some of a request's unions may leave their `type` out.
    if (!Array.isArray(required) || !required.includes('type')) return undefined;
    const type = isSchema(properties) ? properties.type : undefined;
    if (!isSchema(type) || type.const === undefined || seen.has(type.const)) return undefined;
    seen.add(type.const);
  }
  return union as Schema[];
}

/** Turns a union told apart by `type` (with or without null beside it) into a discriminated one. */
function discriminated(schema: Schema, definitions: Definitions): Schema {
  const { anyOf, ...others } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const rest = (anyOf as Schema[]).filter((variant) => variant.type !== 'null');
  const variants = variantsByType(rest, definitions);
  if (!variants) return schema;
  const union = { type: 'object', discriminator: { propertyName: 'type' }, oneOf: variants };
  const nullable = rest.length < anyOf.length;
  return nullable ? { ...others, anyOf: [union, { type: 'null' }] } : { ...others, ...union };
}

/**
 * Sharpens a generated schema: unions told apart by `type` get a discriminator (so that an error
 * names the one variant that was meant, not all forty), members ending in `_at` are timestamps.
 * `closed` keeps the refusal of unknown properties; without it they pass.
 */
function sharpen(node: unknown, closed: boolean, definitions: Definitions): unknown {
  if (Array.isArray(node)) return node.map((item) => sharpen(item, closed, definitions));
  if (!isSchema(node)) return node;
  const sharp: Schema = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'additionalProperties' && value === false && !closed) continue;
    sharp[key] = sharpen(value, closed, definitions);
  }
  const members = sharp.properties;
  if (isSchema(members)) {
    for (const [name, member] of Object.entries(members)) {
      if (name.endsWith('_at') && isSchema(member)) member.format = 'date-time';
    }
  }
  return discriminated(sharp, definitions);
}

function compiler(
  definitions: Definitions,
  root: 'Wire' | 'Sent',
  closed: boolean,
): (kind: string) => ValidateFunction {
  const ajv = new Ajv({ allErrors: true, strict: false, discriminator: true });
  formats.default(ajv, ['date-time']);
  ajv.addSchema({ $id: 'wire', definitions: sharpen(definitions, closed, definitions) });
  const compiled = new Map<string, ValidateFunction>();
  return (kind) => {
    let validate = compiled.get(kind);
    if (!validate) {
      validate = ajv.compile({ $ref: `wire#/definitions/${root}/properties/${kind}` });
      compiled.set(kind, validate);
    }
    return validate;
  };
}

interface Validators {
  open: (kind: string) => ValidateFunction;
  closed: (kind: string) => ValidateFunction;
}

const answers: Validators = {
  open: compiler(wire, 'Wire', false),
  closed: compiler(wire, 'Wire', true),
};
const requests: Validators = {
  open: compiler(sent, 'Sent', false),
  closed: compiler(sent, 'Sent', true),
};

function inWords(error: ErrorObject): string {
  const path = error.instancePath.replaceAll('/', '.').replace(/^\./, '') || '(top)';
  const parameters = error.params as {
    allowedValues?: unknown;
    allowedValue?: unknown;
    tagValue?: unknown;
  };
  const detail = parameters.allowedValues ?? parameters.allowedValue ?? parameters.tagValue;
  const told = detail === undefined ? '' : ` (${JSON.stringify(detail)})`;
  return `${path}: ${error.message ?? error.keyword}${told}`;
}

/** Holds an answer or event against the SDK's type of its kind; both lists empty when it fits. */
export function deviationsFrom(kind: WireKind, value: unknown): Deviations {
  return deviations(answers, kind, value);
}

/** Holds a request's body against the SDK's type of its kind; both lists are empty when it fits. */
export function deviationsOfRequest(kind: SentKind, value: unknown): Deviations {
  return deviations(requests, kind, value);
}

function deviations(validators: Validators, kind: string, value: unknown): Deviations {
  const open = validators.open(kind);
  const violations = open(value) ? [] : [...new Set((open.errors ?? []).map(inWords))];
  if (violations.length > 0) return { violations, unknown: [] };
  const closed = validators.closed(kind);
  if (closed(value)) return { violations, unknown: [] };
  const unknown = (closed.errors ?? [])
    .filter((error) => error.keyword === 'additionalProperties')
    .map((error) => {
      const { additionalProperty } = error.params as { additionalProperty: string };
      return `${error.instancePath}/${additionalProperty}`.replaceAll('/', '.').slice(1);
    });
  return { violations, unknown: [...new Set(unknown)] };
}
