// Text that PostgreSQL can keep, whatever a container or a model wrote, and lengths as people count
// them.

import { expect, test } from 'vitest';
import {
  exceedsChars,
  isStorableText,
  storableJson,
  storableText,
} from '../../../protocol/text.ts';

test('NUL and lone surrogates are mended, everything else stays', () => {
  expect(storableText('a\0b')).toBe('a\uFFFDb');
  expect(storableText('a\uD83Db')).toBe('a\uFFFDb');
  expect(storableText('a😀\u0001\uFFFD')).toBe('a😀\u0001\uFFFD');
  expect(isStorableText(storableText('\0\uDC00'))).toBe(true);
});

test('every text of a JSON value is mended, keys included', () => {
  const value = { 'k\0': ['a\0', { b: 1, c: null, d: true }], __proto__: undefined };
  expect(storableJson(value)).toEqual({ 'k\uFFFD': ['a\uFFFD', { b: 1, c: null, d: true }] });
});

test('a character outside the basic plane counts once', () => {
  expect(exceedsChars('😀'.repeat(10), 10)).toBe(false);
  expect(exceedsChars('😀'.repeat(11), 10)).toBe(true);
  expect(exceedsChars('a'.repeat(10), 10)).toBe(false);
  expect(exceedsChars('a'.repeat(21), 10)).toBe(true);
});
