// The sandbox's beginning and end as activities: up on any host, down on the host that holds it.
// Repeating any of them is harmless: the room below finds what is already there, or already gone.

import { loadSessionEnvironment } from '../store/model-context.ts';
import { markReleased as noteReleased } from '../store/session-life.ts';
import { isHostAlive } from '../store/hosts.ts';
import type { HostInput, SessionRef } from './messages.ts';
import { type ActivityDeps, whileBeating } from './deps.ts';
import { sandboxSpec } from './run-tool.ts';

/** Brings the session's sandbox up on this machine and names the machine. Idempotent. */
export async function provisionSandbox(
  deps: ActivityDeps,
  input: SessionRef,
): Promise<{ hostId: string }> {
  const { sandbox, hostId } = deps;
  if (sandbox === undefined) throw new Error('this worker runs no sandboxes');
  const environment = await loadSessionEnvironment(deps.sql, input.sessionId);
  if (environment !== null) {
    await whileBeating(() => sandbox.provision(sandboxSpec(input.sessionId, environment)));
  }
  return { hostId };
}

/** Removes the session's sandbox from this machine. Idempotent. */
export async function releaseSandbox(deps: ActivityDeps, input: SessionRef): Promise<void> {
  await deps.sandbox?.release(input.sessionId);
}

/** Lets go of the rest of an ended session, and notes that nothing of it is left. */
export async function markReleased(deps: ActivityDeps, input: SessionRef): Promise<void> {
  await deps.mcp.forget(input.sessionId);
  await noteReleased(deps.sql, input.sessionId);
}

/** Whether a machine is still heard of, for a call that nobody took from its queue. */
export async function findHost(
  deps: ActivityDeps,
  input: HostInput,
): Promise<{ isAlive: boolean }> {
  return { isAlive: await isHostAlive(deps.sql, input.hostId) };
}
