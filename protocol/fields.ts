// Fields that several resources share: ids, bounded texts, timestamps, metadata and the parameters
// of list queries. A refusal says what was expected, never what a secret was.

import * as z from 'zod';
import { ApiError } from './errors.ts';
import { type IdKind, ID_PREFIXES, isId } from './ids.ts';
import {
  METADATA_KEY_CHARS_MAX,
  METADATA_PAIRS_MAX,
  METADATA_VALUE_CHARS_MAX,
  URL_CHARS_MAX,
} from './field-limits.ts';
import { QUERY_LIST_ENTRIES_MAX } from './limits.ts';
import { exceedsChars } from './text.ts';

export type Metadata = Record<string, string>;
export type MetadataPatch = Record<string, string | null>;

/** Shape of an id of this kind. */
export function idOf(kind: IdKind) {
  const message = `expected an id that begins with ${ID_PREFIXES[kind]}`;
  return z.string().refine((value) => isId(kind, value), message);
}

/** Shape of a text of `charsMin` (0) to `charsMax` characters. */
export function textOf(charsMax: number, charsMin: 0 | 1 = 0) {
  return z.string().superRefine((value, context) => {
    if (value.length < charsMin) {
      context.addIssue({ code: 'custom', message: 'expected a text that is not empty' });
    } else if (exceedsChars(value, charsMax)) {
      context.addIssue({ code: 'custom', message: `expected at most ${charsMax} characters` });
    }
  });
}

/** Shape of an http or https address without credentials. */
export const httpUrl = textOf(URL_CHARS_MAX, 1).refine((text) => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '';
}, 'expected an http or https URL');

/** Shape of an RFC 3339 timestamp in a response. */
export const timestamp = z.string();

/**
 * Shape of `metadata` on create. sdk 1.11.0: at most 16 pairs, keys to 64, values to 512
 * characters.
 */
export const metadata = z.record(z.string(), z.string()).superRefine((bag, context) => {
  const problem = metadataProblem(bag);
  if (problem !== undefined) {
    context.addIssue({
      code: 'custom',
      message: problem,
      params: { error_code: 'invalid_metadata' },
    });
  }
});

/** Shape of `metadata` on update: a null deletes its key; `mergeMetadata` checks the result. */
export const metadataPatch = z.record(z.string(), z.string().nullable());

/**
 * Applies a patch key by key: a text sets, null deletes, an omitted key stays; an absent or null
 * patch changes nothing. With `emptyDeletes` an empty text deletes too (sdk 1.11.0: environments
 * only). Throws 400 `invalid_metadata` when the result is over the documented bounds.
 */
export function mergeMetadata(
  current: Metadata,
  patch: MetadataPatch | null | undefined,
  options: { emptyDeletes?: boolean } = {},
): Metadata {
  const merged = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null || (options.emptyDeletes === true && value === '')) merged.delete(key);
    else merged.set(key, value);
  }
  const result = Object.fromEntries(merged);
  const problem = patch == null ? undefined : metadataProblem(result);
  if (problem === undefined) return result;
  throw new ApiError('invalid_request_error', `metadata: ${problem}`, {
    error_code: 'invalid_metadata',
  });
}

function metadataProblem(bag: Metadata): string | undefined {
  const entries = Object.entries(bag);
  if (entries.length > METADATA_PAIRS_MAX) return `expected at most ${METADATA_PAIRS_MAX} pairs`;
  for (const [key, value] of entries) {
    if (key === '' || exceedsChars(key, METADATA_KEY_CHARS_MAX)) {
      return `expected keys of 1 to ${METADATA_KEY_CHARS_MAX} characters`;
    }
    if (exceedsChars(value, METADATA_VALUE_CHARS_MAX)) {
      return `expected values of at most ${METADATA_VALUE_CHARS_MAX} characters, see key "${key}"`;
    }
  }
  return undefined;
}

/** Query parameter that is true or false; absent is false. */
export const flagParam = z
  .enum(['true', 'false'])
  .optional()
  .transform((text) => text === 'true');

/** Query parameter `order`. */
export function orderParam(order: 'asc' | 'desc') {
  return z.enum(['asc', 'desc']).default(order);
}

/** Query parameter that holds a whole number from `min` up. */
export function countParam(min: number) {
  const message = `expected a whole number from ${min} up`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min, message)
    .optional();
}

/**
 * Query parameter that may repeat (`name[]=a&name[]=b`), at most `QUERY_LIST_ENTRIES_MAX` times.
 */
export function listParam<T extends z.ZodType>(entry: T) {
  return z
    .preprocess(
      (value) => (value === undefined || Array.isArray(value) ? value : [value]),
      z.array(entry).max(QUERY_LIST_ENTRIES_MAX).optional(),
    )
    .optional();
}

const timeParam = z.iso.datetime({
  offset: true,
  error: 'expected an RFC 3339 timestamp such as 2026-11-21T09:30:00Z',
});

/** Query parameters `created_at[gte]` and `created_at[lte]`. */
export const createdAtWithin = z
  .strictObject({ gte: timeParam.optional(), lte: timeParam.optional() })
  .optional();

/** Query parameters `created_at[gt]`, `[gte]`, `[lt]` and `[lte]`. */
export const createdAtRange = z
  .strictObject({
    gt: timeParam.optional(),
    gte: timeParam.optional(),
    lt: timeParam.optional(),
    lte: timeParam.optional(),
  })
  .optional();
