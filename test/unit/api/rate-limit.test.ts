// The limits of one key, on a clock of the test's own: what passes, what is refused and for how
// long, what is kept. And which route counts against which figure.

import { describe, expect, it } from 'vitest';
import { ROUTES } from '../../../api/app.ts';
import {
  createRateLimiter,
  HOSTED_LIMITS,
  kindOf,
  RateLimitError,
  type RateLimits,
  type RequestKind,
} from '../../../api/rate-limit.ts';
import { RATE_BUCKETS_MAX } from '../../../protocol/limits.ts';

const KEY = 'apikey_01a';

function limiterOf(limits: RateLimits) {
  let now = 1_000_000;
  const limiter = createRateLimiter(limits, () => now);
  return {
    enter: (keyId: string, kind: RequestKind) => limiter.enter(keyId, kind),
    pass: (ms: number) => void (now += ms),
    /** how many of so many at once are let in */
    burst: (count: number, keyId = KEY, kind: RequestKind = 'create') =>
      Array.from({ length: count }).filter(() => refusal(() => limiter.enter(keyId, kind)) === null)
        .length,
  };
}

/** What it was refused with, or null. */
function refusal(enter: () => unknown): RateLimitError | null {
  try {
    enter();
    return null;
  } catch (error) {
    if (error instanceof RateLimitError) return error;
    throw error;
  }
}

describe('requests a minute', () => {
  it('without a figure nothing is refused', () => {
    expect(limiterOf({}).burst(5000)).toBe(5000);
    expect(limiterOf(HOSTED_LIMITS).burst(5000, KEY, 'write')).toBe(5000);
  });

  it('the hosted figures are the documented ones', () => {
    const limiter = limiterOf(HOSTED_LIMITS);
    expect(limiter.burst(5000, KEY, 'create')).toBe(300);
    expect(limiter.burst(5000, KEY, 'read')).toBe(1200);
  });

  it('a bucket holds a minute’s worth, fills evenly, and never holds more', () => {
    const limiter = limiterOf({ create: 60 });
    expect(limiter.burst(100)).toBe(60);
    limiter.pass(999);
    expect(limiter.burst(100)).toBe(0);
    limiter.pass(1);
    expect(limiter.burst(100)).toBe(1);
    limiter.pass(10_000);
    expect(limiter.burst(100)).toBe(10);
    limiter.pass(3_600_000);
    expect(limiter.burst(100)).toBe(60);
  });

  it.each([7, 13, 300, 1200, 999_999])('%i a minute are that many, also after fractions', (max) => {
    const limiter = limiterOf({ read: max });
    expect(limiter.burst(max + 100, KEY, 'read')).toBe(max);
  });

  it('a refusal says when to come again, in whole seconds, and costs nothing', () => {
    const limiter = limiterOf({ create: 4 });
    limiter.burst(4);
    for (let count = 0; count < 50; count += 1) {
      const error = refusal(() => limiter.enter(KEY, 'create'));
      expect(error).toMatchObject({ status: 429, type: 'rate_limit_error', retryAfterSeconds: 15 });
      expect(error!.message).toContain('4 create requests a minute. Try again in 15 s.');
    }
    limiter.pass(15_000);
    expect(limiter.burst(10)).toBe(1);
  });

  it('keys and kinds do not count against each other', () => {
    const limiter = limiterOf({ create: 3, read: 5 });
    expect(limiter.burst(10)).toBe(3);
    expect(limiter.burst(10, 'apikey_01b')).toBe(3);
    expect(limiter.burst(10, KEY, 'read')).toBe(5);
  });

  it('only so many buckets are kept; the one used longest ago is full again', () => {
    const limiter = limiterOf({ create: 1 });
    for (let key = 0; key < RATE_BUCKETS_MAX; key += 1) limiter.enter(`apikey_${key}`, 'create');
    expect(limiter.burst(1, 'apikey_0')).toBe(0);
    limiter.enter('apikey_new', 'create');
    expect(limiter.burst(1, 'apikey_0')).toBe(1);
    expect(limiter.burst(1, `apikey_${RATE_BUCKETS_MAX - 1}`)).toBe(0);
  });
});

describe('requests under way', () => {
  it('so many at once and no more, until one is answered', () => {
    const { enter } = limiterOf({ requests: 2 });
    const leave = enter(KEY, 'read');
    enter(KEY, 'create');
    const error = refusal(() => enter(KEY, 'read'));
    expect(error).toMatchObject({ type: 'rate_limit_error', retryAfterSeconds: 1 });
    expect(error!.message).toContain('2 requests under way at once');
    enter('apikey_01b', 'read');
    leave();
    expect(refusal(() => enter(KEY, 'read'))).toBeNull();
  });

  it('a request that its bucket refuses is not under way', () => {
    const { enter, pass } = limiterOf({ requests: 2, create: 1 });
    enter(KEY, 'create')();
    for (let count = 0; count < 5; count += 1) refusal(() => enter(KEY, 'create'));
    pass(60_000);
    enter(KEY, 'create');
    expect(refusal(() => enter(KEY, 'read'))).toBeNull();
  });
});

describe('routes', () => {
  it.each(ROUTES.map(([method, path]) => [method, path] as const))('%s %s', (method, path) => {
    const creates = method === 'POST' && !path.includes(':');
    expect(kindOf(method, path)).toBe(method === 'GET' ? 'read' : creates ? 'create' : 'write');
  });
});
