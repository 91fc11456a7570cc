// What is publicly known of the models of the SDK's `Model` union (sdk 1.11.0), and of Claude
// models in general. Windows, outputs, levels and dates are those of each model's overview page;
// nothing is guessed: a model whose list price could not be found has none. Sources of the prices,
// one by one, and what was looked for in vain: docs/decisions/0013-models-and-prices.md.

import type { BetaManagedAgentsModelConfig } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import {
  createModelCatalog,
  type Effort,
  EFFORTS,
  type Feature,
  type ModelCatalog,
  type ModelEntry,
  modelEntry,
  type ModelLifecycle,
  type ModelPrice,
  type ModelTraits,
  type ThinkingType,
  type TokenRates,
} from './model-catalog.ts';

const MILLION = 1_000_000;
const THOUSAND = 1000;

// ── Prices ───────────────────────────────────────────────────────────────────────────────────────

/** Day of the newest price below. */
const PRICES_OF = 'list-2026-11-09';

/** In the order of the price list: input, writes for 5 minutes and an hour, reads, output. */
function rates(...[input, cacheWrite5m, cacheWrite1h, cacheRead, output]: Rates): TokenRates {
  return { input, cacheWrite5m, cacheWrite1h, cacheRead, output };
}
type Rates = [input: string, write5m: string, write1h: string, read: string, output: string];

function price(list: TokenRates, more: Partial<ModelPrice> = {}): ModelPrice {
  const none = { fastMultiplier: null, usMultiplier: null, longPrompt: null };
  return { version: PRICES_OF, rates: list, ...none, ...more };
}

// docs: about-claude/pricing, data residency: 1.1 times for `us`, on Claude 4.6 and later models.
const US = { usMultiplier: '1.1' };
// docs: build-with-claude/fast-mode: twice the price. Copy of November 2026.
const FAST = { ...US, fastMultiplier: '2' };

// Release notes of 2026-11-09 (input and output); cache prices as programs that read the price list
// after that day took them over from it (decision 0013).
const FABLE_5_2 = price(rates('8', '10', '16', '0.2', '40'), FAST);
// docs: about-claude/pricing, copies of 2026-09 and 2026-10-09.
const FABLE_5_1 = price(rates('10', '12.5', '20', '0.25', '50'), US);
const FABLE_5 = price(rates('10', '12.5', '20', '1', '50'), US);
// docs: about-claude/pricing, copy of 2026-10-09; models/opus-5-5/overview.
const OPUS_5_5 = price(rates('4', '5', '8', '0.2', '20'), FAST);
// docs: about-claude/pricing, copies of 2026-09 and 2026-10-09.
const OPUS_5 = price(rates('5', '6.25', '10', '0.5', '25'), FAST);
// The same, without fast mode: removed from 4.7 on 2026-07-24, never there before 4.6.
const OPUS_4 = price(rates('5', '6.25', '10', '0.5', '25'), US);
const OPUS_4_5 = price(rates('5', '6.25', '10', '0.5', '25'));
// docs: about-claude/pricing, copy of 2026-10-09: reads have been half of Sonnet 5's since then.
const SONNET_5_5 = price(rates('2', '2.5', '4', '0.1', '10'), US);
// docs: about-claude/pricing, copies of 2026-09 and 2026-10-09.
const SONNET_5 = price(rates('2', '2.5', '4', '0.2', '10'), US);
const SONNET_4_6 = price(rates('3', '3.75', '6', '0.3', '15'), US);
const SONNET_4_5 = price(rates('3', '3.75', '6', '0.3', '15'));
const HAIKU_4_5 = price(rates('1', '1.25', '2', '0.1', '5'));
// docs: models/haiku-5-5/overview, copy of October 2026: two prices, by the length of the prompt.
const HAIKU_5_5 = price(rates('0.1', '0.125', '0.2', '0.01', '0.5'), {
  ...US,
  longPrompt: {
    aboveTokens: 100 * THOUSAND,
    rates: rates('0.5', '0.625', '1', '0.05', '2.5'),
  },
});

// ── What models have in common ───────────────────────────────────────────────────────────────────

