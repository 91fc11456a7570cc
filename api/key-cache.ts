// Which workspace a key opens, remembered for a few seconds. Keys are compared by their sha256, so
// the cache holds no plain text; an unknown key is never remembered, and a revoked one is refused
// at most one lifetime of an entry later.

import { API_KEY_CACHE_ENTRIES_MAX, API_KEY_CACHE_MS } from '../protocol/limits.ts';
import type { Database } from '../store/database.ts';
import { findWorkspaceOfKey, hashApiKey } from '../store/keys.ts';

export interface KeyCache {
  /** Answers the workspace that a key opens, or null. */
  workspaceOf(key: string): Promise<string | null>;
}

/** Makes an empty cache over the store's keys. */
export function createKeyCache(sql: Database): KeyCache {
  const entries = new Map<string, { workspaceId: string; until: number }>();
  return {
    async workspaceOf(key) {
      const hash = hashApiKey(key);
      const name = hash.toString('base64');
      const known = entries.get(name);
      if (known && known.until > Date.now()) return known.workspaceId;
      entries.delete(name);
      const workspaceId = await findWorkspaceOfKey(sql, hash);
      if (workspaceId === null) return null;
      if (entries.size >= API_KEY_CACHE_ENTRIES_MAX) dropOldest(entries);
      entries.set(name, { workspaceId, until: Date.now() + API_KEY_CACHE_MS });
      return workspaceId;
    },
  };
}

function dropOldest(entries: Map<string, unknown>): void {
  for (const oldest of entries.keys()) {
    entries.delete(oldest);
    return;
  }
}
