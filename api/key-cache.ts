// What a key opens, remembered for a few seconds. Keys are compared by their sha256, so the cache
// holds no plain text; an unknown key is never remembered, and a revoked one is refused at most one
// lifetime of an entry later. That a key is used is noted here too, and nobody waits for it.

import type { Logger } from 'pino';
import { API_KEY_CACHE_ENTRIES_MAX, API_KEY_CACHE_MS } from '../protocol/limits.ts';
import type { Database } from '../store/database.ts';
import { findKey, hashApiKey, noteKeyUse, type OpenedKey } from '../store/keys.ts';

export interface KeyCache {
  /** Answers what a key opens, or null. */
  find(key: string): Promise<OpenedKey | null>;
}

/** Makes an empty cache over the store's keys. */
export function createKeyCache({ sql, log }: { sql: Database; log: Logger }): KeyCache {
  const entries = new Map<string, { opened: OpenedKey; until: number }>();
  return {
    async find(key) {
      const hash = hashApiKey(key);
      const name = hash.toString('base64');
      const known = entries.get(name);
      if (known && known.until > Date.now()) return known.opened;
      entries.delete(name);
      const found = await findKey(sql, hash);
      if (found === null) return null;
      const { isUseDue, ...opened } = found;
      if (isUseDue) {
        noteKeyUse(sql, opened.keyId).catch((error: unknown) => {
          // The next look-up tries again.
          log.debug({ err: error, key_id: opened.keyId }, 'use of a key not noted');
        });
      }
      if (entries.size >= API_KEY_CACHE_ENTRIES_MAX) dropOldest(entries);
      entries.set(name, { opened, until: Date.now() + API_KEY_CACHE_MS });
      return opened;
    },
  };
}

function dropOldest(entries: Map<string, unknown>): void {
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}
