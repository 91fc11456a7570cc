// What one key may ask of this process: requests a minute by kind, by token bucket, and requests
// under way at once. Promises: a key without a figure is never refused; a refused request costs no
// token; what is kept is bounded, and forgetting it only ever lets more through. The state is this
// process's own, so n processes let n times as much through. docs: managed-agents/reference.

import { ApiError } from '../protocol/errors.ts';
import {
  CONCURRENCY_RETRY_AFTER_SECONDS,
  HOSTED_CREATES_PER_MINUTE,
  HOSTED_READS_PER_MINUTE,
  RATE_BUCKETS_MAX,
} from '../protocol/limits.ts';

/** The kinds of requests that are counted apart. The docs name the first two. */
export type RequestKind = 'create' | 'read' | 'write';

/** Figures for one key; what is absent is not limited. */
export interface RateLimits {
  /** requests a minute */
  create?: number;
  read?: number;
  /** updates, archives, deletes, sends: no documented figure */
  write?: number;
  /** at once */
  streams?: number;
  requests?: number;
}

/** The documented figures. */
export const HOSTED_LIMITS: RateLimits = {
  create: HOSTED_CREATES_PER_MINUTE,
  read: HOSTED_READS_PER_MINUTE,
};

/**
 * The routes that create a resource. docs: "such as agents, sessions, and environments"; every GET
 * reads ("retrieve, list, stream"), and what is left writes to something that exists.
 */
const CREATES: ReadonlySet<string> = new Set(['/v1/agents', '/v1/environments', '/v1/sessions']);

/** Which figure a route counts against. */
export function kindOf(method: string, route: string): RequestKind {
  if (method === 'GET') return 'read';
  return method === 'POST' && CREATES.has(route) ? 'create' : 'write';
}

/** A request too many; the client libraries try again after that time by themselves. */
export class RateLimitError extends ApiError {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number) {
    super('rate_limit_error', `${message} Try again in ${retryAfterSeconds} s.`);
    this.name = 'RateLimitError';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface RateLimiter {
  /** Lets a request of a key in, or throws RateLimitError; what it answers is called at its end. */
  enter(keyId: string, kind: RequestKind): () => void;
}

const MINUTE_MS = 60_000;
const FREE = (): void => {};

/** Makes a limiter that has seen nothing yet; `clock` counts milliseconds and never goes back. */
export function createRateLimiter(
  limits: RateLimits,
  clock: () => number = () => performance.now(),
): RateLimiter {
  const underWay = new PerKeyCount(limits.requests, 'requests under way');
  const buckets = new Buckets(clock);
  return {
    enter(keyId, kind) {
      const leave = underWay.enter(keyId);
      const perMinute = limits[kind];
      if (perMinute === undefined) return leave;
      const waitMs = buckets.take(`${keyId} ${kind}`, perMinute);
      if (waitMs === 0) return leave;
      leave();
      throw new RateLimitError(
        `This API key may make ${perMinute} ${kind} requests a minute.`,
        Math.ceil(waitMs / 1000),
      );
    },
  };
}

/** How many of something each key has at once; holds only the keys that have any. */
export class PerKeyCount {
  readonly #counts = new Map<string, number>();
  readonly #max: number | undefined;
  readonly #what: string;

  constructor(max: number | undefined, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** Counts one more, or throws RateLimitError; what it answers, called once, uncounts it. */
  enter(keyId: string): () => void {
    if (this.#max === undefined) return FREE;
    const count = this.#counts.get(keyId) ?? 0;
    if (count >= this.#max) {
      throw new RateLimitError(
        `This API key may have ${this.#max} ${this.#what} at once.`,
        CONCURRENCY_RETRY_AFTER_SECONDS,
      );
    }
    this.#counts.set(keyId, count + 1);
    return () => {
      const left = (this.#counts.get(keyId) ?? 1) - 1;
      if (left > 0) this.#counts.set(keyId, left);
      else this.#counts.delete(keyId);
    };
  }
}

/**
 * Token buckets that hold a minute's worth and fill evenly. Of each only the moment is kept at
 * which it will be full again; the one used longest ago stands first.
 */
class Buckets {
  readonly #fullAt = new Map<string, number>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Takes a token: 0, or, where there is none, the milliseconds until there is one. */
  take(name: string, perMinute: number): number {
    const now = this.#clock();
    const fullAt = Math.max(this.#fullAt.get(name) ?? now, now) + MINUTE_MS / perMinute;
    const waitMs = fullAt - now - MINUTE_MS;
    // Sums of fractions: a token that is a millionth short is there.
    if (waitMs > 1e-6) return waitMs;
    this.#fullAt.delete(name);
    this.#fullAt.set(name, fullAt);
    if (this.#fullAt.size > RATE_BUCKETS_MAX) this.#dropOldest();
    return 0;
  }

  #dropOldest(): void {
    for (const oldest of this.#fullAt.keys()) {
      this.#fullAt.delete(oldest);
      return;
    }
  }
}
