// The streams that this process has open, by key. A key may have so many and no more, a stream
// whose key is revoked ends by an error, as it would otherwise go on for as long as its session,
// and all end when the server closes. The keys of all open streams are looked up in one query.

import type { Logger } from 'pino';
import { ApiError } from '../protocol/errors.ts';
import { API_KEY_CACHE_MS } from '../protocol/limits.ts';
import type { Database } from '../store/database.ts';
import { findRevokedKeys } from '../store/keys.ts';
import { PerKeyCount } from './rate-limit.ts';

export interface OpenStreams {
  /**
   * Counts a stream, or throws RateLimitError; what it answers is called when the stream closes.
   * `end` is called with the error to end by, at most API_KEY_CACHE_MS after the key was revoked,
   * or with null when the server closes.
   */
  open(keyId: string, end: (error: ApiError | null) => void): () => void;
}

/** Makes an empty register; it needs no closing once its streams are. */
export function createOpenStreams(
  { sql, log, closing }: { sql: Database; log: Logger; closing?: AbortSignal },
  streamsMax: number | undefined,
): OpenStreams {
  const counts = new PerKeyCount(streamsMax, 'open streams');
  const streams = new Set<{ keyId: string; end: (error: ApiError | null) => void }>();
  let timer: NodeJS.Timeout | undefined;
  const check = async (): Promise<void> => {
    const keyIds = new Set([...streams].map(({ keyId }) => keyId));
    const revoked = new Set(await findRevokedKeys(sql, [...keyIds]));
    for (const { keyId, end } of streams) {
      if (revoked.has(keyId)) end(new ApiError('authentication_error', 'The API key was revoked.'));
    }
  };
  const checkAgain = (): void => {
    // A database that is away: the next check finds what this one did not.
    check().catch((error: unknown) => log.debug({ err: error }, 'keys of streams not checked'));
  };
  // One listener for all: a signal looks through its listeners whenever one is added.
  closing?.addEventListener('abort', () => streams.forEach(({ end }) => end(null)), { once: true });
  return {
    open(keyId, end) {
      const uncount = counts.enter(keyId);
      const stream = { keyId, end };
      streams.add(stream);
      if (closing?.aborted === true) end(null);
      timer ??= setInterval(checkAgain, API_KEY_CACHE_MS).unref();
      return () => {
        if (!streams.delete(stream)) return;
        uncount();
        if (streams.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}
