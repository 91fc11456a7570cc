// Transcripts this worker has read, so that a call of a long turn reads only what is new. It is not
// a second authority: the log is append-only and goes by position, so what stands before a position
// never changes, and a worker without the entry reads everything (docs/decisions/0005). Bounded by
// size.

import type Anthropic from '@anthropic-ai/sdk';
import { TRANSCRIPT_CACHE_CHARS_MAX } from '../../protocol/limits.ts';
import type { TranscriptRow } from '../../store/model-context.ts';
import { extendTranscript } from './transcript.ts';

export interface KnownTranscript {
  /** Everything up to here is in `messages` */
  position: number;
  messages: Anthropic.MessageParam[];
  chars: number;
}

const NOTHING: KnownTranscript = { position: 0, messages: [], chars: 0 };

export class TranscriptCache {
  /** Least recently used first */
  readonly #known = new Map<string, KnownTranscript>();
  #chars = 0;

  find(threadId: string): KnownTranscript {
    return this.#known.get(threadId) ?? NOTHING;
  }

  /**
   * Adds the rows read after `known` and answers the whole conversation, waiting messages included;
   * those are not kept, since their place is given only when they are consumed.
   */
  extend(
    threadId: string,
    known: KnownTranscript,
    rows: TranscriptRow[],
  ): Anthropic.MessageParam[] {
    const placed = rows.filter((row) => row.position !== null);
    const waiting = rows.filter((row) => row.position === null);
    const messages = extendTranscript(known.messages, placed);
    const added = placed.reduce((sum, row) => sum + JSON.stringify(row).length, 0);
    this.#keep(threadId, {
      position: placed.at(-1)?.position ?? known.position,
      messages,
      chars: known.chars + added,
    });
    return extendTranscript(messages, waiting);
  }

  /** The conversation of rows that nobody needs again. */
  read(rows: TranscriptRow[]): Anthropic.MessageParam[] {
    return extendTranscript([], rows);
  }

  #keep(threadId: string, entry: KnownTranscript): void {
    this.#drop(threadId);
    this.#known.set(threadId, entry);
    this.#chars += entry.chars;
    for (const oldest of this.#known.keys()) {
      if (this.#chars <= TRANSCRIPT_CACHE_CHARS_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(threadId: string): void {
    this.#chars -= this.#known.get(threadId)?.chars ?? 0;
    this.#known.delete(threadId);
  }
}
