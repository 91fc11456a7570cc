// How much of each request the provider's prompt cache serves: over a turn of thirty rounds, the
// tokens read from the cache over all input tokens, as the model reports them with every reply. The
// counts are the scripted model's, which caches as documented; nothing here depends on time.
import { newTag } from '../model-clock.ts';
import { type Bench, type Figures, type Row, size } from '../row.ts';
import { rounds, type Sessions } from '../sessions.ts';
import { median, rounded } from '../statistics.ts';

export const cacheShare: Row = {
  names: ['cache_read_share'],
  about: 'share of input tokens read from the prompt cache, over a turn of 30 rounds',
  measure: measureShare,
};

/** the first request writes the cache, the second reads the tools and the system prompt */
const FROM_ROUND = 3;
const PARALLEL_CALLS = 4;

async function measureShare(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 30, 30);
  bench.say(`cache_read_share: turns of ${count} rounds, with one call and with parallel ones`);
  const sessions = await bench.sessions();
  const single = await sharesOf(sessions, rounds(newTag('cached'), count));
  const calls = Array.from({ length: PARALLEL_CALLS }, (_, index) => `$& echo ${index}`);
  const groups = Array.from({ length: count }, () => calls.join('\n'));
  const parallel = await sharesOf(sessions, [newTag('cached'), ...groups, '= done'].join('\n\n'));
  await sessions.deleteAll();
  const counted = single.slice(FROM_ROUND - 1);
  return [
    {
      name: 'cache_read_share',
      min_share: rounded(Math.min(...counted)),
      median_share: rounded(median(counted)),
      parallel_min_share: rounded(Math.min(...parallel.slice(FROM_ROUND - 1))),
      first_shares: single.slice(0, FROM_ROUND + 1).map(rounded),
      rounds: count,
      from_round: FROM_ROUND,
      baseline_share: 0,
      baseline: 'the plain loop marks nothing to be cached',
    },
  ];
}

/** Plays a turn in a new session; of each of its requests the share that was read. */
async function sharesOf(sessions: Sessions, message: string): Promise<number[]> {
  const id = await sessions.create();
  await sessions.play(id, message);
  const shares: number[] = [];
  for await (const event of sessions.client.beta.sessions.events.list(id)) {
    if (event.type !== 'span.model_request_end') continue;
    const { input_tokens, cache_read_input_tokens: read } = event.model_usage;
    shares.push(read / (input_tokens + read + event.model_usage.cache_creation_input_tokens));
  }
  return shares;
}
