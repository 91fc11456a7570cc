// Pages cut by key: which rows a page shows, which cursors it hands out, and how a client's time is
// written for the database.

import { describe, expect, it } from 'vitest';
import { decodeCursor } from '../../../protocol/page.ts';
import { cutPage, storedTime } from '../../../store/keyset.ts';

const list = { name: 'sessions' } as const;

function row(n: number) {
  return { id: `sesn_${n}`, created_at: `2026-11-21T09:00:00.00000${n}Z` };
}

describe('cutPage', () => {
  const cursor = (direction: 'next' | 'prev') => ({
    list,
    order: 'asc' as const,
    direction,
    key: [row(5).created_at, row(5).id] as const,
  });

  it('a first page has no previous one, and a next one only if there is more', () => {
    const whole = cutPage([row(1), row(2)], { list, limit: 2, order: 'asc' });
    expect(whole).toEqual({ rows: [row(1), row(2)], nextPage: null, prevPage: null });
    const cut = cutPage([row(1), row(2), row(3)], { list, limit: 2, order: 'asc' });
    expect(cut.rows).toEqual([row(1), row(2)]);
    expect(decodeCursor(cut.nextPage!, list)).toEqual({
      list,
      order: 'asc',
      direction: 'next',
      key: [row(2).created_at, row(2).id],
    });
    expect(cut.prevPage).toBeNull();
  });

  it('a page after another one leads back from its first row', () => {
    const page = cutPage([row(6), row(7)], {
      list,
      limit: 2,
      order: 'asc',
      cursor: cursor('next'),
    });
    expect(page.nextPage).toBeNull();
    expect(decodeCursor(page.prevPage!, list)).toMatchObject({
      direction: 'prev',
      key: [row(6).created_at, row(6).id],
    });
  });

  it('a page before another one is shown in the order asked for', () => {
    const request = { list, limit: 2, order: 'asc' as const, cursor: cursor('prev') };
    const page = cutPage([row(4), row(3), row(2)], request);
    expect(page.rows).toEqual([row(3), row(4)]);
    expect(decodeCursor(page.nextPage!, list).key[1]).toBe(row(4).id);
    expect(decodeCursor(page.prevPage!, list).key[1]).toBe(row(3).id);
    expect(cutPage([row(4), row(3)], request).prevPage).toBeNull();
  });

  it('an empty page leads nowhere', () => {
    const page = cutPage([], { list, limit: 2, order: 'asc', cursor: cursor('next') });
    expect(page).toEqual({ rows: [], nextPage: null, prevPage: null });
  });
});

describe('storedTime', () => {
  it('keeps microseconds and turns every offset into UTC', () => {
    expect(storedTime('2026-11-21T09:00:00Z')).toBe('2026-11-21T09:00:00.000000Z');
    expect(storedTime('2026-11-21T09:00:00.123456789Z')).toBe('2026-11-21T09:00:00.123456Z');
    expect(storedTime('2026-11-21T09:00:00.5+23:59')).toBe('2026-11-20T09:01:00.500000Z');
  });

  it('is infinite beyond the years that the database shares with the wire', () => {
    expect(storedTime('0000-06-01T00:00:00Z')).toBe('-infinity');
    expect(storedTime('9999-12-31T23:59:59-10:00')).toBe('infinity');
  });
});
