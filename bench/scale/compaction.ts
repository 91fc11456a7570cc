// A conversation that grows past 150,000 tokens is compacted and goes on: how long the step takes,
// and what the next round costs beside one just before it. Times are the scripted model's own; what
// was said and run is read from the session's history, and the row fails unless all of it is there.
import type { SessionEvent } from '../../protocol/events.ts';
import { type ModelRequestTimes, newestSeq, newTag, requestsAfter } from '../model-clock.ts';
import { type Bench, type Figures, type Row, size } from '../row.ts';
import { Sessions } from '../sessions.ts';
import { median, rounded } from '../statistics.ts';

export const compaction: Row = {
  names: ['compaction_150k'],
  about: 'a conversation of 150,000 tokens is compacted: the step, and the round after it',
  measure: measureCompaction,
};

/** its window in the catalog is 200,000 tokens, of which 160,000 may be used */
const MODEL = 'claude-haiku-4-5';
/** the scripted model's own window: what is to be compacted still fits, it is not shortened */
const WINDOW_TOKENS = 180_000;
/** 10,000 tokens by the scripted model's estimate; three quarters of what stays in a result */
const OUTPUT_CHARS = 40_000;
const BIG_ROUNDS = 17;
const ROUNDS_AFTER = 12;
const TOKENS_WANTED = 150_000;
/** rounds whose median stands for those before */
const COMPARED_ROUNDS = 10;
const LAST_WORDS = 'All of it ran.';

interface Tokens {
  tokensBefore: number;
  tokensAfter: number;
  /** of the request for the summary, the share that the prompt cache served */
  readShare: number;
}

interface Compaction extends Tokens {
  /** the request for the summary arrives → the next ordinary one arrives, `ms` */
  stepMs: number;
  /** of which the model's answer, `ms` */
  modelMs: number;
  /** one request's arrival → the next one's, `ms` */
  roundsBeforeMs: number[];
  roundsAfterMs: number[];
}

async function measureCompaction(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 3, 1);
  bench.say(`compaction_150k: ${count} turns of ${BIG_ROUNDS + ROUNDS_AFTER} rounds`);
  const sessions = await Sessions.open(await bench.server(), { model: MODEL });
  const found: Compaction[] = [];
  for (let index = 0; index < count; index += 1) found.push(await compactOnce(bench, sessions));
  await sessions.deleteAll();
  const before = median(found.flatMap(({ roundsBeforeMs }) => roundsBeforeMs));
  const after = median(found.flatMap(({ roundsAfterMs }) => roundsAfterMs));
  return [
    {
      name: 'compaction_150k',
      p50_ms: rounded(median(found.map(({ stepMs }) => stepMs))),
      baseline_p50_ms: rounded(before),
      ratio: rounded(median(found.map(({ stepMs }) => stepMs)) / before),
      max_ms: rounded(Math.max(...found.map(({ stepMs }) => stepMs))),
      model_ms: rounded(median(found.map(({ modelMs }) => modelMs))),
      round_before_ms: rounded(before),
      round_after_ms: rounded(after),
      next_round_ratio: rounded(after / before),
      tokens_before: Math.min(...found.map(({ tokensBefore }) => tokensBefore)),
      tokens_after: Math.max(...found.map(({ tokensAfter }) => tokensAfter)),
      summary_read_share: rounded(Math.min(...found.map(({ readShare }) => readShare))),
      goes_on_to_its_end: true,
      compactions: count,
      baseline: 'a round just before the compaction',
    },
  ];
}

async function compactOnce(bench: Bench, sessions: Sessions): Promise<Compaction> {
  const { modelUrl } = await bench.server();
  const id = await sessions.create();
  await sessions.play(id, '$ echo the sandbox is there');
  const seq = await newestSeq(modelUrl);
  await sessions.play(id, program());
  const requests = await requestsAfter(modelUrl, seq);
  const events: SessionEvent[] = [];
  for await (const event of sessions.client.beta.sessions.events.list(id)) events.push(event);
  const { at, ...tokens } = expectWhole(events.slice(firstOfTurn(events)));
  const arrivals = requests.map(({ received_at_ms }) => received_at_ms);
  const summary = requests[at] as ModelRequestTimes;
  const rounds = (from: number, to: number): number[] =>
    arrivals.slice(from, to).map((arrival, index) => arrival - arrivals[from + index - 1]!);
  return {
    ...tokens,
    stepMs: arrivals[at + 1]! - summary.received_at_ms,
    modelMs: summary.ended_at_ms! - summary.received_at_ms,
    roundsBeforeMs: rounds(at - COMPARED_ROUNDS, at),
    roundsAfterMs: rounds(at + 2, at + 2 + COMPARED_ROUNDS),
  };
}

function program(): string {
  const big = `$ head -c ${OUTPUT_CHARS} /dev/zero | tr '\\0' x`;
  const after = Array.from({ length: ROUNDS_AFTER }, (_, index) => `$ echo after ${index}`);
  const lines = [...Array.from({ length: BIG_ROUNDS }, () => big), ...after];
  return [newTag('big'), `# window ${WINDOW_TOKENS}`, ...lines, `= ${LAST_WORDS}`].join('\n');
}

function firstOfTurn(events: readonly SessionEvent[]): number {
  return events.findLastIndex(({ type }) => type === 'user.message');
}

/** Throws unless the turn was compacted once, ran everything once, and said its last words. */
function expectWhole(events: readonly SessionEvent[]): Tokens & {
  /** which of the turn's model requests asked for the summary, from 0 */
  at: number;
} {
  const spans = events.flatMap((event) => (event.type === 'span.model_request_end' ? [event] : []));
  const marks = events.filter(({ type }) => type === 'agent.thread_context_compacted');
  const at = spans.findIndex((span) => events[events.indexOf(span) + 1] === marks[0]);
  const outputs = events.flatMap((event) => {
    if (event.type !== 'agent.tool_result') return [];
    return (event.content ?? []).map((block) => (block.type === 'text' ? block.text : ''));
  });
  const expected = [
    ...Array.from({ length: BIG_ROUNDS }, () => 'x'.repeat(OUTPUT_CHARS)),
    ...Array.from({ length: ROUNDS_AFTER }, (_, index) => `after ${index}`),
  ];
  const said = events.findLast(({ type }) => type === 'agent.message');
  const problems = [
    marks.length === 1 && at > 0 ? [] : [`${marks.length} compactions`],
    outputs.map((text) => text.trimEnd()).join() === expected.join()
      ? []
      : [`results of ${outputs.map((text) => text.length).join(', ')} characters`],
    JSON.stringify(said).includes(LAST_WORDS) ? [] : ['its last words are missing'],
    events.some(({ type }) => type === 'session.error') ? ['an error'] : [],
  ].flat();
  const tokens = spans.map(({ model_usage: usage }) => {
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = usage;
    return input_tokens + cache_read_input_tokens + cache_creation_input_tokens;
  });
  const [tokensBefore = 0, tokensAfter = 0] = [tokens[at - 1], tokens[at + 1]];
  if (tokensBefore < TOKENS_WANTED) problems.push(`only ${tokensBefore} tokens before it`);
  if (tokensAfter > tokensBefore / 2) problems.push(`still ${tokensAfter} tokens after it`);
  if (problems.length > 0) throw new Error(`the compacted turn: ${problems.join('; ')}`);
  const { cache_read_input_tokens: read } = spans[at]!.model_usage;
  return { tokensBefore, tokensAfter, readShare: read / tokens[at]!, at };
}
