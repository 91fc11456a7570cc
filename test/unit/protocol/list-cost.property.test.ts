// Costs against fractions worked out the long way: whatever the prices, counts and multipliers, the
// decimal is the same number, and adding, comparing and rounding are those of that number.

import fc from 'fast-check';
import { test } from 'vitest';
import {
  addDollars,
  compareDollars,
  fromCents,
  requestCost,
  toCents,
} from '../../../protocol/models/list-cost.ts';
import type { TokenRates } from '../../../protocol/models/model-catalog.ts';

/** Numerator and denominator, never shortened. */
type Fraction = readonly [bigint, bigint];

function fraction(decimal: string): Fraction {
  const [whole = '', digits = ''] = decimal.split('.');
  return [BigInt(whole + digits), 10n ** BigInt(digits.length)];
}
const plus = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * d + c * b, b * d];
const times = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * c, b * d];
const isSame = ([a, b]: Fraction, [c, d]: Fraction): boolean => a * d === c * b;

const decimal = fc
  .tuple(fc.nat(9_999), fc.nat(12), fc.nat(999_999_999))
  .map(([whole, length, digits]) => {
    return length === 0
      ? String(whole)
      : `${whole}.${String(digits).padStart(12, '0').slice(-length)}`;
  });
const rates: fc.Arbitrary<TokenRates> = fc.record({
  input: decimal,
  output: decimal,
  cacheRead: decimal,
  cacheWrite5m: decimal,
  cacheWrite1h: decimal,
});
const factor = fc.option(decimal);
const count = fc.oneof(fc.nat(2_000_000), fc.nat(), fc.constant(0));
const usage = fc.record({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_5m_tokens: count,
  cache_creation_1h_tokens: count,
});
const price = fc.record({
  version: fc.constant('test'),
  rates,
  fastMultiplier: factor,
  usMultiplier: factor,
  longPrompt: fc.option(fc.record({ aboveTokens: fc.nat(1_000_000), rates })),
});
const terms = fc.record({
  speed: fc.constantFrom('standard', 'fast', null, undefined),
  inference_geo: fc.constantFrom('global', 'us', null, undefined),
});

test('the cost of a request is the fraction that it comes to', () => {
  fc.assert(
    fc.property(price, usage, terms, (list, used, how) => {
      const read = used.cache_read_input_tokens;
      const [five, hour] = [used.cache_creation_5m_tokens, used.cache_creation_1h_tokens];
      const prompt = used.input_tokens + read + five + hour;
      const isLong = list.longPrompt !== null && prompt > list.longPrompt.aboveTokens;
      const own = isLong ? list.longPrompt!.rates : list.rates;
      const parts: [string, number][] = [
        [own.input, used.input_tokens],
        [own.output, used.output_tokens],
        [own.cacheRead, read],
        [own.cacheWrite5m, five],
        [own.cacheWrite1h, hour],
      ];
      let expected: Fraction = [0n, 1n];
      for (const [rate, tokens] of parts) {
        expected = plus(expected, times(fraction(rate), [BigInt(tokens), 1_000_000n]));
      }
      if (how.speed === 'fast') expected = times(expected, fraction(list.fastMultiplier ?? '1'));
      if (how.inference_geo === 'us')
        expected = times(expected, fraction(list.usMultiplier ?? '1'));
      const cost = requestCost(list, used, how);
      return isSame(fraction(cost), expected) && !/\.\d*0$|\.$/.test(cost);
    }),
  );
});

test('sums and comparisons are those of the numbers, in any order', () => {
  fc.assert(
    fc.property(fc.array(decimal), (amounts) => {
      const sum = amounts.map(fraction).reduce(plus, [0n, 1n]);
      const forth = addDollars(...amounts);
      return isSame(fraction(forth), sum) && forth === addDollars(...amounts.toReversed());
    }),
  );
  fc.assert(
    fc.property(decimal, decimal, (left, right) => {
      const [a, b] = fraction(left);
      const [c, d] = fraction(right);
      return compareDollars(left, right) === (a * d === c * b ? 0 : a * d < c * b ? -1 : 1);
    }),
  );
});

test('cents are the nearest whole ones, half a cent upwards, and come back as they were', () => {
  fc.assert(
    fc.property(decimal, (dollars) => {
      const [a, b] = fraction(dollars);
      const cents = BigInt(toCents(dollars));
      // cents - 1/2 <= 100 a/b < cents + 1/2
      return (2n * cents - 1n) * b <= 200n * a && 200n * a < (2n * cents + 1n) * b;
    }),
  );
  fc.assert(fc.property(fc.nat(), (cents) => toCents(fromCents(String(cents))) === String(cents)));
});
