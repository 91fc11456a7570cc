// Page cursors: opaque to clients, a boundary row to the store. A cursor carries its list and its
// order, so that it cannot silently go on in another one. Whatever a client sends as a cursor
// either decodes to a boundary as its list has them or is a 400: no cast in SQL ever fails on it.

import * as z from 'zod';
import { ApiError } from './errors.ts';
import { CURSOR_CHARS_MAX } from './limits.ts';

export type PageOrder = 'asc' | 'desc';

/** One to three parts, in the form of its list (`KEYS`). */
export type PageKey = readonly [string, string?, string?];

/** Which list a page is of. */
export interface PageList {
  name: ListName;
  /** id of the resource that the list is inside of; absent for a workspace's lists */
  within?: string;
}

export interface PageCursor {
  list: PageList;
  order: PageOrder;
  /** `next` goes on after the boundary, `prev` before it, both in `order` */
  direction: 'next' | 'prev';
  /** boundary row */
  key: PageKey;
  /** time of the boundary row where its key does not begin with one; absent while it has none */
  at?: string | undefined;
}

const MARK = 'p2';
const time = z.iso.datetime({ offset: true });
const id = z.string().regex(/^[a-z]+_[A-Za-z0-9]{1,64}$/);
/** fits a `bigint`, whatever its digits */
const number = z.string().regex(/^\d{1,18}$/);
const creation = z.tuple([time, id]);

/** What a boundary of each list consists of: what it is sorted by, then what breaks ties. */
const KEYS = {
  agents: creation,
  environments: creation,
  sessions: creation,
  threads: creation,
  versions: z.tuple([number]),
  // Position and seq; seq and a watermark once what waits was reached (store/events.ts).
  events: z.union([z.tuple([number, number]), z.tuple([z.literal(''), number, number])]),
};
type ListName = keyof typeof KEYS;

const cursorTuple = z.tuple([
  z.literal(MARK),
  z.enum(Object.keys(KEYS) as [ListName, ...ListName[]]),
  z.string(),
  z.enum(['asc', 'desc']),
  z.enum(['next', 'prev']),
  z.array(z.string()),
  time.optional(),
]);

/** Writes a cursor; it holds no secret and needs no escaping in a URL. */
export function encodeCursor({ list, order, direction, key, at }: PageCursor): string {
  const tuple = [MARK, list.name, list.within ?? '', order, direction, key];
  if (at !== undefined) tuple.push(at);
  return Buffer.from(JSON.stringify(tuple), 'utf8').toString('base64url');
}

/** Reads a cursor of this list; throws a 400 that names `page` for whatever else was sent. */
export function decodeCursor(text: string, list: PageList): PageCursor {
  const parsed = text.length > CURSOR_CHARS_MAX ? undefined : cursorTuple.safeParse(fromText(text));
  if (!parsed?.success) throw badCursor();
  const [, name, within, order, direction, parts, at] = parsed.data;
  if (name !== list.name || within !== (list.within ?? '')) {
    throw badCursor('it was made by another list, start again without it');
  }
  const key = KEYS[name].safeParse(parts).data;
  if (key === undefined) throw badCursor();
  return { list, order, direction, key, ...(at === undefined ? {} : { at }) };
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
  const at = Date.parse((cursor.list.name === 'events' ? cursor.at : cursor.key[0]) ?? '');
  // Dates drop microseconds, so a boundary that equals a bound may be inside: only clear cases
  // count. What has no time yet is in no range.
  const outside =
    [gt, gte].some((bound) => bound !== undefined && !(at >= Date.parse(bound))) ||
    [lt, lte].some((bound) => bound !== undefined && !(at <= Date.parse(bound)));
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
