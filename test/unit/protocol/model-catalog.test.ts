// The table of models: which entry answers for an id, what an operator's rules change, and that
// what is written of the public models agrees with what the hosted service was recorded to say.

import { readFileSync } from 'node:fs';
import type { Model } from '@anthropic-ai/sdk/resources/messages/messages';
import { describe, expect, test } from 'vitest';
import {
  createModelCatalog,
  modelEntry,
  type ModelPrice,
  priceVersion,
  withRules,
} from '../../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG, PUBLIC_MODELS } from '../../../protocol/models/public-models.ts';

/** sdk 1.11.0: Model, without the text that any other id is. */
type Named<T> = T extends string ? (string extends T ? never : T) : never;

const UNION: Record<Named<Model>, number | null> = {
  'claude-fable-5-2': 1_000_000,
  'claude-mythos-5-2': 1_000_000,
  'claude-haiku-5-5': 1_000_000,
  'claude-sonnet-5-5': 1_000_000,
  'claude-fable-5-1': 1_000_000,
  'claude-opus-5-5': 1_000_000,
  'claude-mythos-5-1': 1_000_000,
  'claude-sonnet-5': 1_000_000,
  'claude-fable-5': 1_000_000,
  'claude-mythos-5': 1_000_000,
  'claude-opus-5': 1_000_000,
  'claude-opus-4-8': 1_000_000,
  'claude-opus-4-7': 1_000_000,
  'claude-mythos-preview': 1_000_000,
  'claude-opus-4-6': 1_000_000,
  'claude-sonnet-4-6': 1_000_000,
  'claude-haiku-4-5': 200_000,
  'claude-haiku-4-5-20251001': 200_000,
  'claude-opus-4-5': 200_000,
  'claude-opus-4-5-20251101': 200_000,
  'claude-sonnet-4-5': 200_000,
  'claude-sonnet-4-5-20250929': 200_000,
};

describe('an entry is found', () => {
  const table = createModelCatalog([
    modelEntry({ id: 'a-1', aliases: ['a'], patterns: ['a-1-*'], isListed: true }),
    modelEntry({ id: 'a-*', patterns: ['a-*'] }),
    modelEntry({ id: 'a-1-x', aliases: ['a-1-y'] }),
  ]);

  test.each([
    ['a-1', 'a-1'],
    ['a', 'a-1'],
    ['a-1-x', 'a-1-x'],
    ['a-1-y', 'a-1-x'],
    ['a-1-z', 'a-1'],
    ['a-2', 'a-*'],
    ['a-*', 'a-*'],
    ['b', undefined],
  ])('%s by id, then alias, then the longest pattern', (id, found) => {
    expect(table.find(id)?.id).toBe(found);
  });

  test('for a list only by its own names, and only if it may be listed', () => {
    const found = ['a-1', 'a', 'a-1-z', 'a-1-x'].map((id) => table.findListed(id)?.id);
    expect(found).toEqual(['a-1', 'a-1', undefined, undefined]);
    expect(table.list().map(({ id }) => id)).toEqual(['a-1']);
  });
});

describe('the public models', () => {
  test.each(Object.entries(UNION))('%s is known', (id, window) => {
    const entry = PUBLIC_CATALOG.findListed(id);
    expect(entry?.contextWindowTokens).toBe(window);
    expect(entry?.line).toBe(id.split('-')[1]);
  });

  test('are the SDK’s, in their families, newest first', () => {
    const listed = PUBLIC_CATALOG.list();
    const names = listed.flatMap(({ id, aliases }) => [id, ...aliases]);
    expect(names.toSorted()).toEqual(Object.keys(UNION).toSorted());
    const times = listed.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().toReversed());
    expect(listed.slice(0, 2).map((entry) => entry.displayName)).toEqual([
      'Claude Fable 5.2',
      'Claude Mythos 5.2',
    ]);
    expect(PUBLIC_CATALOG.find('claude-haiku-4-5')?.displayName).toBe('Claude Haiku 4.5');
  });

  test('all but one have a price', () => {
    const unpriced = PUBLIC_CATALOG.list().filter(({ price }) => price === null);
    expect(unpriced.map(({ id }) => id)).toEqual(['claude-mythos-preview']);
  });

  test.each([
    ['claude-opus-5-20260724', 'claude-opus-5'],
    ['claude-opus-4-5@20251101', 'claude-opus-4-5-20251101'],
    ['claude-opus-5-6', 'claude-*'],
    ['claude-fable-5-3', 'claude-*'],
  ])('%s is answered for by %s: a snapshot is its model, another version is not', (id, found) => {
    expect(PUBLIC_CATALOG.find(id)?.id).toBe(found);
  });

  test('a version that nobody knows yet is unpriced', () => {
    expect(PUBLIC_CATALOG.find('claude-opus-6')).toMatchObject({
      price: null,
      contextWindowTokens: null,
      thinking: 'adaptive',
    });
    expect(PUBLIC_CATALOG.find('llama-9')).toBeUndefined();
  });

  test('system messages inside a conversation are for those that take them', () => {
    const refuse = PUBLIC_CATALOG.list().filter((entry) => !entry.takesMidConversationSystem);
    expect(refuse.map(({ id }) => id).toSorted()).toEqual([
      'claude-haiku-4-5-20251001',
      'claude-mythos-preview',
      'claude-opus-4-5-20251101',
      'claude-opus-4-6',
      'claude-opus-4-7',
      'claude-sonnet-4-5-20250929',
      'claude-sonnet-4-6',
      'claude-sonnet-5',
    ]);
  });

  test('fast mode is priced where it is offered', () => {
    const fast = PUBLIC_CATALOG.list().filter(({ price }) => price?.fastMultiplier === '2');
    expect(fast.map(({ id }) => id).toSorted()).toEqual([
      'claude-fable-5-2',
      'claude-mythos-5-2',
      'claude-opus-4-8',
      'claude-opus-5',
      'claude-opus-5-5',
    ]);
  });
});

