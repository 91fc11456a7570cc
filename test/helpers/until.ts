// Waiting for a state, in the one place where a test may look at a clock: it asks again and again,
// soon after the state has come it goes on, and what never comes is named in the failure.

/** longest wait where the caller names none; a test that reaches it has failed */
const TIMEOUT_MS = 30_000;
const POLL_MS = 20;

/** Asks until the answer is neither undefined nor false, and returns it; throws when it is late. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  bounds: { timeoutMs?: number; pollMs?: number } = {},
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, pollMs = POLL_MS } = bounds;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** The pace of a load that a test puts on something, `ms`; never a wait for a state. */
export function pace(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
