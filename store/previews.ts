// The preview feed: what a model is saying right now, for clients that asked for deltas. Best
// effort by design: never stored, never awaited by the token loop, dropped under load; but always a
// contiguous prefix of the final text (behaviour 6.11). In one process the hub delivers directly;
// between processes frames travel as small NOTIFYs.

import type { Database } from './database.ts';

/** One coalesced piece, or the start, of a message that is being generated. */
export interface PreviewFrame {
  sessionId: string;
  threadId: string;
  /** Seq that a reader must have passed first: the span's start */
  afterSeq: number;
  eventId: string;
  /** Type of the event that is being previewed */
  of: 'agent.message' | 'agent.thinking';
  /** Characters of the message before this piece, and in it; 0 for a start */
  offset: number;
  chars: number;
  event: { type: 'event_start' | 'event_delta' } & Record<string, unknown>;
}

export type PreviewListener = (frame: PreviewFrame) => void;

const CHANNEL = 'holdfast_previews';
/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const NOTIFY_BYTES_MAX = 7_900;

export interface PreviewHub {
  publish(frame: PreviewFrame): void;
  subscribe(sessionId: string, listener: PreviewListener): () => void;
  close(): Promise<void>;
}

/** Readers and writers in one process: a map of listeners. */
export function localPreviews(): PreviewHub {
  const listeners = new Map<string, Set<PreviewListener>>();
  return {
    publish(frame) {
      for (const listener of listeners.get(frame.sessionId) ?? []) listener(frame);
    },
    subscribe(sessionId, listener) {
      const set = listeners.get(sessionId) ?? new Set();
      listeners.set(sessionId, set);
      set.add(listener);
      return () => {
        set.delete(listener);
        if (set.size === 0) listeners.delete(sessionId);
      };
    },
    async close() {
      listeners.clear();
    },
  };
}

/** Readers and writers in different processes: the local hub, fed by NOTIFY. */
export async function sharedPreviews(sql: Database): Promise<PreviewHub> {
  const local = localPreviews();
  const listening = await sql.listen(CHANNEL, (payload) => {
    local.publish(JSON.parse(payload) as PreviewFrame);
  });
  return {
    ...local,
    publish(frame) {
      const payload = JSON.stringify(frame);
      if (Buffer.byteLength(payload) > NOTIFY_BYTES_MAX) return;
      sql.notify(CHANNEL, payload).catch(() => {});
    },
    async close() {
      await listening.unlisten();
      await local.close();
    },
  };
}