interface Recorded {
  id: string;
  display_name: string;
  created_at: string;
  max_input_tokens: number;
  max_tokens: number;
  capabilities: object;
}

const file = new URL('../../recordings/live_models_list.jsonl', import.meta.url);
const recorded = (
  JSON.parse(readFileSync(file, 'utf8').split('\n')[0]!) as { response: { data: Recorded[] } }
).response.data.filter(({ id }) => PUBLIC_CATALOG.findListed(id) !== undefined);

describe('as the hosted service was recorded in May 2026', () => {
  test.each(recorded.map((model) => [model.id, model] as const))('%s', (id, model) => {
    const entry = PUBLIC_CATALOG.findListed(id)!;
    expect(entry.id).toBe(id);
    expect(entry.displayName).toBe(model.display_name);
    expect(entry.createdAt).toBe(model.created_at);
    expect(entry.outputTokensMax).toBe(model.max_tokens);
    // The window of Sonnet 4.5 without the beta that is gone since (docs: models/sonnet-4-5).
    const isGone = id === 'claude-sonnet-4-5-20250929';
    expect(entry.contextWindowTokens).toBe(isGone ? 200_000 : model.max_input_tokens);
    expect(entry.capabilities).toMatchObject(model.capabilities);
  });

  test('six models are there to compare with', () => {
    expect(recorded).toHaveLength(6);
  });
});

describe('rules', () => {
  const own: ModelPrice = {
    version: 'mine',
    rates: { input: '1', output: '2', cacheRead: '1', cacheWrite5m: '1', cacheWrite1h: '1' },
    fastMultiplier: null,
    usMultiplier: null,
    longPrompt: null,
  };
  const table = (rules: Parameters<typeof withRules>[1], isListed = (_id: string) => true) =>
    createModelCatalog(withRules(PUBLIC_MODELS, rules, isListed));

  test('change what they name and leave the rest as it is', () => {
    const models = table([{ models: ['claude-opus-5'], traits: { price: own } }]);
    expect(models.find('claude-opus-5')).toMatchObject({
      price: own,
      contextWindowTokens: 1_000_000,
    });
    expect(models.find('claude-opus-5-20260724')?.price).toBe(own);
    expect(models.find('claude-opus-5-5')?.price?.version).toBe('list-2026-11-09');
  });

  test('the narrowest applies: an id or alias before a pattern, a long one before a short', () => {
    const models = table([
      { models: ['*'], traits: { contextWindowTokens: 1 } },
      { models: ['claude-*'], traits: { contextWindowTokens: 2 } },
      { models: ['claude-haiku-*'], traits: { contextWindowTokens: 3 } },
      { models: ['claude-haiku-4-5'], traits: { contextWindowTokens: 4 } },
    ]);
    const windows = ['x', 'claude-opus-5', 'claude-new', 'claude-haiku-5-5', 'claude-haiku-9'].map(
      (id) => models.find(id)?.contextWindowTokens,
    );
    expect(windows).toEqual([1, 2, 2, 3, 3]);
    expect(models.find('claude-haiku-4-5-20251001')?.contextWindowTokens).toBe(4);
  });

  test('a model of the operator’s own is what they say and nothing more', () => {
    const models = table([
      { models: ['llama'], traits: { contextWindowTokens: 8_192, thinking: 'none', price: own } },
    ]);
    expect(models.findListed('llama')).toMatchObject({
      displayName: 'llama',
      createdAt: '1970-01-01T00:00:00Z',
      contextWindowTokens: 8_192,
      efforts: [],
      takesImages: false,
    });
    expect(models.list().at(-1)?.id).toBe('llama');
    expect(models.find('llama')?.capabilities.thinking.types.disabled.supported).toBe(true);
  });

  test('a price can be taken away', () => {
    const models = table([{ models: ['claude-opus-5'], traits: { price: null } }]);
    expect(models.find('claude-opus-5')?.price).toBeNull();
  });

  test('only what can be served is listed, and a pattern never is', () => {
    const rules = [{ models: ['llama', 'gpt-*'], traits: {} }];
    const models = table(rules, (id) => id === 'llama' || id === 'claude-haiku-4-5');
    expect(models.list().map(({ id }) => id)).toEqual(['claude-haiku-4-5-20251001', 'llama']);
    expect(models.find('gpt-9')).toBeDefined();
    expect(models.findListed('gpt-*')).toBeUndefined();
  });

  test('a price without a version of its own is named after its numbers', () => {
    const { version: _, ...numbers } = own;
    expect(priceVersion(numbers)).toMatch(/^own-[0-9a-f]{12}$/);
    expect(priceVersion({ ...numbers })).toBe(priceVersion(numbers));
    expect(priceVersion({ ...numbers, usMultiplier: '1.1' })).not.toBe(priceVersion(numbers));
  });
});