const FEATURES: readonly Feature[] = [
  'batch',
  'citations',
  'code_execution',
  'structured_outputs',
  'server_web_search',
  'server_code_execution',
  'clear_thinking_20251015',
  'clear_tool_uses_20250919',
  'compact_20260112',
];

// docs: build-with-claude/thinking and the migration guides of the models.
const ALWAYS: Thinking = { thinking: 'adaptive', thinkingTypes: ['adaptive'] };
const BETWEEN: Thinking = { thinking: 'adaptive', thinkingTypes: ['adaptive', 'between_tools'] };
const OR_OFF: Thinking = { thinking: 'adaptive', thinkingTypes: ['adaptive', 'disabled'] };
const EITHER: Thinking = {
  thinking: 'adaptive',
  thinkingTypes: ['adaptive', 'enabled', 'disabled'],
};
const PREVIEW: Thinking = { thinking: 'adaptive', thinkingTypes: ['adaptive', 'enabled'] };
const BUDGET: Thinking = { thinking: 'budget', thinkingTypes: ['enabled', 'disabled'] };
interface Thinking {
  thinking: 'adaptive' | 'budget';
  thinkingTypes: readonly ThinkingType[];
}

// docs: build-with-claude/effort.
const WITHOUT_XHIGH: readonly Effort[] = ['low', 'medium', 'high', 'max'];
const UP_TO_HIGH: readonly Effort[] = ['low', 'medium', 'high'];

/** Of Claude models from 4.6 on. */
const MODERN: Partial<ModelTraits> = {
  contextWindowTokens: MILLION,
  outputTokensMax: 128 * THOUSAND,
  efforts: EFFORTS,
  takesImages: true,
  takesPdfs: true,
  features: FEATURES,
};

/** Of the 4.5 models; recording live_models_list, May 2026. */
const OF_4_5: Partial<ModelTraits> = {
  ...MODERN,
  ...BUDGET,
  contextWindowTokens: 200 * THOUSAND,
  outputTokensMax: 64 * THOUSAND,
  efforts: [],
  features: FEATURES.filter((feature) => feature !== 'compact_20260112'),
};

/** docs: build-with-claude/mid-conversation-system-messages: from Opus 4.8 on, not Sonnet 5. */
const MID_SYSTEM: Partial<ModelTraits> = { takesMidConversationSystem: true };

// docs: models/sonnet-4-5/overview. The day of its deprecation was not found.
const SONNET_4_5_ENDS: ModelLifecycle = {
  stage: 'deprecated',
  deprecatedAt: null,
  retiresAt: '2026-11-30T00:00:00Z',
};
// docs: about-claude/model-deprecations, without days.
const PREVIEW_ENDS: ModelLifecycle = { stage: 'deprecated', deprecatedAt: null, retiresAt: null };

type Line = NonNullable<ModelTraits['line']>;

/** One public model: `claude-<line>-<version>`, released on a day, with its traits in order. */
function model(id: string, released: string, ...traits: Partial<ModelTraits>[]): ModelEntry {
  const [, line = '', version = ''] = /^claude-([a-z]+)-(\d+(?:-\d)?|preview)/.exec(id) ?? [];
  const name = `${line} ${version.replace('-', '.')}`;
  const aliases = /-\d{8}$/.test(id) ? [id.slice(0, -9)] : [];
  const undated = aliases[0] ?? id;
  return modelEntry({
    id,
    aliases,
    // Dated snapshots, also in the form of Google Cloud; never another version of the line.
    patterns: [`${undated}-20*`, `${undated}@*`],
    isListed: true,
    displayName: `Claude ${name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())}`,
    createdAt: `${released}T00:00:00Z`,
    line: line as Line,
    ...MODERN,
    ...Object.assign({}, ...traits),
  });
}

// ── The models ───────────────────────────────────────────────────────────────────────────────────

