// How much of each request the provider's prompt cache serves: over a turn of thirty rounds, the
// tokens read from the cache over all input tokens, as the model reports them with every reply. The
// counts are the scripted model's, which caches as documented; nothing here depends on time.
import { newTag } from '../model-clock.ts';
import type { Bench, Figures, Row } from '../row.ts';
import { rounds, type Sessions } from '../sessions.ts';
import { median, rounded } from '../statistics.ts';

export const cacheShare: Row = {
  names: ['cache_read_share'],
  about: 'share of input tokens read from the prompt cache, over a turn of 30 rounds',
  measure: measureShare,
};

const ROUNDS = 30;
/** the first request writes the cache, the second reads the tools and the system prompt */
const FROM_ROUND = 3;
const PARALLEL_CALLS = 4;

/** Input tokens of one request, and those of them that came from the cache. */
interface Served {
  total: number;
  read: number;
}

async function measureShare(bench: Bench): Promise<Figures[]> {
  bench.say(`cache_read_share: turns of ${ROUNDS} rounds, with one call and with parallel ones`);
  const sessions = await bench.sessions();
  const single = await requestsOf(sessions, rounds(newTag('cached'), ROUNDS));
  const calls = Array.from({ length: PARALLEL_CALLS }, (_, index) => `$& echo ${index}`);
  const groups = Array.from({ length: ROUNDS }, () => calls.join('\n'));
  const message = [newTag('cached'), ...groups, '= done'].join('\n\n');
  const parallel = await requestsOf(sessions, message);
  await sessions.deleteAll();
  const shares = single.map(({ read, total }) => read / total);
  const counted = shares.slice(FROM_ROUND - 1);
  const parallelShares = parallel.map(({ read, total }) => read / total);
  return [
    {
      name: 'cache_read_share',
      min_share: rounded(Math.min(...counted)),
      median_share: rounded(median(counted)),
      reread_min: rounded(rereadMin(single)),
      parallel_min_share: rounded(Math.min(...parallelShares.slice(FROM_ROUND - 1))),
      parallel_reread_min: rounded(rereadMin(parallel)),
      first_shares: shares.slice(0, FROM_ROUND + 1).map(rounded),
      rounds: ROUNDS,
      from_round: FROM_ROUND,
      parallel_calls: PARALLEL_CALLS,
      baseline_share: 0,
      baseline: 'the plain loop marks nothing to be cached',
      note: 'reread: of what the request before it held, the least share that was read',
    },
  ];
}

/** Of what a request held, the share that the next one read: all of it, if nothing changed. */
function rereadMin(requests: readonly Served[]): number {
  return Math.min(
    ...requests.slice(1).map(({ read }, index) => Math.min(1, read / requests[index]!.total)),
  );
}

/** Plays a turn in a new session; the answer is what each of its requests was served. */
async function requestsOf(sessions: Sessions, message: string): Promise<Served[]> {
  const id = await sessions.create();
  await sessions.play(id, message);
  const served: Served[] = [];
  for await (const event of sessions.client.beta.sessions.events.list(id)) {
    if (event.type !== 'span.model_request_end') continue;
    const usage = event.model_usage;
    const read = usage.cache_read_input_tokens;
    served.push({ read, total: usage.input_tokens + read + usage.cache_creation_input_tokens });
  }
  return served;
}
