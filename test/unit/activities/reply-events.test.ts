// A model's reply as events, and the previews that run ahead of it.
// Both are pure, so a reply is given and the events are looked at.

import type Anthropic from '@anthropic-ai/sdk';
import {
  type AccumulatedEvent,
  accumulateManagedAgentsEvent,
} from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { expect, test } from 'vitest';
import { pricedUsage } from '../../../activities/model/priced-usage.ts';
import { replyEvents, replyEventId } from '../../../activities/model/reply-events.ts';
import type { BookedTool } from '../../../activities/model/tools.ts';
import { PreviewWriter } from '../../../activities/model/preview-writer.ts';
import { PUBLIC_CATALOG } from '../../../protocol/models/public-models.ts';
import { localPreviews, type PreviewFrame } from '../../../store/previews.ts';

const CONTEXT = {
  sessionId: 'sesn_1',
  threadId: 'sthr_1',
  key: 't1.r1.a1',
  tools: new Map<string, BookedTool>([
    ['bash', { name: 'bash', runsIn: 'sandbox', policy: 'always_allow' }],
    ['ask_me', { name: 'ask_me', runsIn: 'client', policy: 'always_allow' }],
    ['mcp__m__t', { name: 't', server: 'm', runsIn: 'mcp', policy: 'always_ask' }],
  ]),
  verdicts: new Map(),
  takenIds: new Set<string>(),
  redact: (value: string) => value.replaceAll('hunter2', '[redacted]'),
};

function message(content: unknown[], stop: string = 'end_turn'): Anthropic.Message {
  return { content, stop_reason: stop } as unknown as Anthropic.Message;
}
const text = (value: string) => ({ type: 'text', text: value });
const bash = (id: string, command: string) => ({
  type: 'tool_use',
  id,
  name: 'bash',
  input: { command },
});
const thought = { type: 'thinking', thinking: 'hm', signature: 's' };
const hidden = { type: 'redacted_thinking', data: 'c2VjcmV0' };

/** What is published while a provider streams these blocks, each text in one piece. */
function previewsOf(blocks: unknown[]): PreviewFrame[] {
  const hub = localPreviews();
  const frames: PreviewFrame[] = [];
  hub.subscribe(CONTEXT.sessionId, (frame) => frames.push(frame));
  const writer = new PreviewWriter(hub, CONTEXT, 7);
  for (const [index, block] of (blocks as { type: string; text?: string }[]).entries()) {
    const empty = block.type === 'text' ? { ...block, text: '' } : block;
    const delta = { type: 'text_delta', text: block.text };
    const events = [{ type: 'content_block_start', index, content_block: empty }] as unknown[];
    if (block.type === 'text') events.push({ type: 'content_block_delta', index, delta });
    for (const event of events) writer.take(event as Anthropic.RawMessageStreamEvent);
  }
  writer.close();
  return frames;
}

const types = (reply: { events: { body: { type: string } }[] }) =>
  reply.events.map((event) => event.body.type);

test('neighbouring texts are one message, thinking and tool uses stand alone', () => {
  const reply = replyEvents(message([thought, text('a'), text('b'), bash('t', 'ls')]), CONTEXT);
  expect(types(reply)).toEqual(['agent.thinking', 'agent.message', 'agent.tool_use']);
  expect(reply.events[1]?.body.content).toEqual([text('a'), text('b')]);
  expect(JSON.stringify(reply.events.map((event) => event.body))).not.toContain('hm');
});

test('the exact blocks ride on the first event and the provider’s id on its tool use', () => {
  const blocks = [bash('toolu_1', 'ls'), bash('toolu_2', 'pwd')];
  const reply = replyEvents(message(blocks), CONTEXT);
  expect(reply.events[0]?.private).toEqual({ tool_use_id: 'toolu_1', content: blocks });
  expect(reply.events[1]?.private).toEqual({ tool_use_id: 'toolu_2' });
});

test('a call is summarised in 80 characters, and not at all with previews off', () => {
  const long = message([bash('t', `echo ${'x'.repeat(200)}`)]);
  const [call] = replyEvents(long, CONTEXT).calls;
  expect(call?.summary).toHaveLength(80);
  expect(call?.summary).toMatch(/^bash · echo xxx/);
  expect(replyEvents(long, { ...CONTEXT, redact: null }).calls[0]).not.toHaveProperty('summary');
});