/** Every model of the SDK's union, in its order, and what holds for Claude models to come. */
export const PUBLIC_MODELS: readonly ModelEntry[] = [
  model('claude-fable-5-2', '2026-11-09', ALWAYS, MID_SYSTEM, { price: FABLE_5_2 }),
  model('claude-mythos-5-2', '2026-11-09', ALWAYS, MID_SYSTEM, { price: FABLE_5_2 }),
  model('claude-haiku-5-5', '2026-10-07', OR_OFF, MID_SYSTEM, {
    ownEffort: 'medium',
    price: HAIKU_5_5,
  }),
  model('claude-sonnet-5-5', '2026-09-28', BETWEEN, MID_SYSTEM, { price: SONNET_5_5 }),
  model('claude-fable-5-1', '2026-09-01', ALWAYS, MID_SYSTEM, { price: FABLE_5_1 }),
  model('claude-opus-5-5', '2026-09-22', ALWAYS, MID_SYSTEM, {
    ownEffort: 'medium',
    price: OPUS_5_5,
  }),
  model('claude-mythos-5-1', '2026-09-01', ALWAYS, MID_SYSTEM, { price: FABLE_5_1 }),
  model('claude-sonnet-5', '2026-06-30', OR_OFF, { price: SONNET_5 }),
  model('claude-fable-5', '2026-06-09', ALWAYS, MID_SYSTEM, { price: FABLE_5 }),
  model('claude-mythos-5', '2026-06-09', ALWAYS, MID_SYSTEM, { price: FABLE_5 }),
  model('claude-opus-5', '2026-07-24', OR_OFF, MID_SYSTEM, { price: OPUS_5 }),
  // Fast mode of 4.8 is deprecated; it goes on 2026-11-30.
  model('claude-opus-4-8', '2026-05-28', OR_OFF, MID_SYSTEM, { price: OPUS_5 }),
  model('claude-opus-4-7', '2026-04-14', OR_OFF, { price: OPUS_4 }),
  // No longer in the price list; what partners were quoted in April 2026 names no cache prices.
  model('claude-mythos-preview', '2026-04-07', PREVIEW, {
    lifecycle: PREVIEW_ENDS,
    efforts: WITHOUT_XHIGH,
  }),
  model('claude-opus-4-6', '2026-02-04', EITHER, { efforts: WITHOUT_XHIGH, price: OPUS_4 }),
  model('claude-sonnet-4-6', '2026-02-17', EITHER, { efforts: WITHOUT_XHIGH, price: SONNET_4_6 }),
  model('claude-haiku-4-5-20251001', '2025-10-15', OF_4_5, {
    features: OF_4_5.features!.filter((feature) => feature !== 'code_execution'),
    price: HAIKU_4_5,
  }),
  model('claude-opus-4-5-20251101', '2025-11-24', OF_4_5, {
    efforts: UP_TO_HIGH,
    price: OPUS_4_5,
  }),
  model('claude-sonnet-4-5-20250929', '2025-09-29', OF_4_5, {
    lifecycle: SONNET_4_5_ENDS,
    price: SONNET_4_5,
  }),
  // Newer ones than this table: they have thought by themselves and taken every level since 4.7.
  modelEntry({
    id: 'claude-*',
    patterns: ['claude-*'],
    ...MODERN,
    ...OR_OFF,
    contextWindowTokens: null,
    outputTokensMax: null,
  }),
];

/** The table without an operator's file. */
export const PUBLIC_CATALOG: ModelCatalog = createModelCatalog(PUBLIC_MODELS);

export interface EffortAbility {
  /** lowest first; none: the model refuses a request that names one */
  levels: readonly Effort[];
  /** the level of a request that names none */
  own: Effort;
}

/** What a model does with effort; undefined for a model of which nothing is known. */
export function effortOf(
  modelId: string,
  models: ModelCatalog = PUBLIC_CATALOG,
): EffortAbility | undefined {
  const entry = models.find(modelId);
  return entry && { levels: entry.efforts, own: entry.ownEffort };
}

/**
 * The agent as answers show it: with its model's own effort where it names none. An agent that
 * names no effort is stored and run without one; answers always have one (behaviour.md 2).
 */
export function withShownEffort<T extends { model: BetaManagedAgentsModelConfig }>(
  agent: T,
  models: ModelCatalog = PUBLIC_CATALOG,
): T {
  const { id, effort, ...rest } = agent.model;
  const shown = effort ?? { type: effortOf(id, models)?.own ?? 'high' };
  return { ...agent, model: { id, effort: shown, ...rest } };
}
