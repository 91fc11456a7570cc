// What the runner remembers of the calls it was sent: running ones, results until they are
// acknowledged, and the bare ids of results that went. Bounded in number and bytes; an id in it is
// never run again.
import {
  RUNNER_FORGOTTEN_MAX,
  RUNNER_RESULT_BYTES_MAX,
  RUNNER_RESULTS_MAX,
} from '../../protocol/limits.ts';
import type { ToolResult } from './tools.ts';

export interface StoredCall {
  abort: AbortController;
  isStarted: boolean;
  /** null while it runs */
  result: ToolResult | null;
  /** weight of the result, in bytes of its texts */
  bytes: number;
}

export class CallStore {
  readonly #calls = new Map<string, StoredCall>();
  readonly #forgotten = new Set<string>();
  #resultBytes = 0;
  #results = 0;

  /** The call as it stands; `forgotten` where it ran but its result is gone. */
  find(callId: string): StoredCall | 'forgotten' | undefined {
    return this.#calls.get(callId) ?? (this.#forgotten.has(callId) ? 'forgotten' : undefined);
  }

  /** Notes a new running call. */
  begin(callId: string): StoredCall {
    const call = { abort: new AbortController(), isStarted: false, result: null, bytes: 0 };
    this.#calls.set(callId, call);
    return call;
  }

  /** Keeps the result until it is acknowledged or the bounds push it out. */
  finish(callId: string, result: ToolResult): void {
    const call = this.#calls.get(callId);
    if (call === undefined || call.result !== null) return;
    call.result = result;
    call.bytes = weight(result);
    this.#results++;
    this.#resultBytes += call.bytes;
    this.#evict(callId);
  }

  /** Stops a running call; it still ends with a result. */
  cancel(callId: string): void {
    this.#calls.get(callId)?.abort.abort();
  }

  /**
   * Drops a finished call's result. Its id stays: an attempt that was overtaken may send it again.
   */
  acknowledge(callId: string): void {
    const call = this.#calls.get(callId);
    if (call !== undefined && call.result === null) return;
    if (call !== undefined) this.#drop(callId, call);
    this.#forget(callId);
  }

  #evict(newest: string): void {
    for (const [callId, call] of this.#calls) {
      const fits =
        this.#results <= RUNNER_RESULTS_MAX && this.#resultBytes <= RUNNER_RESULT_BYTES_MAX;
      if (fits) return;
      if (call.result === null || callId === newest) continue;
      this.#drop(callId, call);
      this.#forget(callId);
    }
  }

  #forget(callId: string): void {
    this.#forgotten.add(callId);
    for (const oldest of this.#forgotten) {
      if (this.#forgotten.size <= RUNNER_FORGOTTEN_MAX) return;
      this.#forgotten.delete(oldest);
    }
  }

  #drop(callId: string, call: StoredCall): void {
    this.#calls.delete(callId);
    this.#results--;
    this.#resultBytes -= call.bytes;
  }
}

function weight(result: ToolResult): number {
  return result.content.reduce((sum, block) => {
    if (block.type === 'text') return sum + block.text.length;
    return sum + ('data' in block.source ? block.source.data.length : 0);
  }, 0);
}
