// The running hash of the prompt cache: it tells apart what JSON tells apart, and nothing else, but
// for the breakpoints, which are no part of a prompt.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PrefixHash } from '../../../scripted-model/prefix-hash.ts';

function hashOf(...values: unknown[]): number {
  const hash = new PrefixHash();
  for (const value of values) hash.add(value);
  return hash.soFar;
}

/** As it comes from a request; a key of `__proto__` and one that sorts itself are no prompt. */
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

it('is the same for the same values in the same order, however they were made', () => {
  fc.assert(
    fc.property(fc.array(json), (values) => {
      const copies = JSON.parse(JSON.stringify(values)) as unknown[];
      expect(hashOf(...copies)).toBe(hashOf(...values));
    }),
  );
});

it('differs where the values do', () => {
  fc.assert(
    fc.property(fc.array(json), fc.array(json), (some, others) => {
      fc.pre(JSON.stringify(some) !== JSON.stringify(others));
      expect(hashOf(...some)).not.toBe(hashOf(...others));
    }),
    { numRuns: 500 },
  );
});

it.each([
  ['where a text ends', ['ab', 'c'], ['a', 'bc']],
  ['a number and its text', [1], ['1']],
  ['nothing and its text', [null], ['null']],
  ['a list in a list', [[['a'], 'b']], [[['a', 'b']]]],
  ['a list and what is in it', [['a', 'b']], ['a', 'b']],
  ['a name and a value', [{ a: 'b' }], [['a', 'b']]],
  ['the order of names', [{ a: 1, b: 2 }], [{ b: 2, a: 1 }]],
  ['an empty record and an empty list', [{}], [[]]],
])('tells apart %s', (_, some, others) => {
  expect(hashOf(...some)).not.toBe(hashOf(...others));
});

it('passes over breakpoints wherever they are', () => {
  const mark = { cache_control: { type: 'ephemeral' } };
  const marked = { type: 'text', text: 'a', ...mark, content: [{ text: 'b', ...mark }] };
  expect(hashOf(marked)).toBe(hashOf({ type: 'text', text: 'a', content: [{ text: 'b' }] }));
});
