// The row that the project is judged by: the time between the end of a model response that asks for
// one command and the next model request. Blocks of rounds alternate with the plain loop's; then
// one long turn each shows whether a round gets slower with the length of the conversation.
import { gapsOf, newTag, requestsOf } from './model-clock.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { rounds } from './sessions.ts';
import { inPairs, median, percentile, rounded } from './statistics.ts';

export const stepGap: Row = {
  names: ['step_gap'],
  about: 'end of a model response with one bash call → next model request',
  measure: measureStepGap,
};

async function measureStepGap(bench: Bench): Promise<Figures[]> {
  const [pairs, block, long] = [size(bench, 10, 4), size(bench, 40, 25), size(bench, 1_000, 200)];
  bench.say(`step_gap: ${pairs} pairs of ${block} rounds`);
  // Both sides once unmeasured: V8 compiles what is hot in the first rounds.
  await playOurs(bench, block);
  await playPlain(bench, block);
  const ours: number[][] = [];
  const plain: number[][] = [];
  await inPairs(
    pairs,
    async () => void ours.push(await playOurs(bench, block)),
    async () => void plain.push(await playPlain(bench, block)),
  );
  bench.say(`step_gap: one turn of ${long} rounds, and the plain loop's`);
  const longOurs = await playOurs(bench, long);
  const longPlain = await playPlain(bench, long);
  await (await bench.sessions()).deleteAll();
  const ratios = ours.map((gaps, pair) => median(gaps) / median(plain[pair]!));
  const [p50, baseline] = [median(ours.flat()), median(plain.flat())];
  return [
    {
      name: 'step_gap',
      p50_ms: rounded(p50),
      p95_ms: rounded(percentile(ours.flat(), 0.95)),
      baseline_p50_ms: rounded(baseline),
      baseline_p95_ms: rounded(percentile(plain.flat(), 0.95)),
      ratio: rounded(p50 / baseline),
      slope: rounded(slope(longOurs)),
      baseline_slope: rounded(slope(longPlain)),
      pair_ratios: ratios.map(rounded),
      long_rounds: long,
      long_p50_ms: rounded(median(longOurs)),
      long_baseline_p50_ms: rounded(median(longPlain)),
      pairs,
      block_rounds: block,
    },
  ];
}

/**
 * p50 of the last tenth over p50 of the first: rounds 900 to 1,000 over 1 to 100 at full length.
 */
function slope(gaps: readonly number[]): number {
  const tenth = Math.floor(gaps.length / 10);
  return median(gaps.slice(-tenth)) / median(gaps.slice(0, tenth));
}

async function playOurs(bench: Bench, count: number): Promise<number[]> {
  const [server, sessions] = [await bench.server(), await bench.sessions()];
  const tag = newTag('ours');
  await sessions.play(await sessions.create(), rounds(tag, count));
  return gapsOf(await requestsOf(server.modelUrl, tag));
}

async function playPlain(bench: Bench, count: number): Promise<number[]> {
  const [server, plain] = [await bench.server(), await bench.plain()];
  const tag = newTag('plain');
  await plain.play([rounds(tag, count)]);
  return gapsOf(await requestsOf(server.modelUrl, tag));
}
