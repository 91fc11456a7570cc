// Making room in a conversation: when it is nearly full, what the model is asked, and how one that
// does not even fit that request is made shorter. Pure, so conversations are given and looked at.

import type Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  charsOf,
  isNearlyFull,
  shrunk,
  summaryBlock,
  withCompactionRequest,
} from '../../../activities/model/compaction.ts';
import { extendTranscript } from '../../../activities/model/transcript.ts';
import { thinkingSignature } from '../../../scripted-model/blocks.ts';
import { checkTranscript } from '../../../scripted-model/transcript-rules.ts';
import { COMPACTION_MARKER, SUMMARY_MARKER } from '../../../protocol/limits.ts';
import { PUBLIC_CATALOG } from '../../../protocol/models/public-models.ts';

type Message = Anthropic.MessageParam;
type Block = Anthropic.ContentBlockParam;

const HAIKU = PUBLIC_CATALOG.find('claude-haiku-4-5');
const used = (input: number, output = 0) => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_input_tokens: 0,
  cache_creation_5m_tokens: 0,
  cache_creation_1h_tokens: 0,
});
const user = (...content: Block[]): Message => ({ role: 'user', content });
const text = (value: string): Block => ({ type: 'text', text: value });
const call = (id: string): Message => ({
  role: 'assistant',
  content: [{ type: 'tool_use', id, name: 'bash', input: {} }],
});
const result = (id: string, value: string): Message =>
  user({ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text: value }] });

describe('a conversation is nearly full', () => {
  test('past four fifths of the window, or where the reply would not fit', () => {
    expect(isNearlyFull(HAIKU, used(159_000, 900))).toBe(false);
    expect(isNearlyFull(HAIKU, used(159_000, 1_100))).toBe(true);
  });

  test('never where nobody knows the window', () => {
    expect(isNearlyFull(undefined, used(10_000_000))).toBe(false);
  });
});

describe('the request for a summary', () => {
  test('stands at the end of the last user message, or is one', () => {
    const [only] = withCompactionRequest([user(text('hello'))]);
    expect(only!.content).toMatchObject([
      text('hello'),
      { text: expect.stringMatching(COMPACTION_MARKER) },
    ]);
    const after = withCompactionRequest([user(text('a')), { role: 'assistant', content: 'b' }]);
    expect(after.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  });

  test('stands before a system message, which a reply has to follow', () => {
    const system: Message = { role: 'system', content: [{ type: 'text', text: 'be brief' }] };
    const asked = withCompactionRequest([user(text('hello')), system]);
    expect(asked.map(({ role }) => role)).toEqual(['user', 'system']);
    checkTranscript(asked, true);
  });

  test('stands behind results, in their message', () => {
    const asked = withCompactionRequest([user(text('go')), call('a'), result('a', 'one')]);
    const blocks = asked.at(-1)!.content as Block[];
    expect(blocks.map(({ type }) => type)).toEqual(['tool_result', 'text']);
    checkTranscript(asked, true);
  });

  test('what comes of it begins the conversation, and nothing before it is left', () => {
    const row = { content: null, isError: false, replyContent: null, toolUseId: null };
    const rows = [
      { ...row, seq: 1, position: 1, type: 'user.message', content: [text('old')], summary: null },
      { ...row, seq: 2, position: 2, type: 'agent.thread_context_compacted', summary: 'so far' },
      { ...row, seq: 3, position: 3, type: 'user.message', content: [text('new')], summary: null },
    ];
    expect(extendTranscript([], rows)).toEqual([user(summaryBlock('so far'), text('new'))]);
    expect(summaryBlock('so far')).toEqual(text(`${SUMMARY_MARKER}\nso far`));
  });
});

describe('a conversation that is too long for that', () => {
  test('loses the middle of long texts first', () => {
    const long = [user(text('go')), call('1'), result('1', 'x'.repeat(50_000))];
    const short = shrunk(long, 10_000);
    expect(short).toHaveLength(3);
    expect(charsOf(short)).toBeLessThan(10_000);
    expect(shrunk(long, 1_000_000)).toEqual(long);
  });

  test('then its oldest messages, never a tool use without its result', () => {
    const round = fc.tuple(fc.boolean(), fc.nat({ max: 3000 }));
    fc.assert(
      fc.property(fc.array(round, { maxLength: 30 }), fc.nat({ max: 40_000 }), (rounds, max) => {
        const messages = [user(text('go'))];
        for (const [index, [isMessage, size]] of rounds.entries()) {
          messages.push(call(String(index)), result(String(index), 'x'.repeat(size)));
          if (isMessage) messages.push({ role: 'assistant', content: 'said' }, user(text('more')));
        }
        const short = shrunk(messages, max);
        expect(short.length).toBeGreaterThan(0);
        expect(short[0]!.role).toBe('user');
        const blocks = short.flatMap(({ content }) => content as Block[]);
        const made = blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
        const given = blocks.flatMap((b) => (b.type === 'tool_result' ? [b.tool_use_id] : []));
        expect(given).toEqual(made);
      }),
    );
  });

  const thoughtful = (id: string, size: number): Message[] => {
    const thinking = `about ${id}`;
    const signature = thinkingSignature(thinking);
    const { content } = call(id);
    const thought = { type: 'thinking' as const, thinking, signature };
    return [
      { role: 'assistant', content: [thought, ...(content as Block[])] },
      result(id, 'x'.repeat(size)),
    ];
  };

  test('keeps as many rounds of one long turn as fit, with their thinking as it was', () => {
    const rounds = Array.from({ length: 20 }, (_, at) => thoughtful(`t${at}`, 2000)).flat();
    const kept = shrunk([user(text('go')), ...rounds], 10_000);
    expect(charsOf(kept)).toBeLessThanOrEqual(10_000);
    expect(kept).toEqual([user(text('[…]')), ...rounds.slice(-8)]);
    checkTranscript(withCompactionRequest(kept), true);
  });

  test('keeps the two ends of a single text', () => {
    const [only] = shrunk([user(text(`begin${'x'.repeat(50_000)}end`))], 1000);
    const [block] = only!.content as Anthropic.TextBlockParam[];
    expect(block!.text).toMatch(/^beginx+\n\[…\]\nx+end$/);
  });

  test('is one that a provider takes, whatever is left of it', () => {
    const step = fc.oneof(fc.constantFrom('user', 'say'), fc.integer({ min: 1, max: 9000 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.nat(20_000), (steps, max) => {
        const messages = [user(text('go'))];
        for (const [at, kind] of steps.entries()) {
          const isAfterUser = messages.at(-1)!.role === 'user';
          if (kind === 'user') messages.push(user(text(`${at} ${'x'.repeat(3000)}`)));
          else if (kind === 'say' && isAfterUser) {
            messages.push({ role: 'assistant', content: [text(`${at}`)] });
          } else if (typeof kind === 'number' && isAfterUser) {
            messages.push(...thoughtful(`t${at}`, kind));
          }
        }
        if (messages.at(-1)!.role === 'assistant') messages.push(user(text('and')));
        const kept = shrunk(messages, max);
        checkTranscript(kept, true);
        checkTranscript(withCompactionRequest(kept), true);
      }),
      { numRuns: 300 },
    );
  });
});
