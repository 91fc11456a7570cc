// What usage costs at list price, exactly: decimals in, decimals out, whole numbers in between, so
// that a million small requests add up to the same cent as one large one. Nothing here rounds but
// `toCents`, which is how the wire shows money, and `runtimeCost`, which has no finite decimal.
// docs: managed-agents/budgets; about-claude/pricing.

import { RUNTIME_COST_DECIMALS } from '../limits.ts';
import type { ModelPrice, TokenRates } from './model-catalog.ts';

/** A decimal without exponent and without trailing zeros, `US dollars` */
export type Dollars = string;

/** Web searches, `US dollars per 1,000`. docs: managed-agents/budgets; about-claude/pricing. */
export const SEARCHES_1000_USD: Dollars = '10';
/** One hour in status running, `US dollars`. docs: managed-agents/budgets; about-claude/pricing. */
export const SESSION_HOUR_USD: Dollars = '0.08';

/** Tokens of one model request; `input_tokens` are those that no cache read or wrote. */
export interface TokenUsage {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_5m_tokens: number;
  cache_creation_1h_tokens: number;
}

/** How a request was served, as its answer says. sdk 1.11.0: BetaUsage.speed, inference_geo. */
export interface RequestTerms {
  speed?: string | null | undefined;
  inference_geo?: string | null | undefined;
}

/**
 * The list price of one model request. A prompt over the model's threshold is charged at its
 * long-prompt rates, every token of it, the output included; fast mode and `us` multiply all rates
 * and each other. A price without a multiplier charges none: the API refuses what has no price.
 */
export function requestCost(
  price: ModelPrice,
  usage: TokenUsage,
  terms: RequestTerms = {},
): Dollars {
  const rates = ratesFor(price, usage);
  const perMillion = add(
    times(rates.input, usage.input_tokens),
    times(rates.output, usage.output_tokens),
    times(rates.cacheRead, usage.cache_read_input_tokens),
    times(rates.cacheWrite5m, usage.cache_creation_5m_tokens),
    times(rates.cacheWrite1h, usage.cache_creation_1h_tokens),
  );
  const fast = terms.speed === 'fast' ? price.fastMultiplier : null;
  const us = terms.inference_geo === 'us' ? price.usMultiplier : null;
  const factors = [fast, us].filter((factor) => factor !== null).map((factor) => parse(factor));
  return print(factors.reduce(multiply, { ...perMillion, scale: perMillion.scale + 6 }));
}

/** What so many web searches cost. */
export function searchCost(searches: number): Dollars {
  const { digits, scale } = times(SEARCHES_1000_USD, searches);
  return print({ digits, scale: scale + 3 });
}

/**
 * What so much time in status running costs, `ms`; to the nearest `RUNTIME_COST_DECIMALS`, since a
 * millisecond has no finite price. Take it of the whole time, not piece by piece.
 */
export function runtimeCost(activeMs: number): Dollars {
  const { digits, scale } = times(SESSION_HOUR_USD, activeMs);
  const scaled = digits * 10n ** BigInt(RUNTIME_COST_DECIMALS - scale);
  return print({ digits: divideHalfUp(scaled, 3_600_000n), scale: RUNTIME_COST_DECIMALS });
}

/** The exact sum. */
export function addDollars(...amounts: readonly Dollars[]): Dollars {
  return print(add(...amounts.map(parse)));
}

/** Below, equal or above: -1, 0 or 1. */
export function compareDollars(left: Dollars, right: Dollars): -1 | 0 | 1 {
  const [a, b] = aligned([parse(left), parse(right)]).values as [bigint, bigint];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Whole cents, half a cent upwards. sdk 1.11.0: BetaMonetaryAmount.amount. */
export function toCents(dollars: Dollars): string {
  const { digits, scale } = parse(dollars);
  if (scale <= 2) return String(digits * 10n ** BigInt(2 - scale));
  return String(divideHalfUp(digits, 10n ** BigInt(scale - 2)));
}

/** Dollars of an amount of whole cents, as a budget names one. */
export function fromCents(cents: string): Dollars {
  const { digits, scale } = parse(cents);
  return print({ digits, scale: scale + 2 });
}

/** `digits` times ten to the power of minus `scale` */
interface Decimal {
  digits: bigint;
  scale: number;
}

function ratesFor(price: ModelPrice, usage: TokenUsage): TokenRates {
  const prompt =
    usage.input_tokens +
    usage.cache_read_input_tokens +
    usage.cache_creation_5m_tokens +
    usage.cache_creation_1h_tokens;
  const { longPrompt } = price;
  return longPrompt !== null && prompt > longPrompt.aboveTokens ? longPrompt.rates : price.rates;
}

function parse(text: string): Decimal {
  const [, whole, fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new Error(`${text} is no decimal`);
  return { digits: BigInt(whole + fraction), scale: fraction.length };
}

function print({ digits, scale }: Decimal): string {
  const text = String(digits).padStart(scale + 1, '0');
  const split = text.length - scale;
  const fraction = text.slice(split).replace(/0+$/, '');
  return fraction === '' ? text.slice(0, split) : `${text.slice(0, split)}.${fraction}`;
}

function times(decimal: string, count: number): Decimal {
  if (!Number.isSafeInteger(count) || count < 0) throw new Error(`${count} is no count`);
  const { digits, scale } = parse(decimal);
  return { digits: digits * BigInt(count), scale };
}

function multiply(left: Decimal, right: Decimal): Decimal {
  return { digits: left.digits * right.digits, scale: left.scale + right.scale };
}

function add(...decimals: readonly Decimal[]): Decimal {
  const { values, scale } = aligned(decimals);
  return { digits: values.reduce((sum, value) => sum + value, 0n), scale };
}

/** The same decimals with one scale for all. */
function aligned(decimals: readonly Decimal[]): { values: bigint[]; scale: number } {
  const scale = Math.max(0, ...decimals.map((decimal) => decimal.scale));
  const values = decimals.map((each) => each.digits * 10n ** BigInt(scale - each.scale));
  return { values, scale };
}

/** For dividends and divisors that are not negative. */
function divideHalfUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend * 2n + divisor) / (divisor * 2n);
}
