// The table of models that everything asks: what a model can do, how much it takes, what it costs.
// Promise: one entry answers for an id, found by exact id, then by alias, then by the longest
// pattern; an id that no entry answers for is one that nobody knows anything about. The public
// models are in public-models.ts; an operator's file lays its rules over them.

import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { BetaModelCapabilities } from '@anthropic-ai/sdk/resources/beta/models';
import { MODELS_PAGE_ENTRIES_DEFAULT, MODELS_PAGE_ENTRIES_MAX } from '../field-limits.ts';
import { listParam } from '../fields.ts';
import { limitParam } from '../page.ts';

/** Every level, lowest first. sdk 1.11.0: OutputConfig.effort. */
export const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

/** `adaptive`: the model decides; `budget`: a fixed allowance of tokens; `none`: not offered. */
export type ThinkingKind = 'adaptive' | 'budget' | 'none';
/** Values of `thinking.type` that a request may send. sdk 1.11.0: BetaThinkingTypes. */
export type ThinkingType = 'adaptive' | 'enabled' | 'disabled' | 'between_tools';

/** What a model supports of the Messages API. sdk 1.11.0: BetaModelCapabilities. */
export type Feature =
  | 'batch'
  | 'citations'
  /** code in the execution tool may call the request's other tools */
  | 'code_execution'
  | 'structured_outputs'
  | 'server_web_search'
  | 'server_code_execution'
  | 'clear_thinking_20251015'
  | 'clear_tool_uses_20250919'
  | 'compact_20260112';

/** `US dollars per million tokens`, exact decimals */
export interface TokenRates {
  input: string;
  output: string;
  cacheRead: string;
  cacheWrite5m: string;
  cacheWrite1h: string;
}

export interface ModelPrice {
  /** stored with every cost, so that an old one can be explained after prices changed */
  version: string;
  rates: TokenRates;
  /** what fast mode multiplies all rates by; null: it is not offered */
  fastMultiplier: string | null;
  /** what `inference_geo: us` multiplies all rates by; null: it is not offered */
  usMultiplier: string | null;
  /** rates of a request whose prompt, cached tokens included, is longer; null: one price for all */
  longPrompt: { aboveTokens: number; rates: TokenRates } | null;
}

export interface ModelLifecycle {
  stage: 'active' | 'deprecated' | 'retired';
  /** RFC 3339 */
  deprecatedAt: string | null;
  /** RFC 3339 */
  retiresAt: string | null;
}

export interface ModelEntry {
  /** of an entry that only a pattern finds: the pattern */
  id: string;
  aliases: readonly string[];
  /** beginnings of ids, each ending in `*` */
  patterns: readonly string[];
  /** a list of models may name it: it is one model, and this server has somewhere to send it */
  isListed: boolean;
  displayName: string;
  /** RFC 3339, the epoch where nobody knows */
  createdAt: string;
  line: 'haiku' | 'sonnet' | 'opus' | 'fable' | 'mythos' | null;
  lifecycle: ModelLifecycle;
  /** null: not known */
  contextWindowTokens: number | null;
  /** null: not known */
  outputTokensMax: number | null;
  thinking: ThinkingKind;
  thinkingTypes: readonly ThinkingType[];
  /** lowest first; none: the model refuses a request that names one */
  efforts: readonly Effort[];
  /** the level of a request that names none */
  ownEffort: Effort;
  /** `cache_control` may be sent */
  hasPromptCaching: boolean;
  /** takes `role: 'system'` among its messages. sdk 1.11.0: SystemMessageParam */
  takesMidConversationSystem: boolean;
  takesImages: boolean;
  takesPdfs: boolean;
  features: readonly Feature[];
  /** null: unpriced, so no budget can be set on it */
  price: ModelPrice | null;
  /** the same, as `/v1/models` shows it */
  capabilities: BetaModelCapabilities;
}

/** An entry without what is made of the rest. */
export type ModelTraits = Omit<ModelEntry, 'capabilities'>;

