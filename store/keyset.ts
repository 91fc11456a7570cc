// Pages cut by key, not by offset: a page begins right after the row at which the one before it
// ended, so rows made or removed in between shift nothing. Rows are ordered by creation, ties by
// id.

import type { PendingQuery, Row } from 'postgres';
import { encodeCursor, type PageCursor, type PageList } from '../protocol/page.ts';
import type { Database } from './database.ts';

export interface PageRequest {
  /** what the page's cursors are good for */
  list: PageList;
  limit: number;
  order: 'asc' | 'desc';
  /** boundary of the page before; absent for the first page */
  cursor?: PageCursor | undefined;
}

/** Bounds on the creation time, RFC 3339. */
export interface CreatedRange {
  gt?: string | undefined;
  gte?: string | undefined;
  lt?: string | undefined;
  lte?: string | undefined;
}

/** What a row of a page must carry to be a boundary. */
export interface KeyedRow {
  id: string;
  created_at: string;
}

export interface Page<R> {
  rows: R[];
  nextPage: string | null;
  prevPage: string | null;
}

type Fragment = PendingQuery<Row[]>;

/**
 * Writes the tail of a page's query: the condition of the cursor, the order and the limit. The
 * table must have the columns `created_at` and `id` under `alias`. One row more than the limit is
 * read, to see whether there is more.
 */
export function pageTail(sql: Database, alias: string, request: PageRequest): Fragment {
  const time = sql(`${alias}.created_at`);
  const id = sql(`${alias}.id`);
  const { cursor } = request;
  const descending = (request.order === 'desc') !== (cursor?.direction === 'prev');
  const [at, after] = cursor?.key ?? [];
  const past =
    at === undefined || after === undefined
      ? sql``
      : descending
        ? sql`and (${time}, ${id}) < (${timeParameter(sql, at)}, ${after})`
        : sql`and (${time}, ${id}) > (${timeParameter(sql, at)}, ${after})`;
  const ordered = descending
    ? sql`order by ${time} desc, ${id} desc`
    : sql`order by ${time}, ${id}`;
  return sql`${past} ${ordered} limit ${request.limit + 1}`;
}

/** Writes `and …` for each bound given on the creation time. */
export function createdWithin(sql: Database, alias: string, range: CreatedRange): Fragment {
  const time = sql(`${alias}.created_at`);
  const { gt, gte, lt, lte } = range;
  return sql`
    ${gt === undefined ? sql`` : sql`and ${time} > ${timeParameter(sql, gt)}`}
    ${gte === undefined ? sql`` : sql`and ${time} >= ${timeParameter(sql, gte)}`}
    ${lt === undefined ? sql`` : sql`and ${time} < ${timeParameter(sql, lt)}`}
    ${lte === undefined ? sql`` : sql`and ${time} <= ${timeParameter(sql, lte)}`}`;
}

/**
 * Writes a client's time as a parameter of full precision; as a `timestamptz` parameter the driver
 * would make a Date of it and lose the microseconds.
 */
export function timeParameter(sql: Database, time: string): Fragment {
  return sql`${storedTime(time)}::text::timestamptz`;
}

/**
 * Turns a client's RFC 3339 time into one that PostgreSQL takes, whatever it is: in UTC, with
 * microseconds, and infinite beyond the years 1 to 9999.
 */
export function storedTime(time: string): string {
  const at = Date.parse(time);
  if (at < YEAR_1_MS) return '-infinity';
  if (at >= YEAR_10000_MS) return 'infinity';
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  const seconds = new Date(at).toISOString().slice(0, 'yyyy-mm-ddThh:mm:ss'.length);
  return `${seconds}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

const YEAR_1_MS = Date.parse('0001-01-01T00:00:00Z');
const YEAR_10000_MS = Date.parse('+010000-01-01T00:00:00Z');

/**
 * Turns the rows that `pageTail` read into a page in the order asked for, with both its cursors.
 */
export function cutPage<R extends KeyedRow>(found: readonly R[], request: PageRequest): Page<R> {
  const backwards = request.cursor?.direction === 'prev';
  const hasMore = found.length > request.limit;
  const rows = found.slice(0, request.limit);
  if (backwards) rows.reverse();
  const first = rows[0];
  const last = rows.at(-1);
  const hasNext = backwards || hasMore;
  const hasPrev = backwards ? hasMore : request.cursor !== undefined;
  return {
    rows,
    nextPage: hasNext && last ? cursorAt(last, request, 'next') : null,
    prevPage: hasPrev && first ? cursorAt(first, request, 'prev') : null,
  };
}

function cursorAt(row: KeyedRow, request: PageRequest, direction: 'next' | 'prev'): string {
  const { list, order } = request;
  return encodeCursor({ list, order, direction, key: [row.created_at, row.id] });
}
