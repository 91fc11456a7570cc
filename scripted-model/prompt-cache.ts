// The prompt cache as documented (build-with-claude/prompt-caching): a prefix is written only at a
// breakpoint and read only where the whole of it is the same, looked for over 20 positions from
// each breakpoint backwards. It remembers hashes alone, so many at most, and is never read for the
// words of a reply. Not imitated: the minimum length of a prefix, and that a key has its own cache.

import {
  CACHE_LONG_MS,
  CACHE_LOOKBACK_POSITIONS,
  CACHE_SHORT_MS,
  SCRIPTED_CACHE_ENTRIES_MAX,
} from '../protocol/limits.ts';
import { PrefixHash } from './prefix-hash.ts';
import type { CacheTtl, Prompt, PromptBlock } from './prompt.ts';

/** Characters of a prompt that were read from the cache, and written to it by lifetime. */
export interface CacheUse {
  readChars: number;
  shortChars: number;
  longChars: number;
}

interface Entry {
  ttl: CacheTtl;
  expiresAtMs: number;
}

const LIFETIME_MS: Readonly<Record<CacheTtl, number>> = {
  '5m': CACHE_SHORT_MS,
  '1h': CACHE_LONG_MS,
};
/** Parallel calls, and their results, count as one position. */
const RUNS: ReadonlySet<unknown> = new Set(['tool_use', 'tool_result']);

export class PromptCache {
  /** by hash of the prefix, the one used last at the end */
  readonly #entries = new Map<number, Entry>();

  /** Looks a prompt up and writes what its breakpoints ask for; lifetimes count from `nowMs`. */
  use(prompt: Prompt, nowMs: number): CacheUse {
    const { blocks } = prompt;
    const marked: number[] = [];
    for (let at = 0; at < blocks.length; at += 1) {
      if (blocks[at]!.ttl !== undefined) marked.push(at);
    }
    if (marked.length === 0) return { readChars: 0, shortChars: 0, longChars: 0 };
    const windows = marked.map((at) => lookback(blocks, at)).toReversed();
    const hashes = prefixHashes(prompt, windows.flat());
    const hit = windows.flat().find((at) => this.#isLive(hashes.get(at)!, nowMs));
    const readChars = hit === undefined ? 0 : blocks[hit]!.endChars;
    if (hit !== undefined) this.#keep(hashes.get(hit)!, undefined, nowMs);
    let longEnd = readChars;
    let end = readChars;
    for (const at of marked) {
      const { endChars, ttl } = blocks[at]!;
      this.#keep(hashes.get(at)!, ttl, nowMs);
      end = Math.max(end, endChars);
      if (ttl === '1h') longEnd = Math.max(longEnd, endChars);
    }
    return { readChars, longChars: longEnd - readChars, shortChars: end - longEnd };
  }

  #isLive(hash: number, nowMs: number): boolean {
    return (this.#entries.get(hash)?.expiresAtMs ?? 0) > nowMs;
  }

  /** Begins the lifetime of an entry anew: its own one, which a longer one replaces. */
  #keep(hash: number, asked: CacheTtl | undefined, nowMs: number): void {
    const known = this.#isLive(hash, nowMs) ? this.#entries.get(hash)!.ttl : undefined;
    const ttl = known === '1h' ? known : (asked ?? known ?? '5m');
    this.#entries.delete(hash);
    this.#entries.set(hash, { ttl, expiresAtMs: nowMs + LIFETIME_MS[ttl] });
    if (this.#entries.size <= SCRIPTED_CACHE_ENTRIES_MAX) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }
}

/** Indices of the blocks that a breakpoint looks at, itself first. */
function lookback(blocks: readonly PromptBlock[], from: number): number[] {
  const window: number[] = [];
  let positions = 0;
  for (let at = from; at >= 0; at -= 1) {
    if (!isOfRun(blocks[at]!, blocks[at + 1]) || at === from) positions += 1;
    if (positions > CACHE_LOOKBACK_POSITIONS) break;
    window.push(at);
  }
  return window;
}

function isOfRun(block: PromptBlock, next: PromptBlock | undefined): boolean {
  const type = typeOf(block);
  return next !== undefined && RUNS.has(type) && type === typeOf(next);
}

function typeOf({ value }: PromptBlock): unknown {
  return (value as { type?: unknown }).type;
}

/** Hashes of the prefixes that end with the wanted blocks, by index. */
function prefixHashes(
  { blocks, settings }: Prompt,
  wanted: readonly number[],
): Map<number, number> {
  const hashes = new Map<number, number>();
  const ends = [...new Set(wanted)].toSorted((a, b) => a - b);
  const last = ends.at(-1)!;
  let next = 0;
  const hash = new PrefixHash();
  hash.add(settings.model);
  let before: PromptBlock['section'] = 'tools';
  for (let at = 0; at <= last; at += 1) {
    const { section, value } = blocks[at]!;
    if (before === 'tools' && section !== 'tools') hash.add(settings.system);
    if (isMessage(section) && !isMessage(before)) hash.add(settings.messages);
    before = section;
    // The same text said by another is another prompt.
    hash.add(section);
    hash.add(value);
    if (at !== ends[next]) continue;
    next += 1;
    hashes.set(at, hash.soFar);
  }
  return hashes;
}

function isMessage(section: PromptBlock['section']): boolean {
  return section !== 'tools' && section !== 'instructions';
}
