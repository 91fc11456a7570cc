// One reader's share of the preview feed. It keeps the order a client may rely on (behaviour 6.11):
// a message's start before its deltas, the deltas gap-free from the first character, nothing of a
// message after the message itself. Whatever would break that is dropped, and the rest of that
// message with it.

import type { StreamEvent } from '../protocol/events.ts';
import { FOLLOW_PREVIEWS_MAX } from '../protocol/limits.ts';
import type { PreviewFrame, PreviewHub } from './previews.ts';

const FINISHED_IDS_MAX = 64;

export class PreviewQueue {
  readonly #frames: PreviewFrame[] = [];
  /** Characters delivered of each message that was started and is not finished */
  readonly #progress = new Map<string, number>();
  readonly #finished: string[] = [];
  readonly #unsubscribe: () => void;

  constructor(
    query: { sessionId: string; threadId?: string; deltas: ReadonlySet<string> },
    hub: PreviewHub,
    rouse: () => void,
  ) {
    if (query.deltas.size === 0) {
      this.#unsubscribe = () => {};
      return;
    }
    this.#unsubscribe = hub.subscribe(query.sessionId, (frame) => {
      if (query.threadId !== undefined && frame.threadId !== query.threadId) return;
      if (!query.deltas.has(frame.of)) return;
      if (this.#frames.length >= FOLLOW_PREVIEWS_MAX) return;
      this.#frames.push(frame);
      rouse();
    });
  }

  /** The frames that may be shown to a reader who has seen everything up to `cursor`. */
  take(cursor: number): StreamEvent[] {
    const shown: StreamEvent[] = [];
    while (this.#frames[0] !== undefined && this.#frames[0].afterSeq <= cursor) {
      const frame = this.#frames.shift()!;
      if (this.#accepts(frame)) shown.push(frame.event as unknown as StreamEvent);
    }
    return shown;
  }

  /** The event itself is being delivered: nothing of its preview may follow. */
  finish(eventId: string): void {
    this.#progress.delete(eventId);
    this.#finished.push(eventId);
    if (this.#finished.length > FINISHED_IDS_MAX) this.#finished.shift();
  }

  close(): void {
    this.#unsubscribe();
    this.#frames.length = 0;
  }

  #accepts(frame: PreviewFrame): boolean {
    if (this.#finished.includes(frame.eventId)) return false;
    if (frame.event.type === 'event_start') {
      if (this.#progress.has(frame.eventId)) return false;
      this.#progress.set(frame.eventId, 0);
      return true;
    }
    if (this.#progress.get(frame.eventId) !== frame.offset) return false;
    this.#progress.set(frame.eventId, frame.offset + frame.chars);
    return true;
  }
}
