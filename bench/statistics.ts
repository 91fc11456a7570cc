// The few figures that every row of the bench is made of: percentiles of samples, paired work in an
// order that favours neither side, and chance that can be repeated.

/** The value below which the share `p` (0 to 1) of the samples lies; NaN without samples. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

/** The middle sample. */
export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** Rounded to three significant decimals below 10, two above, so that a table stays readable. */
export function rounded(value: number): number {
  const digits = Math.abs(value) < 10 ? 1_000 : 100;
  return Math.round(value * digits) / digits;
}

/** Does both works `pairs` times, the one first, then the other first, and so on. */
export async function inPairs(
  pairs: number,
  ours: (pair: number) => Promise<void>,
  theirs: (pair: number) => Promise<void>,
): Promise<void> {
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? [ours, theirs] : [theirs, ours];
    for (const work of order) await work(pair);
  }
}

/** Wall time of some work, `ms`. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Now, in milliseconds since 1970 with a fraction: the scale of the scripted model's own times. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A small generator of numbers from 0 to 1 that always gives the same ones (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
