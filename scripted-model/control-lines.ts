// The directives that begin with `# `: how the model thinks, waits, ends, fails and counts. A line
// that fits none of these patterns is prose, so a heading of a document is never a directive by
// accident. What each does is in reply.ts; the table for people is docs/scripted-model.md.

import {
  SCRIPTED_COUNT_MAX,
  SCRIPTED_FAIL_TIMES_MAX,
  SCRIPTED_RETRY_AFTER_SECONDS,
  SCRIPTED_WAIT_MS_MAX,
  SCRIPTED_WORD_MS,
  SCRIPTED_WORDS_MAX,
} from '../protocol/limits.ts';

/** Token counts of a `# usage` line; what it does not name is 0. */
export interface UsageCounts {
  input: number;
  output: number;
  cache_read: number;
  cache_5m: number;
  cache_1h: number;
}

/** What a line says besides its source; `times` counts attempts at one reply. */
type Control =
  | { kind: 'think'; text: string }
  | { kind: 'wait'; ms: number }
  | { kind: 'tokens'; words: number; wordMs: number }
  | { kind: 'search'; query: string }
  | { kind: 'say_blocks' }
  | { kind: 'usage'; counts: UsageCounts }
  | { kind: 'searches'; count: number }
  | { kind: 'window'; tokens: number }
  | { kind: 'refuse' | 'max_tokens' | 'window_stop' }
  /** status 0 cuts the connection */
  | { kind: 'fail'; status: number; times: number; retryAfterSeconds: number | undefined }
  /** `after`: deltas of text, or characters of a tool input */
  | { kind: 'cut'; after: number; times: number }
  | { kind: 'stall'; ms: number; times: number }
  | { kind: 'garbage' | 'empty' | 'blank' | 'repeat_id'; times: number };

export type ControlDirective = Control & { source: string };

type Digits = string | undefined;

const THOUGHT = 'The next line of the script says what to do. Nothing speaks against it.';
const SECONDS_PER_HOUR = 3600;

/** First pattern that fits the line behind `# `; every group may be missing. */
const LINES: readonly (readonly [RegExp, (...groups: Digits[]) => Control])[] = [
  [/^think(?: (.+))?$/, (text = THOUGHT) => ({ kind: 'think', text })],
  [/^wait (\d+)$/, (ms) => ({ kind: 'wait', ms: bounded(ms, SCRIPTED_WAIT_MS_MAX) })],
  [/^tokens (\d+)(?: (\d+))?$/, tokens],
  [/^search (.*\S)$/, (query = '') => ({ kind: 'search', query })],
  [/^say-blocks$/, () => ({ kind: 'say_blocks' })],
  [/^usage((?: (?:input|output|cache_read|cache_5m|cache_1h)=\d+)+)$/, usage],
  [/^searches (\d+)$/, (count) => ({ kind: 'searches', count: bounded(count) })],
  [/^window (\d+)$/, (tokenCount) => ({ kind: 'window', tokens: bounded(tokenCount) })],
  [/^refuse$/, () => ({ kind: 'refuse' })],
  [/^max_tokens$/, () => ({ kind: 'max_tokens' })],
  [/^window-stop$/, () => ({ kind: 'window_stop' })],
  [/^fail (0|[45]\d\d) (\d+)(?: (\d+))?$/, failure],
  [/^cut (\d+)(?: (\d+))?$/, (n, times) => ({ kind: 'cut', after: bounded(n), ...often(times) })],
  [
    /^stall (\d+)(?: (\d+))?$/,
    (ms, times) => ({ kind: 'stall', ms: bounded(ms, SCRIPTED_WAIT_MS_MAX), ...often(times) }),
  ],
  [/^garbage(?: (\d+))?$/, (times) => ({ kind: 'garbage', ...often(times) })],
  [/^empty(?: (\d+))?$/, (times) => ({ kind: 'empty', ...often(times) })],
  [/^blank(?: (\d+))?$/, (times) => ({ kind: 'blank', ...often(times) })],
  [/^repeat-id(?: (\d+))?$/, (times) => ({ kind: 'repeat_id', ...often(times) })],
];

/** Reads one line; undefined where it is prose. */
export function parseControl(source: string): ControlDirective | undefined {
  if (!source.startsWith('# ')) return undefined;
  const line = source.slice(2);
  for (const [pattern, read] of LINES) {
    const match = pattern.exec(line);
    if (match !== null) return { ...read(...match.slice(1)), source };
  }
  return undefined;
}

/** `retry-after` of a scripted failure, in seconds: the one that is named, else a 429 has one. */
export function retryAfterOf(status: number, named?: string): number | undefined {
  if (named !== undefined) return bounded(named, SECONDS_PER_HOUR);
  return status === 429 ? SCRIPTED_RETRY_AFTER_SECONDS : undefined;
}

function tokens(words: Digits, ms: Digits): Control {
  return {
    kind: 'tokens',
    words: bounded(words, SCRIPTED_WORDS_MAX),
    wordMs: bounded(ms ?? String(SCRIPTED_WORD_MS), SCRIPTED_WAIT_MS_MAX),
  };
}

function failure(digits: Digits, times: Digits, seconds: Digits): Control {
  const status = Number(digits);
  return {
    kind: 'fail',
    status,
    ...often(times),
    retryAfterSeconds: retryAfterOf(status, seconds),
  };
}

function usage(text = ''): Control {
  const counts: UsageCounts = { input: 0, output: 0, cache_read: 0, cache_5m: 0, cache_1h: 0 };
  for (const pair of text.trim().split(' ')) {
    const [name, digits] = pair.split('=');
    counts[name as keyof UsageCounts] = bounded(digits);
  }
  return { kind: 'usage', counts };
}

function often(times: Digits = '1'): { times: number } {
  return { times: bounded(times, SCRIPTED_FAIL_TIMES_MAX) };
}

function bounded(digits: Digits, max = SCRIPTED_COUNT_MAX): number {
  return Math.min(Number(digits), max);
}
