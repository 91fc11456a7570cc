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
  order: 'desc',
  direction: 'next',
  key: ['2026-11-21T09:30:00.123456Z', 'sesn_01abc'],
};
const BY_NUMBER: PageCursor = { order: 'asc', direction: 'prev', key: ['42', '43'] };

describe('cursors', () => {
  test.each([BY_TIME, BY_NUMBER, { ...BY_NUMBER, key: ['', '7', '6'] } satisfies PageCursor])(
    'a cursor comes back as it went %#',
    (cursor) => {
      const text = encodeCursor(cursor);
      expect(text).toMatch(/^[\w-]+$/);
      expect(decodeCursor(text)).toEqual(cursor);
    },
  );

  const forged = (key: [string, string]) => encodeCursor({ ...BY_TIME, key });
  test.each([
    '',
    'x',
    'eyJhIjoxfQ',
    'A'.repeat(1000),
    encodeCursor(BY_TIME).slice(0, -4),
    forged(["2026-11-21'; drop table agents", 'agent_1']),
    forged(['2026-02-30T00:00:00Z', 'agent_1']),
    forged(['2026-11-21T09:30:00Z', "x'"]),
    forged(['99999999999999999999', '1']),
    forged(['', '1']),
  ])('%s is a 400 that names page', (text) => {
    expect(() => decodeCursor(text)).toThrow(ApiError);
    expect(() => decodeCursor(text)).toThrow(/^page: /);
  });

  test('a cursor of a list with another kind of key is a 400', () => {
    expect(() => decodeCursor(encodeCursor(BY_TIME), 'number')).toThrow(/^page: /);
    expect(() => decodeCursor(encodeCursor(BY_NUMBER), 'time')).toThrow(/^page: /);
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
