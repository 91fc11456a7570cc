// The operator's file of models: which endpoint serves which ids, and what is known of them beyond
// the public table. Promise: a wrong file is refused as a whole, with line and column of the wrong
// place and what was expected there. Keys are not in it, only names of variables that hold them.
// docs/models.md is its reference.
import { readFileSync } from 'node:fs';
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';
import { z } from 'zod';
import { EFFORTS, priceVersion } from '../../protocol/models/model-catalog.ts';
import type { ModelPrice, ModelRule, TokenRates } from '../../protocol/models/model-catalog.ts';
import { MODEL_ID_CHARS_MAX } from '../../protocol/field-limits.ts';
import { ConfigError } from '../config.ts';

const text = z.string().min(1, 'expected a text that is not empty');
const url = z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// address' });
const tokens = z.int('expected a whole number of tokens').positive('expected a number above 0');
const pattern = text
  .max(MODEL_ID_CHARS_MAX)
  .regex(/^[^*]*\*?$/, 'expected a model id, or the beginning of one with * at its end');
const variable = z
  .string()
  .regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable, not a key itself');

/** A number as it is written, or a text where digits matter. */
const decimal = z
  .union([z.number(), z.string()], 'expected a number, such as 0.25')
  .transform(String)
  .refine((value) => /^\d{1,9}(\.\d{1,12})?$/.test(value), 'expected a number, such as 0.25');

const rateFields = {
  input: decimal,
  output: decimal,
  cache_read: decimal.optional(),
  cache_write_5m: decimal.optional(),
  cache_write_1h: decimal.optional(),
};

const price = z.strictObject({
  ...rateFields,
  version: text.optional(),
  fast_multiplier: decimal.optional(),
  us_multiplier: decimal.optional(),
  long_prompt: z.strictObject({ above_tokens: tokens, ...rateFields }).optional(),
});

const effort = z
  .strictObject({ levels: z.array(z.enum(EFFORTS)), default: z.enum(EFFORTS).optional() })
  .refine(
    ({ levels, default: own }) => own === undefined || levels.includes(own),
    'expected default to be one of levels',
  );

const ENDPOINTS = 'expected type to be one of messages, bedrock, vertex';
const endpoint = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('messages'),
      base_url: url,
      api_key_env: variable.optional(),
    }),
    z
      .strictObject({
        type: z.literal('bedrock'),
        region: text,
        base_url: url.optional(),
        api_key_env: variable.optional(),
        access_key_id_env: variable.optional(),
        secret_access_key_env: variable.optional(),
        session_token_env: variable.optional(),
      })
      .refine(
        (each) => Boolean(each.access_key_id_env) === Boolean(each.secret_access_key_env),
        'expected access_key_id_env and secret_access_key_env together',
      ),
    z.strictObject({
      type: z.literal('vertex'),
      region: text,
      project: text,
      base_url: url.optional(),
    }),
  ],
  ENDPOINTS,
);

const entry = z
  .strictObject({
    models: z.array(pattern).min(1, 'expected at least one model id'),
    endpoint: endpoint.optional(),
    upstream_model: text.optional(),
    scripted: z.boolean().optional(),
    display_name: text.optional(),
    price: price.nullable().optional(),
    context_window: tokens.optional(),
    max_output_tokens: tokens.optional(),
    thinking: z.enum(['adaptive', 'budget', 'none']).optional(),
    effort: effort.optional(),
    caching: z.boolean().optional(),
    mid_conversation_system: z.boolean().optional(),
    image_input: z.boolean().optional(),
    pdf_input: z.boolean().optional(),
  })
  .superRefine(({ endpoint: where, upstream_model: name, scripted }, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (name !== undefined && where === undefined) {
      refuse('upstream_model', 'expected an endpoint beside it');
    }
    if (scripted === true && where?.type !== 'messages') {
      refuse('scripted', 'expected an endpoint of type messages beside it');
    }
  });

const modelFile = z.array(entry).superRefine((entries, context) => {
  const seen = new Set<string>();
  for (const [at, { models }] of entries.entries()) {
    for (const [index, id] of models.entries()) {
      const path = [at, 'models', index];
      if (seen.has(id)) context.addIssue({ code: 'custom', path, message: 'named already' });
      seen.add(id);
    }
  }
});

type Entry = z.output<typeof entry>;
export type FileEndpoint = z.output<typeof endpoint>;

