// The stream of one session as a careful client reads it: through the official SDK, and after every
// loss of the connection again from the last event it has, by `Last-Event-ID`. The SDK does not
// show the ids of frames, so a `fetch` of ours notes them on their way to it.

import Anthropic from '@anthropic-ai/sdk';
import { setTimeout as pause } from 'node:timers/promises';
import { conformingFetch } from '../helpers/conformance.ts';
import type { StreamEvent } from '../helpers/scene.ts';
import { sseReader } from '../helpers/sse-frames.ts';

const REDIAL_MS = 50;

export interface Place {
  /** one or several addresses of the same server; a reader goes round them */
  urls: readonly string[];
  apiKey: string;
}

export class ResumingReader {
  /** every stored event, in the order of the stream */
  readonly events: { seq: number; event: StreamEvent }[] = [];
  /** texts of previews, by connection and id of the event they announce */
  readonly previews = new Map<string, { id: string; text: string }>();
  /** streams opened so far */
  opened = 0;
  readonly #place: Place;
  readonly #sessionId: string;
  readonly #stop = new AbortController();
  readonly #over: Promise<void>;
  #wake = Promise.withResolvers<void>();

  constructor(place: Place, sessionId: string) {
    this.#place = place;
    this.#sessionId = sessionId;
    this.#over = this.#readOn();
  }

  /**
   * Resolves as soon as the events are as wanted; throws, with what there was, after `timeoutMs`.
   */
  async until(
    what: string,
    isSo: (events: readonly StreamEvent[]) => boolean,
    timeoutMs: number,
  ): Promise<void> {
    const late = AbortSignal.timeout(timeoutMs);
    const isLate = new Promise<void>((resolve) =>
      late.addEventListener('abort', () => resolve(), { once: true }),
    );
    while (!isSo(this.events.map(({ event }) => event))) {
      if (late.aborted) {
        const types = this.events.map(({ event }) => event.type).join(', ');
        throw new Error(`${this.#sessionId}: not within ${timeoutMs} ms: ${what}; had ${types}`);
      }
      await Promise.race([this.#wake.promise, isLate]);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#over;
  }

  async #readOn(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { urls } = this.#place;
      // A lost connection, or a server that is away: what it means is seen in the events.
      await this.#readOnce(urls[attempt % urls.length]!).catch(() => {});
      await pause(REDIAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #readOnce(url: string): Promise<void> {
    const { signal } = this.#stop;
    const ids: (string | undefined)[] = [];
    const client = new Anthropic({
      baseURL: url,
      apiKey: this.#place.apiKey,
      maxRetries: 0,
      fetch: notingIds(ids),
    });
    const stream = await client.beta.sessions.events.stream(
      this.#sessionId,
      { event_deltas: ['agent.message'] },
      { headers: { 'last-event-id': String(this.events.at(-1)?.seq ?? 0) }, signal },
    );
    this.opened += 1;
    for await (const event of stream) {
      const id = ids.shift();
      if (id === undefined) this.#preview(event);
      else this.events.push({ seq: Number(id), event });
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }

  #preview(event: StreamEvent): void {
    if (event.type !== 'event_delta' || event.delta.type !== 'content_delta') return;
    const key = `${this.opened} ${event.event_id}`;
    const known = this.previews.get(key) ?? { id: event.event_id, text: '' };
    known.text += event.delta.content.text;
    this.previews.set(key, known);
  }
}

/** A `fetch` that adds the id of each frame, undefined for a preview, to `ids` as it passes. */
function notingIds(ids: (string | undefined)[]): typeof fetch {
  return async (input, init) => {
    const response = await conformingFetch(input, init);
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
    const read = sseReader((frame) => {
      if (frame.event === 'message') ids.push(frame.id);
    });
    const noting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        read(chunk);
        controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    const body = response.body?.pipeThrough(noting) ?? null;
    return new Response(body, { status, statusText, headers });
  };
}
