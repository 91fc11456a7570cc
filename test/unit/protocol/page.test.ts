// Cursors come back as they went, and nothing else is taken for one: what a client sends there must
// never make a query of ours fail.

import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { ApiError } from '../../../protocol/errors.ts';
import {
  checkCursor,
  decodeCursor,
  encodeCursor,
  limitParam,
  type PageCursor,
} from '../../../protocol/page.ts';

const BY_TIME: PageCursor = {
  list: { name: 'sessions' },
  order: 'desc',
  direction: 'next',
  key: ['2026-11-21T09:30:00.123456Z', 'sesn_01abc'],
};
const EVENTS = { name: 'events', within: 'sesn_01abc' } as const;
const BY_POSITION: PageCursor = {
  list: EVENTS,
  order: 'asc',
  direction: 'next',
  key: ['42', '43'],
  at: '2026-11-21T09:30:00.123Z',
};
const VERSION: PageCursor = {
  list: { name: 'versions', within: 'agent_01abc' },
  order: 'desc',
  direction: 'next',
  key: ['7'],
};

describe('cursors', () => {
  const waiting: PageCursor = { ...BY_TIME, list: EVENTS, key: ['', '7', '6'] };
  test.each([
    BY_TIME,
    { ...BY_TIME, direction: 'prev' } satisfies PageCursor,
    BY_POSITION,
    VERSION,
    waiting,
  ])('a cursor comes back as it went %#', (cursor) => {
    const text = encodeCursor(cursor);
    expect(text).toMatch(/^[\w-]+$/);
    expect(decodeCursor(text, cursor.list)).toEqual(cursor);
  });

  const forged = (...key: [string, string]) => encodeCursor({ ...BY_TIME, key });
  test.each([
    '',
    'x',
    'eyJhIjoxfQ',
    'A'.repeat(1000),
    encodeCursor(BY_TIME).slice(0, -4),
    forged("2026-11-21'; drop table agents", 'agent_1'),
    forged('2026-02-30T00:00:00Z', 'agent_1'),
    forged('2026-11-21T09:30:00Z', "x'"),
    forged('42', '43'),
  ])('%s is a 400 that names page', (text) => {
    expect(() => decodeCursor(text, BY_TIME.list)).toThrow(ApiError);
    expect(() => decodeCursor(text, BY_TIME.list)).toThrow(/^page: /);
  });

  test.each<[PageCursor['list'], string[]]>([
    [EVENTS, ['99999999999999999999', '1']],
    [EVENTS, ['1', '']],
    [EVENTS, ['1', '2', '3']],
    [EVENTS, ['', '7']],
    [EVENTS, ['', '7', '-1']],
    [VERSION.list, ['']],
    [VERSION.list, ['7', 'agent_01abc']],
    [{ name: 'agents' }, ['2026-11-21T09:30:00Z', 'agent_1', '1']],
  ])('a key that %j does not have is a 400: %j', (list, key) => {
    const text = encodeCursor({ ...BY_TIME, list, key: key as never });
    expect(() => decodeCursor(text, list)).toThrow(/^page: /);
  });

  test('a cursor of another list is a 400', () => {
    const text = encodeCursor(BY_POSITION);
    for (const list of [
      { name: 'events', within: 'sesn_01abd' } as const,
      { name: 'events' } as const,
      { name: 'versions', within: 'sesn_01abc' } as const,
    ]) {
      expect(() => decodeCursor(text, list)).toThrow(/^page: .*another list/);
    }
  });

  test('a cursor keeps its order', () => {
    expect(() => checkCursor(BY_TIME, { order: 'asc' })).toThrow(/order=desc/);
    expect(() => checkCursor(BY_TIME, { order: 'desc' })).not.toThrow();
    expect(() => checkCursor(undefined, { order: 'asc' })).not.toThrow();
  });

  test('a created_at range that leaves the cursor outside is a 400', () => {
    const within = (createdAt: object) => () => checkCursor(BY_TIME, { order: 'desc', createdAt });
    expect(within({ gte: '2026-11-21T09:30:01Z' })).toThrow(/created_at/);
    expect(within({ lt: '2026-11-21T09:30:00Z' })).toThrow(/created_at/);
    expect(
      within({ gt: '2026-11-21T09:30:00.123455Z', lte: '2026-11-21T09:30:00.123456Z' }),
    ).not.toThrow();
  });

  test('an event is in a created_at range by the time of its processing, or in none', () => {
    const within = (cursor: PageCursor, createdAt: object) => () =>
      checkCursor(cursor, { order: cursor.order, createdAt });
    expect(within(BY_POSITION, { gte: '2026-11-21T09:30:01Z' })).toThrow(/created_at/);
    expect(within(BY_POSITION, { gte: '2026-11-21T09:30:00.123456Z' })).not.toThrow();
    const waits: PageCursor = { ...BY_POSITION, key: ['', '7', '6'], at: undefined };
    expect(within(waits, { gte: '1999-01-01T00:00:00Z' })).toThrow(/created_at/);
    expect(within(waits, {})).not.toThrow();
  });
});

describe('limitParam', () => {
  const limit = limitParam(20, 100);
  test('absent is the default', () => {
    expect(z.parse(limit, undefined)).toBe(20);
  });
  test.each(['1', '100', '007'])('%s is taken', (text) => {
    expect(z.parse(limit, text)).toBe(Number(text));
  });
  test.each(['0', '101', '-1', '1.5', '1e2', '', ' 1', 'ten', '99999999999'])(
    '%s is refused',
    (t) => {
      expect(limit.safeParse(t).success).toBe(false);
    },
  );
});
