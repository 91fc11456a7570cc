// A recorded conversation with the hosted service, played against this server: status codes,
// headers, id shapes, null against absent. What may differ is test/helpers/known-differences.ts,
// with causes.

import { describe, expect, inject, it } from 'vitest';
import { replayRecording } from '../helpers/recordings.ts';
import { until } from '../helpers/until.ts';

const { url, apiKey } = inject('server');

/** The hosted session was idle by the time it was archived; ours is waited for. */
async function untilIdle(method: string, path: string): Promise<void> {
  const session = /^(\/v1\/sessions\/[^/]+)(\/archive)?$/.exec(path)?.[1];
  const ends = method === 'DELETE' || path.endsWith('/archive');
  if (session === undefined || !ends) return;
  const headers = { 'x-api-key': apiKey, 'anthropic-beta': 'managed-agents-2026-04-01' };
  // Its status turns running a moment after the send, so it is the end of the turn that counts.
  const ended = `${session}/events?types[]=session.status_idle&types[]=session.status_terminated`;
  await until('the turn is over', async () => {
    const answer = await fetch(url + ended, { headers });
    return ((await answer.json()) as { data: unknown[] }).data.length > 0;
  });
}

describe('what the hosted service was recorded to answer', () => {
  it('the life of agent, environment and session is answered alike', async () => {
    const target = { baseUrl: url, apiKey, before: untilIdle };
    expect(await replayRecording('live_managed_agents_full_cycle', target)).toEqual([]);
  });
});
