// Page cursors: opaque to clients, a boundary row to the store. A cursor carries its order, so that
// it cannot silently go on in another one. Whatever a client sends as a cursor either decodes to a
// boundary of the right kind or is a 400: no cast in SQL ever fails on it.

import * as z from 'zod';
import { ApiError } from './errors.ts';
import { CURSOR_CHARS_MAX } from './limits.ts';

export type PageOrder = 'asc' | 'desc';

export type PageKey = readonly [string, string, string?];

export interface PageCursor {
  order: PageOrder;
  /** `next` goes on after the boundary, `prev` before it, both in `order` */
  direction: 'next' | 'prev';
  /** sort value and tie-breaker of the boundary row; a watermark among waiting events */
  key: PageKey;
}

/**
 * What a list is sorted by: `time` = creation time, then id; `number` = a number (empty for null),
 * then a number or an id.
 */
export type PageKeyKind = 'time' | 'number';

const MARK = 'p1';
const ID = /^[a-z]+_[A-Za-z0-9]{1,64}$/;
const NUMBER = /^-?\d{1,18}$/;
const timestamp = z.iso.datetime({ offset: true });

const KEY_FITS: Record<PageKeyKind, (key: PageKey) => boolean> = {
  time: ([sort, tie]) => timestamp.safeParse(sort).success && ID.test(tie),
  number: ([sort, tie, watermark]) =>
    (sort === '' ? NUMBER.test(watermark ?? '') : NUMBER.test(sort)) &&
    (tie === '' || NUMBER.test(tie) || ID.test(tie)),
};

const cursorTuple = z.tuple([
  z.literal(MARK),
  z.enum(['asc', 'desc']),
  z.enum(['next', 'prev']),
  z.string(),
  z.string(),
  z.string().optional(),
]);

/** Writes a cursor; it holds no secret and needs no escaping in a URL. */
export function encodeCursor(cursor: PageCursor): string {
  const { order, direction, key } = cursor;
  return Buffer.from(JSON.stringify([MARK, order, direction, ...key]), 'utf8').toString(
    'base64url',
  );
}

/** Reads a cursor; throws a 400 that names `page` unless it is one of ours, of the kind wanted. */
export function decodeCursor(text: string, kind?: PageKeyKind): PageCursor {
  const parsed = text.length > CURSOR_CHARS_MAX ? undefined : cursorTuple.safeParse(fromText(text));
  if (!parsed?.success) throw badCursor();
  const [, order, direction, sort, tie, watermark] = parsed.data;
  const key: PageKey = watermark === undefined ? [sort, tie] : [sort, tie, watermark];
  const kinds = kind === undefined ? (['time', 'number'] as const) : [kind];
  if (!kinds.some((each) => KEY_FITS[each](key))) throw badCursor();
  return { order, direction, key };
}

/**
 * Refuses a cursor that belongs to another query: another `order`, or a boundary outside the
 * `created_at` range. docs: managed-agents/session-operations (cursors keep their order).
 */
export function checkCursor(
  cursor: PageCursor | undefined,
  query: { order: PageOrder; createdAt?: TimeRange | undefined },
): void {
  if (cursor === undefined) return;
  if (cursor.order !== query.order) {
    throw badCursor(`it was made with order=${cursor.order}, start again without it`);
  }
  const { gt, gte, lt, lte } = query.createdAt ?? {};
  const at = Date.parse(cursor.key[0]);
  // Dates drop microseconds, so a boundary that equals a bound may be inside: only clear cases
  // count.
  const outside =
    [gt, gte].some((bound) => bound !== undefined && at < Date.parse(bound)) ||
    [lt, lte].some((bound) => bound !== undefined && at > Date.parse(bound));
  if (outside) throw badCursor('it lies outside the created_at range, start again without it');
}

/** Bounds on a timestamp, RFC 3339 each. */
export interface TimeRange {
  gt?: string | undefined;
  gte?: string | undefined;
  lt?: string | undefined;
  lte?: string | undefined;
}

/**
 * Shape of the query parameter `limit`; `defaultEntries` when absent. docs: api/overview
 * (pagination).
 */
export function limitParam(defaultEntries: number, maxEntries: number) {
  return z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return defaultEntries;
      const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      if (value >= 1 && value <= maxEntries) return value;
      context.addIssue({
        code: 'custom',
        message: `expected a whole number from 1 to ${maxEntries}`,
      });
      return z.NEVER;
    });
}

/** Shape of the query parameter `page`; `decodeCursor` reads it. Old clients send null as empty. */
export const pageParam = z
  .string()
  .optional()
  .transform((text) => (text === '' ? undefined : text));

function badCursor(
  reason = 'expected a cursor from next_page or prev_page of this list',
): ApiError {
  return new ApiError('invalid_request_error', `page: ${reason}`);
}

function fromText(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