/** One entry of the file. */
export interface FileEntry {
  rule: ModelRule;
  /** null: it says nothing about where its models are */
  endpoint: FileEndpoint | null;
  upstreamModel: string | null;
  isScripted: boolean;
  /** `file:line:column` of a field of the endpoint */
  placeOf: (field: string) => string;
}

/** Reads the file; throws ConfigError with the place of what is wrong. */
export function readModelFile(file: string): FileEntry[] {
  const source = readText(file);
  const errors: ParseError[] = [];
  const tree = parseTree(source, errors, { allowTrailingComma: true });
  const place = (offset: number) => `${file}:${lineAndColumn(source, offset)}`;
  if (errors[0] !== undefined || tree === undefined) {
    const { offset, error } = errors[0] ?? { offset: 0, error: undefined };
    const problem = error === undefined ? 'ValueExpected' : printParseErrorCode(error);
    throw new ConfigError(`${place(offset)}: this is not JSON: ${spaced(problem)}.`);
  }
  const parsed = modelFile.safeParse(getNodeValue(tree));
  if (!parsed.success) {
    const { path, text: problem } = firstProblem(parsed.error.issues[0]!);
    const name = path.length === 0 ? 'the file' : path.join('.');
    throw new ConfigError(`${place(offsetOf(tree, path))}: ${name}: ${problem}.`);
  }
  return parsed.data.map((each, index) => ({
    rule: { models: each.models, traits: traitsOf(each) },
    endpoint: each.endpoint ?? null,
    upstreamModel: each.upstream_model ?? null,
    isScripted: each.scripted ?? false,
    placeOf: (field) => place(offsetOf(tree, [index, 'endpoint', field])),
  }));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `HOLDFAST_MODELS: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}.`,
    );
  }
}

type Issue = z.core.$ZodIssue;

function firstProblem(issue: Issue): { path: PropertyKey[]; text: string } {
  if (issue.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0]!], text: 'unknown field' };
  }
  const words = issue.message
    .replace(/^Invalid (input|option): /, '')
    .replace(/^(expected .*), received undefined$/, 'required, $1');
  return { path: [...issue.path], text: words };
}

/** Where a value stands: an unknown field at its name, a missing one at the object it misses in. */
function offsetOf(tree: Node, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = findNodeAtLocation(tree, path.slice(0, length) as (string | number)[]);
    if (node !== undefined) return node.offset;
  }
  return tree.offset;
}

function lineAndColumn(source: string, offset: number): string {
  const before = source.slice(0, offset).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

/** `PropertyNameExpected` → `property name expected` */
function spaced(code: string): string {
  return code.replace(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

const THINKING_TYPES = {
  adaptive: ['adaptive'],
  budget: ['enabled', 'disabled'],
  none: [],
} as const;

/** What an entry says, without what it does not say: that stays as it is known. */
function traitsOf(given: Entry): ModelRule['traits'] {
  const { thinking, effort: levels } = given;
  const traits: ModelRule['traits'] = {
    displayName: given.display_name,
    contextWindowTokens: given.context_window,
    outputTokensMax: given.max_output_tokens,
    thinking,
    thinkingTypes: thinking && THINKING_TYPES[thinking],
    efforts: levels && EFFORTS.filter((each) => levels.levels.includes(each)),
    ownEffort: levels && (levels.default ?? levels.levels.at(-1) ?? 'high'),
    hasPromptCaching: given.caching,
    takesMidConversationSystem: given.mid_conversation_system,
    takesImages: given.image_input,
    takesPdfs: given.pdf_input,
    price: given.price && priceOf(given.price),
  };
  return Object.fromEntries(Object.entries(traits).filter(([, value]) => value !== undefined));
}

function priceOf(given: z.output<typeof price>): ModelPrice {
  const { long_prompt: long } = given;
  const own = {
    rates: ratesOf(given),
    fastMultiplier: given.fast_multiplier ?? null,
    usMultiplier: given.us_multiplier ?? null,
    longPrompt: long ? { aboveTokens: long.above_tokens, rates: ratesOf(long) } : null,
  };
  return { version: given.version ?? priceVersion(own), ...own };
}

/** Cached tokens without a price of their own are input like any other. */
function ratesOf(given: z.output<z.ZodObject<typeof rateFields>>): TokenRates {
  const { input, output } = given;
  return {
    input,
    output,
    cacheRead: given.cache_read ?? input,
    cacheWrite5m: given.cache_write_5m ?? input,
    cacheWrite1h: given.cache_write_1h ?? input,
  };
}
