// Events as model messages: order, roles, and what a warm worker sends beside a cold one.
// The same bytes must be sent by both, or the provider's prompt cache would miss.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TranscriptCache } from '../../../activities/model/transcript-cache.ts';
import { extendTranscript, withCacheBreakpoints } from '../../../activities/model/transcript.ts';
import type { TranscriptRow } from '../../../store/model-context.ts';

let seq = 0;
function row(fields: Partial<TranscriptRow>): TranscriptRow {
  seq += 1;
  return {
    seq,
    position: seq,
    type: 'user.message',
    content: null,
    isError: false,
    replyContent: null,
    toolUseId: null,
    summary: null,
    ...fields,
  };
}
const user = (text: string) => row({ content: [{ type: 'text', text }] });
const reply = (...blocks: unknown[]) => row({ type: 'agent.message', replyContent: blocks });
const use = (id: string) => ({ type: 'tool_use', id, name: 'bash', input: {} });
const result = (id: string, isError = false) =>
  row({
    type: 'agent.tool_result',
    content: [{ type: 'text', text: id }],
    toolUseId: id,
    isError,
  });

test('parallel results stand in one message, a steering message after them', () => {
  const rows = [user('go'), reply(use('a'), use('b')), result('a'), result('b', true), user('and')];
  const messages = extendTranscript([], rows);
  expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
  expect(messages[2]?.content).toEqual([
    { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'a' }] },
    {
      type: 'tool_result',
      tool_use_id: 'b',
      content: [{ type: 'text', text: 'b' }],
      is_error: true,
    },
    { type: 'text', text: 'and' },
  ]);
});

test('the provider’s blocks go back exactly as they came', () => {
  const thinking = { type: 'thinking', thinking: 'hm', signature: 'c2ln' };
  const messages = extendTranscript([], [user('go'), reply(thinking, use('a'))]);
  expect(messages[1]).toEqual({ role: 'assistant', content: [thinking, use('a')] });
});

test('a summary takes the place of all thinking before it, what is signed later stays', () => {
  const signed = (signature: string) => ({ type: 'thinking', thinking: 'hm', signature });
  const summary = row({ type: 'agent.thread_context_compacted', summary: 'so far' });
  const before = [user('go'), reply(signed('earlier'), use('a')), result('a')];
  const redacted = { type: 'redacted_thinking', data: 'c2Vj' };
  const after = [reply(signed('new'), redacted, use('b')), result('b')];
  const messages = extendTranscript([], [...before, summary, ...after]);
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  expect(messages[1]?.content).toEqual([signed('new'), redacted, use('b')]);
  expect(JSON.stringify(messages)).not.toContain('earlier');
});

test('messages that follow an interrupted reply are one message of the user', () => {
  const messages = extendTranscript([], [user('one'), user('two')]);
  expect(messages).toEqual([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'one' },
        { type: 'text', text: 'two' },
      ],
    },
  ]);
});

test('a result that names no tool use is a mistake of ours', () => {
  const orphan = row({ type: 'agent.tool_result', content: [] });
  expect(() => extendTranscript([], [orphan])).toThrow('names no tool use');
});

test('the newest two user messages carry the cache marks, and nothing before them changes', () => {
  const rows = [user('1'), reply(use('a')), result('a'), reply(use('b')), result('b')];
  const plain = extendTranscript([], rows);
  const marked = withCacheBreakpoints(plain);
  const marks = marked.map((message) => JSON.stringify(message).includes('cache_control'));
  expect(marks).toEqual([false, false, true, false, true]);
  expect(marked[0]).toBe(plain[0]);
  expect(JSON.stringify(plain)).not.toContain('cache_control');
});

test('a worker that remembers sends what a worker that reads everything sends', () => {
  const kind = fc.constantFrom('user', 'reply', 'result');
  fc.assert(
    fc.property(fc.array(fc.array(kind, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
      const warm = new TranscriptCache();
      const all: TranscriptRow[] = [];
      for (const batch of batches) {
        const known = warm.find('sthr_1');
        for (const name of batch) {
          const id = `u${all.length}`;
          all.push(name === 'user' ? user(id) : name === 'reply' ? reply(use(id)) : result(id));
        }
        const waiting = row({ content: [{ type: 'text', text: 'waits' }], position: null });
        const news = all.filter((one) => one.position! > known.position);
        const sent = warm.extend('sthr_1', known, [...news, waiting]);
        expect(sent).toEqual(new TranscriptCache().extend('x', warm.find('x'), [...all, waiting]));
      }
    }),
    { numRuns: 200 },
  );
});

test('a result that is an error holds nothing but text', () => {
  const image = { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } };
  const found = { type: 'search_result', content: [{ type: 'text', text: 'found' }] };
  const content = [{ type: 'text', text: 'half' }, image, found];
  const failed = row({ type: 'user.custom_tool_result', content, toolUseId: 'a', isError: true });
  const messages = extendTranscript([], [user('go'), reply(use('a')), failed]);
  expect(messages.at(-1)?.content).toMatchObject([
    { is_error: true, content: [{ text: 'half' }, { text: '[image]' }, { text: 'found' }] },
  ]);
});

test('a result without words is sent without a text, an error with a word of ours', () => {
  const silent = (isError: boolean) => {
    const content = [{ type: 'text', text: ' ' }];
    const said = row({ type: 'agent.mcp_tool_result', content, toolUseId: 'a', isError });
    return extendTranscript([], [user('go'), reply(use('a')), said]).at(-1)?.content;
  };
  expect(silent(false)).toMatchObject([{ content: [] }]);
  expect(silent(true)).toMatchObject([{ content: [{ text: '(no output)' }], is_error: true }]);
});

test('a system message stands behind the turn it goes with, whatever was said in between', () => {
  const system = (text: string) =>
    row({ type: 'system.message', content: [{ type: 'text', text }] });
  const roles = (rows: TranscriptRow[]) => extendTranscript([], rows).map(({ role }) => role);
  expect(roles([user('1'), system('s')])).toEqual(['user', 'system']);
  expect(roles([user('1'), system('s'), user('2')])).toEqual(['user', 'system']);
  expect(roles([system('s'), user('1')])).toEqual(['user', 'system']);
  const later = [user('1'), reply(use('a')), result('a'), system('s'), reply(use('b'))];
  expect(roles(later)).toEqual(['user', 'assistant', 'user', 'system', 'assistant']);
});