test('a secret is taken out of a summary before the cut, so that no half of it stays', () => {
  const secret = message([bash('t', `${'x'.repeat(70)}hunter2`)]);
  expect(replyEvents(secret, CONTEXT).calls[0]?.summary).not.toContain('hun');
});

test('a tool that is not enabled is denied and answered at once', () => {
  const reply = replyEvents(message([{ ...bash('t', ''), name: 'write' }]), CONTEXT);
  expect(types(reply)).toEqual(['agent.tool_use', 'agent.tool_result']);
  expect(reply.events[0]?.body).toMatchObject({ evaluated_permission: 'deny' });
  expect(reply.events[0]?.body).not.toHaveProperty('evaluation');
  expect(reply.events[1]?.body).toMatchObject({ is_error: true });
  expect(reply.calls).toEqual([]);
});

test.each([
  ['bash', 'agent.tool_use', 'agent.tool_result'],
  ['mcp__m__t', 'agent.mcp_tool_use', 'agent.mcp_tool_result'],
  ['ask_me', 'agent.custom_tool_use', 'user.custom_tool_result'],
])('a call of %s whose input is no object is not made, and answered at once', (name, ...kinds) => {
  const reply = replyEvents(message([{ ...bash('t', ''), name, input: ['ls'] }]), CONTEXT);
  expect(types(reply)).toEqual(kinds);
  expect(reply.calls).toEqual([]);
  const [asked, answered] = reply.events;
  expect(asked?.body).toMatchObject({ input: {} });
  expect(asked?.body).not.toHaveProperty('evaluation');
  expect(answered?.body).toMatchObject({ is_error: true });
  expect(answered?.private).toEqual({ tool_use_id: 't' });
});

test('a call is answered under the id that the conversation has for it', () => {
  const calls = [bash('t', 'ls'), { ...bash('t', ''), name: 'no tool' }];
  const { events } = replyEvents(message(calls), { ...CONTEXT, takenIds: new Set(['t']) });
  expect(events.map((event) => event.private)).toMatchObject([
    { tool_use_id: 't_2', content: [{ id: 't_2' }, { id: 't_3', name: 'no_tool' }] },
    { tool_use_id: 't_3' },
    { tool_use_id: 't_3' },
  ]);
  expect(events[1]?.body).toMatchObject({ name: 'no tool' });
});

test('thinking that leads to nothing is an event, and nothing to go on from', () => {
  const { events } = replyEvents(message([thought, text(' ')], 'max_tokens'), CONTEXT);
  expect(events.map(({ body }) => body.type)).toEqual(['agent.thinking']);
  expect(events[0]).not.toHaveProperty('private');
});

test('a tool use cut by the token limit is dropped, a refusal leaves nothing', () => {
  expect(types(replyEvents(message([text('a'), bash('t', 'l')], 'max_tokens'), CONTEXT))).toEqual([
    'agent.message',
  ]);
  expect(types(replyEvents(message([text('a')], 'refusal'), CONTEXT))).toEqual([]);
});

test.each<[string, unknown[], string[]]>([
  ['before a message', [text(''), text('a')], ['agent.message']],
  ['before a thought', [text(''), thought, text('a')], ['agent.thinking', 'agent.message']],
  ['within a message', [text('a'), text(''), text('b')], ['agent.message']],
  ['at the end', [text('a'), text('')], ['agent.message']],
  ['between two kinds', [thought, text(''), thought], ['agent.thinking', 'agent.thinking']],
  ['and nothing else', [text('')], []],
  ['that is blank, and nothing else', [text(' \n')], []],
  ['that is blank before a message', [text('\n'), text('a')], ['agent.message']],
  ['that is blank within a message', [text('a'), text('\t'), text(' b')], ['agent.message']],
  [
    'that is blank after redacted thinking',
    [hidden, text(' '), text('a')],
    ['agent.thinking', 'agent.message'],
  ],
  [
    'that is blank before redacted thinking',
    [text(' '), hidden, text('a')],
    ['agent.thinking', 'agent.message'],
  ],
])('an empty text %s does not part the previews from their events', (_, blocks, expected) => {
  const frames = previewsOf(blocks);
  const reply = replyEvents(message(blocks), CONTEXT);
  expect(types(reply)).toEqual(expected);
  const started = frames.filter(({ event }) => event.type === 'event_start');
  expect(started.map(({ of, eventId }) => [of, eventId])).toEqual(
    reply.events.map(({ id, body }) => [body.type, id]),
  );
  for (const { id, body } of reply.events) {
    if (body.type !== 'agent.message') continue;
    // The official accumulator throws where an index is skipped.
    const shown = frames
      .filter(({ eventId }) => eventId === id)
      .reduce<AccumulatedEvent | undefined>(
        (snapshot, { event }) => accumulateManagedAgentsEvent(snapshot, event as never),
        undefined,
      );
    expect(shown?.content).toEqual(body.content);
  }
});

