// The live side of a model stream: starts and pieces of messages for clients that asked for them.
// Pieces are gathered for 50 ms or 128 characters; nothing here is awaited by the token loop, and
// readers show nothing of it before they have seen the span's start.

import {
  PREVIEW_GATHER_CHARS_MAX,
  PREVIEW_GATHER_MS,
  PREVIEW_PIECE_CHARS_MAX,
} from '../../protocol/limits.ts';
import type { PreviewFrame, PreviewHub } from '../../store/previews.ts';
import type { ModelStreamEvent } from './anthropic.ts';
import { saysSomething } from './reply-blocks.ts';
import { type AttemptKey, replyEventId } from './reply-events.ts';

type ContentBlock = Extract<ModelStreamEvent, { type: 'content_block_start' }>['content_block'];

interface OpenMessage {
  eventId: string;
  /** Index of the current text block within the message */
  index: number;
  offset: number;
  gathered: string;
}

export class PreviewWriter {
  readonly #hub: PreviewHub;
  readonly #attempt: AttemptKey;
  /** Seq of the span's start, which readers must have passed */
  readonly #afterSeq: number;
  #message: OpenMessage | undefined;
  /** A text block that has said nothing yet: the provider's index, and the blanks so far */
  #silent: { blockIndex: number; blanks: string } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(hub: PreviewHub, attempt: AttemptKey, afterSeq: number) {
    this.#hub = hub;
    this.#attempt = attempt;
    this.#afterSeq = afterSeq;
  }

  /** Takes one event of the provider's stream. */
  take(event: ModelStreamEvent): void {
    if (event.type === 'content_block_start') this.#start(event.index, event.content_block);
    else if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      this.#gather(event.delta.text);
    }
  }

  /** Shows what is gathered; call it before the reply is committed, and when giving up. */
  close(): void {
    this.#flush();
    this.#message = undefined;
  }

  #start(blockIndex: number, block: ContentBlock): void {
    this.#flush();
    this.#silent = undefined;
    if (block.type === 'text') {
      this.#silent = { blockIndex, blanks: '' };
      this.#gather(block.text);
      return;
    }
    this.#message = undefined;
    if (block.type === 'thinking' || block.type === 'redacted_thinking') {
      const eventId = replyEventId(this.#attempt, 'agent.thinking', blockIndex);
      this.#publishStart('agent.thinking', eventId);
    }
  }

  #gather(text: string): void {
    if (text === '') return;
    const silent = this.#silent;
    const said = silent === undefined ? text : silent.blanks + text;
    if (silent !== undefined && !saysSomething(text)) {
      silent.blanks = said;
      return;
    }
    const message = this.#speak();
    if (message === undefined) return;
    message.gathered += said;
    // The first words go out at once: they are what a person waits for.
    const isFirst = message.offset === 0;
    if (isFirst || message.gathered.length >= PREVIEW_GATHER_CHARS_MAX) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), PREVIEW_GATHER_MS);
  }

  /**
   * The message that the current text block belongs to. A block counts from its first words on: one
   * that stays blank is not in the message either (reply-blocks.ts).
   */
  #speak(): OpenMessage | undefined {
    if (this.#silent === undefined) return this.#message;
    const { blockIndex } = this.#silent;
    this.#silent = undefined;
    if (this.#message !== undefined) {
      this.#message.index += 1;
      return this.#message;
    }
    const eventId = replyEventId(this.#attempt, 'agent.message', blockIndex);
    this.#publishStart('agent.message', eventId);
    this.#message = { eventId, index: 0, offset: 0, gathered: '' };
    return this.#message;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const message = this.#message;
    if (message === undefined) return;
    let rest = message.gathered;
    message.gathered = '';
    while (rest !== '') {
      const text = rest.slice(0, PREVIEW_PIECE_CHARS_MAX);
      rest = rest.slice(text.length);
      this.#publish({
        of: 'agent.message',
        eventId: message.eventId,
        offset: message.offset,
        chars: text.length,
        event: {
          type: 'event_delta',
          event_id: message.eventId,
          delta: { type: 'content_delta', index: message.index, content: { type: 'text', text } },
        },
      });
      message.offset += text.length;
    }
  }

  #publishStart(of: PreviewFrame['of'], eventId: string): void {
    const event = { type: 'event_start' as const, event: { type: of, id: eventId } };
    this.#publish({ of, eventId, offset: 0, chars: 0, event });
  }

  #publish(frame: Omit<PreviewFrame, 'sessionId' | 'threadId' | 'afterSeq'>): void {
    const { sessionId, threadId } = this.#attempt;
    this.#hub.publish({ ...frame, sessionId, threadId, afterSeq: this.#afterSeq });
  }
}
