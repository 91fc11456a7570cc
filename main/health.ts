// Whether the parts a process stands on answer, each by its own small request within two seconds.
// Promise: never throws and never takes longer; what is wrong is one sentence a part.
import { HEALTH_CHECK_MS } from '../protocol/limits.ts';
import type { HealthReport } from '../api/deps.ts';

/** Rejects, or resolves when the part works. */
export type PartCheck = () => Promise<unknown>;

/** Asks every part at once. */
export async function checkParts(
  checks: Readonly<Record<string, PartCheck>>,
): Promise<HealthReport> {
  const names = Object.keys(checks);
  const states = await Promise.all(Object.values(checks).map(stateOf));
  return {
    ok: states.every((state) => state === 'ok'),
    parts: Object.fromEntries(names.map((name, index) => [name, states[index] ?? 'unknown'])),
  };
}

async function stateOf(check: PartCheck): Promise<string> {
  const late = `no answer within ${HEALTH_CHECK_MS} ms`;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(late)), HEALTH_CHECK_MS);
  try {
    await Promise.race([check(), promise]);
    return 'ok';
  } catch (error) {
    return sentence(error);
  } finally {
    clearTimeout(timer);
  }
}

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection to several addresses of one name has its reasons inside.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = inner instanceof Error ? inner.message : String(inner);
  return (message.split('\n')[0] ?? '') || error.name;
}