/** What an operator says of some models; what is left out stays as it is otherwise known. */
export interface ModelRule {
  /** ids, or beginnings of ids with `*` at their end */
  models: readonly string[];
  traits: Partial<
    Omit<ModelTraits, 'id' | 'aliases' | 'patterns' | 'isListed' | 'createdAt' | 'line'>
  >;
}

export interface ModelCatalog {
  /** The entry that answers for an id; undefined: nothing is known of it. */
  find(modelId: string): ModelEntry | undefined;
  /** The entry with this very id or alias, if a list of models may name it. */
  findListed(modelId: string): ModelEntry | undefined;
  /** What a list of models names, newest first. */
  list(): readonly ModelEntry[];
}

/** sdk 1.11.0: ModelListParams. */
export const listModelsQuery = z.strictObject({
  after_id: z.string().optional(),
  before_id: z.string().optional(),
  lifecycle: listParam(z.enum(['active', 'deprecated', 'retired'])),
  limit: limitParam(MODELS_PAGE_ENTRIES_DEFAULT, MODELS_PAGE_ENTRIES_MAX),
});

/** Of a model of which nothing is said: the plainest request, and no price. */
const UNKNOWN: Omit<ModelTraits, 'id' | 'displayName'> = {
  aliases: [],
  patterns: [],
  isListed: false,
  // sdk 1.11.0: ModelInfo.created_at may be an epoch value.
  createdAt: '1970-01-01T00:00:00Z',
  line: null,
  lifecycle: { stage: 'active', deprecatedAt: null, retiresAt: null },
  contextWindowTokens: null,
  outputTokensMax: null,
  thinking: 'none',
  thinkingTypes: [],
  efforts: [],
  ownEffort: 'high',
  hasPromptCaching: true,
  takesMidConversationSystem: false,
  takesImages: false,
  takesPdfs: false,
  features: [],
  price: null,
};

/** An entry out of what is said of a model; the rest is what is true of an unknown one. */
export function modelEntry(given: Pick<ModelTraits, 'id'> & Partial<ModelTraits>): ModelEntry {
  const traits = { ...UNKNOWN, displayName: given.id, ...given };
  return { ...traits, capabilities: capabilitiesOf(traits) };
}

/** Makes the table; of two entries with one id the later one answers. */
export function createModelCatalog(entries: readonly ModelEntry[]): ModelCatalog {
  const exact = new Map<string, ModelEntry>();
  for (const entry of entries) for (const alias of entry.aliases) exact.set(alias, entry);
  for (const entry of entries) if (!isPattern(entry.id)) exact.set(entry.id, entry);
  const patterns = entries
    .flatMap((entry) => entry.patterns.map((pattern) => ({ pattern, entry })))
    .toSorted((left, right) => right.pattern.length - left.pattern.length);
  const listed = [...new Set(exact.values())]
    .filter((entry) => entry.isListed)
    .toSorted((left, right) => Date.parse(right.createdAt) - Date.parse(left.createdAt));
  return {
    find: (modelId) =>
      exact.get(modelId) ?? patterns.find(({ pattern }) => isMatch(pattern, modelId))?.entry,
    findListed(modelId) {
      const entry = exact.get(modelId);
      return entry?.isListed === true ? entry : undefined;
    },
    list: () => listed,
  };
}

/**
 * Lays rules over entries: a rule for an entry's id, by exact id, alias or longest pattern, changes
 * that entry; what it names beyond them becomes an entry of its own. `isListed` decides for all.
 */
