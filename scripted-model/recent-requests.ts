// What the server was asked lately: times, sizes and beginnings of texts, for tests and benchmarks
// that ask "when did the next model call come, and what did it hold". Bounded, in memory, and never
// read for a reply.

import type Anthropic from '@anthropic-ai/sdk';
import {
  SCRIPTED_RECENT_REQUESTS_MAX,
  SCRIPTED_RECENT_TEXT_CHARS_MAX,
} from '../protocol/limits.ts';
import { blocksOf } from './conversation.ts';

export interface RecentRequest {
  /** running number, from 1 */
  seq: number;
  request_id: string;
  /** arrival of the request's head, milliseconds since 1970 with a fraction */
  received_at_ms: number;
  /** last byte handed to the socket, or the moment the client went; null while it runs */
  ended_at_ms: number | null;
  attempt: number;
  /** HTTP status of the answer, 0 for a cut connection; null until it is decided */
  status: number | null;
  /** whether the client hung up first */
  is_aborted: boolean;
  model: string | null;
  message_count: number;
  first_text: string;
  last_text: string;
  stop_reason: string | null;
  tool_uses: string[];
}

export class RecentRequests {
  #entries: RecentRequest[] = [];
  #seq = 0;

  /** Notes an arrival; the caller fills the returned entry as it learns more. */
  begin(requestId: string): RecentRequest {
    this.#seq += 1;
    const entry: RecentRequest = {
      seq: this.#seq,
      request_id: requestId,
      received_at_ms: nowMs(),
      ended_at_ms: null,
      attempt: 1,
      status: null,
      is_aborted: false,
      model: null,
      message_count: 0,
      first_text: '',
      last_text: '',
      stop_reason: null,
      tool_uses: [],
    };
    this.#entries.push(entry);
    // Cut in halves, so that a full list costs nothing per request.
    if (this.#entries.length > 2 * SCRIPTED_RECENT_REQUESTS_MAX) {
      this.#entries = this.#entries.slice(-SCRIPTED_RECENT_REQUESTS_MAX);
    }
    return entry;
  }

  /** Entries after a number whose first text holds the string, oldest first. */
  list(after: number, contains: string): RecentRequest[] {
    return this.#entries
      .slice(-SCRIPTED_RECENT_REQUESTS_MAX)
      .filter(({ seq, first_text }) => seq > after && first_text.includes(contains));
  }
}

/** Fills in what the messages say. */
export function describeMessages(
  entry: RecentRequest,
  messages: readonly Anthropic.MessageParam[],
): void {
  entry.message_count = messages.length;
  entry.first_text = textOf(messages[0]);
  entry.last_text = textOf(messages.at(-1));
}

/** Now, in milliseconds since 1970 with a fraction. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function textOf(message: Anthropic.MessageParam | undefined): string {
  if (message === undefined) return '';
  const block = blocksOf(message).findLast(({ type }) => type === 'text');
  return block?.type === 'text' ? block.text.slice(0, SCRIPTED_RECENT_TEXT_CHARS_MAX) : '';
}
