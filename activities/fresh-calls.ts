// Tool calls that this worker has just committed, on their way from the model call to the tool
// call: the next step is nearly always taken by the same process, which need not read back what it
// wrote a moment ago, and finds the call begun. Each is taken once; whoever finds none reads the
// log (docs/decisions/0005, 0009). Bounded.

import { FRESH_CALLS_MAX } from '../protocol/limits.ts';
import type { RunToolResult } from './messages.ts';

export interface FreshCall {
  name: string;
  input: Record<string, unknown>;
  /** The provider's id of this tool use */
  toolUseId: string;
  /** When it entered the log, ms since 1970; absent for one of this moment */
  askedAt?: number;
  /** The short attempt, begun as soon as the call was in the log */
  attempt?: Promise<RunToolResult>;
}

export class FreshCalls {
  /** Oldest first */
  readonly #calls = new Map<string, FreshCall>();

  add(callId: string, call: FreshCall): void {
    this.#calls.set(callId, call);
    if (this.#calls.size <= FRESH_CALLS_MAX) return;
    for (const oldest of this.#calls.keys()) {
      this.#calls.delete(oldest);
      return;
    }
  }

  /** The call, the first time it is asked for. */
  take(callId: string): FreshCall | undefined {
    const call = this.#calls.get(callId);
    this.#calls.delete(callId);
    return call;
  }
}
