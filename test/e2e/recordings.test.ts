// Recorded conversations with the hosted service, played against this server: status codes,
// headers, id shapes, null against absent. What may differ is test/helpers/known-differences.ts,
// with causes; every recording is played or named there, and every row there is needed.

import { describe, expect, inject, it } from 'vitest';
import { KNOWN_DIFFERENCES, NOT_PLAYED, UNJUDGED_HEADERS } from '../helpers/known-differences.ts';
import {
  readRecording,
  RECORDINGS,
  replayRecording,
  type Replay,
  sendRecorded,
} from '../helpers/recordings.ts';
import { until } from '../helpers/until.ts';

const { url, apiKey } = inject('server');

/** The hosted session was idle by the time it was archived; ours is read and ended at rest. */
async function untilIdle(method: string, path: string): Promise<void> {
  const session = /^\/v1\/sessions\/[^/]+/.exec(path)?.[0];
  const reads = method === 'GET' && path.endsWith('/events');
  const ends = method === 'DELETE' || path.endsWith('/archive');
  if (session === undefined || !(reads || ends)) return;
  const headers = { 'x-api-key': apiKey, 'anthropic-beta': 'managed-agents-2026-04-01' };
  // Its status turns running a moment after the send, so it is the end of the turn that counts.
  const ended = `${session}/events?types[]=session.status_idle&types[]=session.status_terminated`;
  await until('the turn is over', async () => {
    const answer = await fetch(url + ended, { headers });
    return ((await answer.json()) as { data: unknown[] }).data.length > 0;
  });
}

const target = { baseUrl: url, apiKey, before: untilIdle };
const played = RECORDINGS.filter((name) => NOT_PLAYED[name] === undefined);
const replays: Replay[] = [];

describe('what the hosted service was recorded to answer', () => {
  it.each(played)('%s is answered alike', async (name) => {
    const replay = await replayRecording(name, target);
    replays.push(replay);
    expect(replay.differences).toEqual([]);
  });

  it('every known difference of what was played is one', () => {
    const routes = replays.flatMap((replay) => replay.routes);
    const needless = KNOWN_DIFFERENCES.filter(
      (known) =>
        routes.some((route) => known.route.test(route)) &&
        !replays.some(({ met }) => met.has(known)),
    );
    expect(replays).toHaveLength(played.length);
    expect(needless).toEqual([]);
  });

  it('every header that is not judged was there', () => {
    const recorded = RECORDINGS.flatMap(readRecording);
    const names = new Set(recorded.flatMap((exchange) => exchange.response_header_names));
    expect([...UNJUDGED_HEADERS].filter((name) => !names.has(name))).toEqual([]);
  });

  it.each(Object.keys(NOT_PLAYED))(
    '%s is left out because its route is not there',
    async (name) => {
      const [first] = readRecording(name);
      const response = await sendRecorded(first!, target);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { type: 'not_found_error' } });
    },
  );
});
