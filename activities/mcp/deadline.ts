// A bound of time around a piece of work, on top of its caller's wish to stop. The signal never
// fires once the work is over: the MCP SDK keeps listening to it, and would cancel a call that has
// ended.

import { McpTimeoutError } from './trouble.ts';

/** Runs `work` with a signal that fires after `ms` or with `caller`, and rejects when it does. */
export async function within<T>(
  ms: number,
  caller: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(caller?.reason);
  const timer = setTimeout(() => stop.abort(new McpTimeoutError(ms)), ms);
  caller?.addEventListener('abort', onAbort, { once: true });
  if (caller?.aborted === true) onAbort();
  try {
    return await orAborted(work(stop.signal), stop.signal);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener('abort', onAbort);
  }
}

/** Waits for `work` until the signal fires, then rejects with its reason; the work goes on. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
