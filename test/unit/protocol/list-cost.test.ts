// Money: what requests, searches and time cost at list price. Every expected number is worked out
// by hand from the public price list.

import { describe, expect, test } from 'vitest';
import {
  addDollars,
  compareDollars,
  fromCents,
  requestCost,
  runtimeCost,
  searchCost,
  SEARCHES_1000_USD,
  SESSION_HOUR_USD,
  toCents,
  type TokenUsage,
} from '../../../protocol/models/list-cost.ts';
import type { ModelPrice } from '../../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG } from '../../../protocol/models/public-models.ts';

const NONE: TokenUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_5m_tokens: 0,
  cache_creation_1h_tokens: 0,
};
const MILLION = 1_000_000;

const priceOf = (id: string): ModelPrice => PUBLIC_CATALOG.find(id)!.price!;

describe('a model request', () => {
  test.each([
    ['claude-fable-5-2', ['8', '40', '0.2', '10', '16']],
    ['claude-mythos-5-1', ['10', '50', '0.25', '12.5', '20']],
    ['claude-fable-5', ['10', '50', '1', '12.5', '20']],
    ['claude-opus-5-5', ['4', '20', '0.2', '5', '8']],
    ['claude-opus-4-5', ['5', '25', '0.5', '6.25', '10']],
    ['claude-sonnet-5-5', ['2', '10', '0.1', '2.5', '4']],
    ['claude-sonnet-5', ['2', '10', '0.2', '2.5', '4']],
    ['claude-sonnet-4-6', ['3', '15', '0.3', '3.75', '6']],
    ['claude-haiku-4-5', ['1', '5', '0.1', '1.25', '2']],
  ])('%s costs what the list says, a million tokens of each kind', (id, costs) => {
    const kinds = [
      'input_tokens',
      'output_tokens',
      'cache_read_input_tokens',
      'cache_creation_5m_tokens',
      'cache_creation_1h_tokens',
    ] as const;
    const seen = kinds.map((kind) => requestCost(priceOf(id), { ...NONE, [kind]: MILLION }));
    expect(seen).toEqual(costs);
  });

  test('is exact where a floating point number would not be', () => {
    const usage = { ...NONE, input_tokens: 1, output_tokens: 2, cache_read_input_tokens: 3 };
    expect(requestCost(priceOf('claude-sonnet-5-5'), usage)).toBe('0.0000223');
    expect(requestCost(priceOf('claude-haiku-5-5'), { ...NONE, cache_creation_5m_tokens: 1 })).toBe(
      '0.000000125',
    );
    expect(requestCost(priceOf('claude-opus-5'), NONE)).toBe('0');
  });

  test('fast mode and inference in the US multiply everything, and each other', () => {
    const price = priceOf('claude-opus-5-5');
    const usage = { ...NONE, input_tokens: MILLION, cache_read_input_tokens: MILLION };
    const cost = (speed: string, geo: string) =>
      requestCost(price, usage, { speed, inference_geo: geo });
    expect(cost('standard', 'global')).toBe('4.2');
    expect(cost('fast', 'global')).toBe('8.4');
    expect(cost('standard', 'us')).toBe('4.62');
    expect(cost('fast', 'us')).toBe('9.24');
    expect(requestCost(price, usage, { speed: null })).toBe('4.2');
  });

  test('of a long prompt is charged at its own rates as a whole', () => {
    const price = priceOf('claude-haiku-5-5');
    const short = { ...NONE, cache_read_input_tokens: 99_999, input_tokens: 1, output_tokens: 10 };
    expect(requestCost(price, short)).toBe('0.00100509');
    const long = { ...short, cache_creation_1h_tokens: 1 };
    expect(requestCost(price, long)).toBe('0.00502645');
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])('of %d tokens is a mistake of ours', (count) => {
    expect(() => requestCost(priceOf('claude-opus-5'), { ...NONE, input_tokens: count })).toThrow(
      'is no count',
    );
  });
});

describe('what else costs', () => {
  test('ten dollars for a thousand searches', () => {
    expect(SEARCHES_1000_USD).toBe('10');
    expect([0, 1, 250, 1000].map(searchCost)).toEqual(['0', '0.01', '2.5', '10']);
  });

  test('eight cents for an hour of running', () => {
    expect(SESSION_HOUR_USD).toBe('0.08');
    const hour = 3_600_000;
    expect([0, hour, 3 * hour, hour / 2].map(runtimeCost)).toEqual(['0', '0.08', '0.24', '0.04']);
    expect(runtimeCost(1)).toBe('0.000000022222');
  });
});

describe('money', () => {
  test('adds up and compares by value, not by text', () => {
    expect(addDollars()).toBe('0');
    expect(addDollars('0.1', '0.2', '10')).toBe('10.3');
    expect([compareDollars('9', '10'), compareDollars('1.50', '1.5')]).toEqual([-1, 0]);
    expect(compareDollars('0.000001', '0')).toBe(1);
  });

  test.each([
    ['0', '0'],
    ['0.004999999', '0'],
    ['0.005', '1'],
    ['1.234', '123'],
    ['1.235', '124'],
    ['12', '1200'],
    ['0.1', '10'],
    ['90071992547409.93', '9007199254740993'],
  ])('%s dollars are %s cents', (dollars, cents) => {
    expect(toCents(dollars)).toBe(cents);
  });

  test('cents of a budget are dollars', () => {
    expect(['1', '50', '500', '12345'].map(fromCents)).toEqual(['0.01', '0.5', '5', '123.45']);
  });

  test.each(['', '-1', '1e3', '1.', '.5', 'NaN'])('%j is no amount', (text) => {
    expect(() => toCents(text)).toThrow('is no decimal');
  });
});
