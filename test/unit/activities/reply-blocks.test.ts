// What a conversation keeps of a reply: every block as it came where a request may hold it, and the
// next request one that a provider takes, whatever the reply was.

import type Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contentToSend, toolUseIds, usableBlocks } from '../../../activities/model/reply-blocks.ts';
import { StreamedInputs } from '../../../activities/model/streamed-inputs.ts';
import { thinkingSignature } from '../../../scripted-model/blocks.ts';
import { checkTranscript } from '../../../scripted-model/transcript-rules.ts';

const NONE: ReadonlySet<string> = new Set();
const text = (value: string) => ({ type: 'text', text: value });
const use = (id: unknown, name: unknown = 'bash', input: unknown = { command: 'ls' }) => ({
  type: 'tool_use',
  id,
  name,
  input,
});
const thought = (thinking: string) => ({
  type: 'thinking',
  thinking,
  signature: thinkingSignature(thinking),
});
const redacted = { type: 'redacted_thinking', data: 'c2VjcmV0' };

const reply = (content: unknown[], stop = 'end_turn') =>
  ({ content, stop_reason: stop }) as unknown as Anthropic.Message;
const sent = (content: unknown[], stop?: string, taken = NONE) =>
  contentToSend(usableBlocks(reply(content, stop), taken));

describe('thinking', () => {
  test('goes back before a call or a text as it was signed, redacted or not, in its order', () => {
    const content = [thought('one'), redacted, thought(''), text('so'), thought('two'), use('a')];
    expect(sent(content, 'tool_use')).toEqual(content);
    for (const [at, block] of sent(content).entries()) expect(block).toBe(content[at]);
  });

  test.each([
    ['and nothing else', [thought('one'), redacted], []],
    ['after the last word', [text('so'), thought('one')], [text('so')]],
    ['before a blank', [text('so'), redacted, text(' \n')], [text('so')]],
  ])('%s is not sent back, as no message may end with it', (_name, content, kept) => {
    expect(sent(content)).toEqual(kept);
    expect(sent(content, 'max_tokens')).toEqual(kept);
  });

  test('before a call that a limit has cut goes with it', () => {
    expect(sent([thought('one'), use('a')], 'max_tokens')).toEqual([]);
    const cut = [thought('one'), use('a'), use('b')];
    expect(sent(cut, 'model_context_window_exceeded')).toEqual(cut.slice(0, 2));
  });
});

describe('a tool use', () => {
  const ids = (content: unknown[], taken?: ReadonlySet<string>) =>
    sent(content, 'tool_use', taken).map((block) => (block as Anthropic.ToolUseBlock).id);

  test('gets an id of its own where another has it, in this reply or before', () => {
    const taken = new Set(['a', 'a_2']);
    expect(ids([use('a'), use('a'), use('b'), use('b')], taken)).toEqual([
      'a_3',
      'a_4',
      'b',
      'b_2',
    ]);
    expect([...taken]).toEqual(['a', 'a_2']);
  });

  test('gets an id in the form that requests must have', () => {
    expect(ids([use(''), use(undefined), use('call:1'), use('call.1')])).toEqual([
      'toolu',
      'toolu_2',
      'call_1',
      'call_1_2',
    ]);
  });

  test('is sent with a name and an input in that form', () => {
    const odd = [use('a', 'a b'), use('b', ''), use('c', null), use('d', 'x'.repeat(300))];
    expect(sent(odd)).toMatchObject([
      { name: 'a_b' },
      { name: 'unnamed' },
      { name: 'unnamed' },
      { name: 'x'.repeat(128) },
    ]);
    for (const input of [null, 'ls', ['ls'], 1]) {
      expect(sent([use('a', 'bash', input)])).toEqual([use('a', 'bash', {})]);
    }
  });

  test('of earlier messages is known by its id', () => {
    const messages = [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: [text('so'), use('a'), use('b')] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a' }] },
      { role: 'assistant', content: 'text' },
    ] as Anthropic.MessageParam[];
    expect([...toolUseIds(messages)]).toEqual(['a', 'b']);
  });
});

test('whatever a model replies, the next request is one that a provider takes', () => {
  const anyText = fc.oneof(fc.constantFrom('', ' ', '\n\t', '\u00a0', 'so'), fc.string());
  const anyName = fc.oneof(fc.constantFrom('bash', '', 'a b', 'ü', '\0'), fc.string());
  const block = fc.oneof(
    anyText.map(text),
    fc.string().map(thought),
    fc.constant(redacted),
    fc.tuple(fc.constantFrom('a', 'b', '', 'a_2', 'ä'), anyName, fc.jsonValue()).map((parts) => {
      return use(...parts);
    }),
  );
  const stop = fc.constantFrom('end_turn', 'tool_use', 'max_tokens', 'pause_turn', 'refusal');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(block), stop), { maxLength: 5 }), (replies) => {
      const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'go' }];
      for (const [content, stopReason] of replies) {
        const kept = sent(content, stopReason, toolUseIds(messages));
        if (kept.length === 0) continue;
        messages.push({ role: 'assistant', content: kept as never });
        const results = kept.flatMap((each) =>
          each.type === 'tool_use' ? [{ type: 'tool_result' as const, tool_use_id: each.id }] : [],
        );
        const next = { type: 'text' as const, text: 'and' };
        messages.push({ role: 'user', content: [...results, next] });
      }
      checkTranscript(messages, true);
    }),
    { numRuns: 500 },
  );
});

describe('a streamed input', () => {
  function settled(...pieces: string[]): unknown {
    const inputs = new StreamedInputs();
    for (const partial_json of pieces) {
      const delta = { type: 'input_json_delta', partial_json };
      inputs.take({ type: 'content_block_delta', index: 0, delta } as never);
    }
    const message = inputs.settle(reply([use('a', 'bash', { command: 'completed by others' })]));
    return (message.content[0] as Anthropic.ToolUseBlock).input;
  }

  test('is what was said where that is whole', () => {
    expect(settled('{"comm', 'and": "ls"}')).toEqual({ command: 'ls' });
    expect(settled('["ls"]')).toEqual(['ls']);
  });

  test('is no object where it breaks off, however much of it is there', () => {
    expect(settled('{"command": "ls"')).toBe('{"command": "ls"');
  });

  test('is the one its block began with where nothing is streamed', () => {
    expect(settled()).toEqual({ command: 'completed by others' });
    expect(settled('')).toEqual({ command: 'completed by others' });
  });

  test('replaces one that the SDK cannot read', () => {
    const block = use('a');
    Object.defineProperty(block, 'input', {
      configurable: true,
      get: () => {
        throw new SyntaxError('no JSON');
      },
    });
    const inputs = new StreamedInputs();
    const delta = { type: 'input_json_delta', partial_json: '{oops' };
    inputs.take({ type: 'content_block_delta', index: 0, delta } as never);
    expect(inputs.settle(reply([block])).content[0]).toMatchObject({ input: '{oops' });
  });
});