test('blanks that a text begins with are shown with its first words', () => {
  const hub = localPreviews();
  const pieces: unknown[] = [];
  hub.subscribe(CONTEXT.sessionId, ({ event }) => pieces.push(event.delta));
  const writer = new PreviewWriter(hub, CONTEXT, 7);
  const index = 3;
  writer.take({ type: 'content_block_start', index, content_block: text('\n') } as never);
  for (const piece of [' ', '\n', 'Hello', ' you']) {
    const delta = { type: 'text_delta', text: piece };
    writer.take({ type: 'content_block_delta', index, delta } as never);
    if (piece !== ' you') expect(pieces).toHaveLength(piece === 'Hello' ? 2 : 0);
  }
  writer.close();
  expect(pieces.slice(1)).toMatchObject([
    { content: { text: '\n \nHello' } },
    { content: { text: ' you' } },
  ]);
});

test('two attempts never give one id', () => {
  const first = replyEventId(CONTEXT, 'agent.message', 0);
  expect(replyEventId({ ...CONTEXT, key: 't1.r1.a2' }, 'agent.message', 0)).not.toBe(first);
});

test('cache writes are told apart by their life', () => {
  const usage = {
    input_tokens: 1,
    output_tokens: 2,
    cache_read_input_tokens: 3,
    cache_creation_input_tokens: 10,
    cache_creation: { ephemeral_1h_input_tokens: 4, ephemeral_5m_input_tokens: 6 },
  };
  const reply = { usage: usage as Anthropic.Usage };
  expect(pricedUsage(PUBLIC_CATALOG, 'a-model', reply)).toEqual({
    input_tokens: 1,
    output_tokens: 2,
    cache_read_input_tokens: 3,
    cache_creation_5m_tokens: 6,
    cache_creation_1h_tokens: 4,
  });
});

test('previews run ahead under the ids of the reply, behind the span’s start', () => {
  const hub = localPreviews();
  const frames: PreviewFrame[] = [];
  hub.subscribe('sesn_1', (frame) => frames.push(frame));
  const writer = new PreviewWriter(hub, CONTEXT, 7);
  const stream = [
    { type: 'content_block_start', index: 0, content_block: { type: 'thinking' } },
    { type: 'content_block_start', index: 1, content_block: text('') },
    { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'hello ' } },
    { type: 'content_block_start', index: 2, content_block: text('') },
    {
      type: 'content_block_delta',
      index: 2,
      delta: { type: 'text_delta', text: 'x'.repeat(2500) },
    },
  ] as Anthropic.RawMessageStreamEvent[];
  for (const event of stream) writer.take(event);
  writer.close();
  expect(frames.every((frame) => frame.afterSeq === 7)).toBe(true);
  const [thinking, started, ...deltas] = frames;
  expect(thinking?.event).toMatchObject({ type: 'event_start', event: { type: 'agent.thinking' } });
  const final = replyEvents(message([{ type: 'thinking' }, text('hello '), text('x')]), CONTEXT);
  expect(started?.eventId).toBe(final.events[1]?.id);
  expect(deltas.map((frame) => frame.offset)).toEqual([0, 6, 1006, 2006]);
  expect(deltas.map((frame) => (frame.event.delta as { index: number }).index)).toEqual([
    0, 1, 1, 1,
  ]);
});
