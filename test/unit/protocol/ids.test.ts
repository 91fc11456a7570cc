// Ids: their prefixes, their randomness, and the hash that lets a retried append meet its own rows
// instead of writing them twice.

import { describe, expect, test } from 'vitest';
import {
  generatedEventId,
  ID_PREFIXES,
  type IdKind,
  isId,
  newId,
  primaryThreadId,
} from '../../../protocol/ids.ts';

describe('newId', () => {
  test('an id is its prefix, 01 and 22 base58 characters', () => {
    for (const kind of Object.keys(ID_PREFIXES) as IdKind[]) {
      const id = newId(kind);
      expect(id.slice(0, ID_PREFIXES[kind].length)).toBe(ID_PREFIXES[kind]);
      expect(id.slice(ID_PREFIXES[kind].length)).toMatch(/^01[1-9A-HJ-NP-Za-km-z]{22}$/);
      expect(isId(kind, id)).toBe(true);
    }
  });

  test('ten thousand ids differ, and use every character about equally', () => {
    const ids = Array.from({ length: 10_000 }, () => newId('session').slice('sesn_01'.length));
    expect(new Set(ids).size).toBe(10_000);
    const counts = new Map<string, number>();
    for (const char of ids.join('')) counts.set(char, (counts.get(char) ?? 0) + 1);
    const expected = (10_000 * 22) / 58;
    expect(counts.size).toBe(58);
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(500);
  });

  test('no prefix begins another, so an id has one kind only', () => {
    const prefixes = Object.values(ID_PREFIXES);
    for (const a of prefixes) {
      expect(prefixes.filter((b) => b !== a && b.startsWith(a))).toEqual([]);
    }
  });
});

describe('isId', () => {
  test('an id of the hosted service is one', () => {
    expect(isId('session', 'sesn_011CacVYDPv82zeQYkpDJ1yV')).toBe(true);
  });

  test.each([
    'agent_01',
    'sesn_',
    'sesn',
    'sesn_a b',
    'sesn_a/../b',
    `sesn_${'a'.repeat(65)}`,
    '',
    7,
  ])('%s is no session id', (value) => {
    expect(isId('session', value)).toBe(false);
  });
});

describe('derived ids', () => {
  test('the primary thread carries the suffix of its session', () => {
    expect(primaryThreadId('sesn_01abc')).toBe('sthr_01abc');
  });

  test('a generated event id is stable and has 26 base32 characters', () => {
    const id = generatedEventId('sesn_01abc', 'turn:1/model:2', 1, 'agent.message', 0);
    expect(id).toBe(generatedEventId('sesn_01abc', 'turn:1/model:2', 1, 'agent.message', 0));
    expect(id).toMatch(/^sevt_[a-z2-7]{26}$/);
    expect(isId('event', id)).toBe(true);
  });

  test('any other part is another id, also where the texts run together', () => {
    const ids = [
      generatedEventId('sesn_1', 'ab', 'c', 0),
      generatedEventId('sesn_1', 'a', 'bc', 0),
      generatedEventId('sesn_1', 'ab', 'c', 1),
      generatedEventId('sesn_1', 'ab', 'c0'),
      generatedEventId('sesn_1', 'ab', 'c', '0'),
      generatedEventId('sesn_2', 'ab', 'c', 0),
      generatedEventId('sesn_1', 'ab'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('the base32 of the hash is that of RFC 4648', () => {
    // sha256 of '["sesn_1","s"]' with coreutils: sha256sum | xxd -r -p | base32 | tr A-Z a-z | cut
    // -c1-26
    expect(generatedEventId('sesn_1', 's')).toBe('sevt_hirpcwwzjujdiwxssar3oom5cg');
  });
});