export function withRules(
  entries: readonly ModelEntry[],
  rules: readonly ModelRule[],
  isListed: (modelId: string) => boolean,
): ModelEntry[] {
  const known = createModelCatalog(entries);
  const names = (entry: ModelEntry) => [entry.id, ...entry.aliases];
  const taken = new Set(entries.flatMap(names));
  const changed = entries.map((entry) => {
    const found = names(entry)
      .map((id) => ruleFor(rules, id))
      .toSorted((left, right) => weight(right) - weight(left))[0];
    const listed = !isPattern(entry.id) && names(entry).some(isListed);
    return modelEntry({ ...entry, ...found?.rule.traits, isListed: listed });
  });
  const added = rules.flatMap(({ models, traits }) =>
    models
      .filter((id) => !taken.has(id))
      .map((id) => {
        // What is known of the ids that begin so, or of this id: a snapshot of a public model, say.
        const base = known.find(isPattern(id) ? id.slice(0, -1) : id);
        const named = base === undefined || isPattern(base.id) ? { displayName: id } : {};
        const listed = !isPattern(id) && isListed(id);
        const own = { id, aliases: [], patterns: isPattern(id) ? [id] : [], isListed: listed };
        return modelEntry({ ...base, ...named, ...traits, ...own });
      }),
  );
  return [...changed, ...added];
}

interface FoundRule {
  rule: ModelRule;
  pattern: string;
}

function ruleFor(rules: readonly ModelRule[], modelId: string): FoundRule | undefined {
  return rules
    .flatMap((rule) => rule.models.map((pattern) => ({ rule, pattern })))
    .filter(({ pattern }) => isMatch(pattern, modelId))
    .toSorted((left, right) => weight(right) - weight(left))[0];
}

/** Exact ids before patterns, long patterns before short ones. */
function weight(found: FoundRule | undefined): number {
  return found === undefined ? -1 : patternWeight(found.pattern);
}

/** How narrow a pattern is: exact ids first, then the longest. */
export function patternWeight(pattern: string): number {
  return isPattern(pattern) ? pattern.length : Number.MAX_SAFE_INTEGER;
}

/** Whether an id is this one, or begins like a pattern with `*` at its end. */
export function isMatch(pattern: string, modelId: string): boolean {
  return isPattern(pattern) ? modelId.startsWith(pattern.slice(0, -1)) : modelId === pattern;
}

/** Whether this stands for all ids that begin so. */
export function isPattern(text: string): boolean {
  return text.endsWith('*');
}

/** A version for a price that was given none: the same numbers always get the same one. */
export function priceVersion(price: Omit<ModelPrice, 'version'>): string {
  const { rates, fastMultiplier, usMultiplier, longPrompt } = price;
  const parts = [rates, fastMultiplier, usMultiplier, longPrompt];
  return `own-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12)}`;
}

function capabilitiesOf(traits: ModelTraits): BetaModelCapabilities {
  const { thinkingTypes, efforts, features } = traits;
  const when = (supported: boolean) => ({ supported });
  const feature = (name: Feature) => when(features.includes(name));
  const thinks = (type: ThinkingType) => when(thinkingTypes.includes(type));
  const effort = (level: Effort) => when(efforts.includes(level));
  const strategies = {
    clear_thinking_20251015: feature('clear_thinking_20251015'),
    clear_tool_uses_20250919: feature('clear_tool_uses_20250919'),
    compact_20260112: feature('compact_20260112'),
  };
  const serverTools = {
    code_execution: feature('server_code_execution'),
    web_search: feature('server_web_search'),
  };
  const isAny = (parts: object) =>
    Object.values(parts).some((part: { supported: boolean }) => part.supported);
  return {
    batch: feature('batch'),
    citations: feature('citations'),
    code_execution: feature('code_execution'),
    // Which models take the top-level `compaction` parameter is not documented.
    compaction: null,
    context_management: { ...strategies, supported: isAny(strategies) },
    effort: {
      low: effort('low'),
      medium: effort('medium'),
      high: effort('high'),
      xhigh: effort('xhigh'),
      max: effort('max'),
      supported: efforts.length > 0,
    },
    image_input: when(traits.takesImages),
    pdf_input: when(traits.takesPdfs),
    server_tools: { ...serverTools, supported: isAny(serverTools) },
    structured_outputs: feature('structured_outputs'),
    thinking: {
      supported: traits.thinking !== 'none',
      types: {
        adaptive: thinks('adaptive'),
        between_tools: thinks('between_tools'),
        // sdk 1.11.0: true on a model that does not support thinking.
        disabled: when(traits.thinking === 'none' || thinkingTypes.includes('disabled')),
        enabled: thinks('enabled'),
      },
    },
  };
}
