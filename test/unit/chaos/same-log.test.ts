// The judge of the chaos suite, judged: what it may overlook it overlooks, and nothing else.
// Without that, a green table of kills would say nothing.

import { expect, test } from 'vitest';
import { losing, lostPositions, plainLog } from '../../chaos/same-log.ts';
import type { SessionEvent } from '../../helpers/scene.ts';

type Draft = { id: string; type: string } & Record<string, unknown>;

let run = 0;

/** A log of one story; ids and times are new each time, as in a real run. */
function performed(change: (log: Draft[]) => Draft[] = (log) => log): SessionEvent[] {
  run += 1;
  const id = (name: string): string => `sevt_${name}${run}`;
  const at = `2026-01-01T00:00:0${run % 10}.000Z`;
  const log: Draft[] = [
    { id: id('said'), type: 'user.message', content: [{ type: 'text', text: 'go' }] },
    { id: id('start'), type: 'span.model_request_start' },
    { id: id('one'), type: 'agent.tool_use', name: 'bash', input: { command: 'echo 1' } },
    { id: id('two'), type: 'agent.tool_use', name: 'bash', input: { command: 'echo 2' } },
    {
      id: id('end'),
      type: 'span.model_request_end',
      is_error: false,
      model_request_start_id: id('start'),
      model_usage: { output_tokens: 7 },
    },
    { ...result(id('r1'), id('one')), content: [{ type: 'text', text: '1' }] },
    { ...result(id('r2'), id('two')), content: [{ type: 'text', text: '2' }] },
  ];
  const changed = change(log).map((event) => ({ ...event, processed_at: at }));
  return changed as unknown as SessionEvent[];
}

function result(id: string, call: string): Draft {
  return { id, type: 'agent.tool_result', tool_use_id: call, is_error: false };
}

const linesOf = (log: SessionEvent[]): string[] => plainLog(log).lines;

test('two runs of one story are the same log', () => {
  expect(linesOf(performed())).toEqual(linesOf(performed()));
});

test('results of parallel calls may stand in any order', () => {
  const swapped = performed((log) => [...log.slice(0, 5), log[6]!, log[5]!]);
  expect(linesOf(swapped)).toEqual(linesOf(performed()));
});

test.each<[string, (log: Draft[]) => Draft[]]>([
  ['a lost event', (log) => log.toSpliced(5, 1)],
  ['a doubled event', (log) => log.toSpliced(5, 0, { ...log[5]!, id: 'sevt_other' })],
  ['another text', (log) => log.with(5, { ...log[5]!, content: [] })],
  ['another order', (log) => log.toSpliced(1, 0, log.at(-1)!).slice(0, -1)],
  [
    'a result that answers another call',
    (log) => log.with(5, { ...log[5]!, tool_use_id: 'sevt_x' }),
  ],
  ['other token counts', (log) => log.with(4, { ...log[4]!, model_usage: { output_tokens: 8 } })],
])('%s is another log', (_name, change) => {
  expect(linesOf(performed(change))).not.toEqual(linesOf(performed()));
});

test('a cut model request is taken out and counted', () => {
  const cut = performed((log) =>
    log.toSpliced(
      1,
      0,
      { id: 'sevt_cut', type: 'span.model_request_start' },
      {
        id: 'sevt_cutend',
        type: 'span.model_request_end',
        is_error: true,
        model_request_start_id: 'sevt_cut',
      },
    ),
  );
  const { lines, traces } = plainLog(cut);
  expect(lines).toEqual(linesOf(performed()));
  expect(traces).toEqual({ cutRequests: 1, lostCalls: 0 });
});

test('a lost call is the same log only as one that was lost', () => {
  const text = 'The command may have run, wholly or in part.';
  const lost = performed((log) =>
    log.with(6, { ...log[6]!, is_error: true, content: [{ type: 'text', text }] }),
  );
  expect(linesOf(lost)).not.toEqual(linesOf(performed()));
  const positions = lostPositions(lost);
  expect(positions).toEqual([1]);
  const found = plainLog(lost, true);
  expect(found.lines).toEqual(plainLog(losing(performed(), positions), true).lines);
  expect(found.traces.lostCalls).toBe(1);
});

test('what a provider has in its cache is another matter than how much it reads', () => {
  const reading = (usage: object) =>
    performed((log) => log.with(4, { ...log[4]!, model_usage: { output_tokens: 7, ...usage } }));
  const cold = { input_tokens: 1, cache_creation_input_tokens: 5, cache_read_input_tokens: 0 };
  const warm = { input_tokens: 1, cache_creation_input_tokens: 1, cache_read_input_tokens: 4 };
  expect(linesOf(reading(warm))).toEqual(linesOf(reading(cold)));
  const more = { ...warm, input_tokens: 2 };
  expect(linesOf(reading(more))).not.toEqual(linesOf(reading(cold)));
});
