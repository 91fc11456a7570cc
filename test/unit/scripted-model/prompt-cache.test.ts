// The prompt cache and what a reply reports of it: exact prefixes, the lookback, both lifetimes, a
// memory with an end; and counts that a script sets.

import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CACHE_LONG_MS,
  CACHE_SHORT_MS,
  SCRIPTED_CACHE_ENTRIES_MAX,
} from '../../../protocol/limits.ts';
import { PromptCache, type CacheUse } from '../../../scripted-model/prompt-cache.ts';
import { readPrompt } from '../../../scripted-model/prompt.ts';
import type { MessagesRequest } from '../../../scripted-model/request.ts';
import { Dialogue, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

type Mark = Anthropic.CacheControlEphemeral;
const SHORT: Mark = { type: 'ephemeral' };
const LONG: Mark = { type: 'ephemeral', ttl: '1h' };

const text = (value: string, mark?: Mark): Anthropic.TextBlockParam => ({
  type: 'text',
  text: value,
  ...(mark === undefined ? {} : { cache_control: mark }),
});
/** Blocks of 40 characters, 10 tokens each, all different. */
const texts = (count: number, from = 0): Anthropic.TextBlockParam[] =>
  Array.from({ length: count }, (_, at) => text(`block ${from + at} `.padEnd(40, '.')));

type Params = Partial<Anthropic.MessageCreateParamsNonStreaming>;

async function ask(content: Anthropic.ContentBlockParam[], more: Params = {}) {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content }];
  const params = { model: 'm', max_tokens: 99, messages, ...more };
  const { usage } = await model.client.messages.create(params);
  return {
    input: usage.input_tokens,
    read: usage.cache_read_input_tokens,
    short: usage.cache_creation!.ephemeral_5m_input_tokens,
    long: usage.cache_creation!.ephemeral_1h_input_tokens,
  };
}

describe('a prefix', () => {
  const tools = [{ name: 'bash', input_schema: { type: 'object' as const } }];
  const prefix = (name: string): Anthropic.TextBlockParam =>
    text(`${name} `.padEnd(400, '.'), SHORT);

  it('is written once and read by the next request that begins with it', async () => {
    expect(await ask([prefix('a')])).toEqual({ input: 0, read: 0, short: 100, long: 0 });
    expect(await ask([prefix('a')])).toEqual({ input: 0, read: 100, short: 0, long: 0 });
    expect(await ask([prefix('a'), text('12345678')])).toMatchObject({ input: 2, read: 100 });
  });

  it('is another one where anything in it differs', async () => {
    await ask([prefix('b')], { tools, system: 'x' });
    expect(await ask([prefix('b')], { tools, system: 'x' })).toMatchObject({ input: 0, short: 0 });
    for (const other of [
      { tools, system: 'y' },
      { tools: [{ ...tools[0]!, description: 'x' }], system: 'x' },
      { tools, system: 'x', model: 'n' },
      { tools, system: 'x', tool_choice: { type: 'any' as const } },
      { tools, system: 'x', thinking: { type: 'disabled' as const } },
    ]) {
      expect(await ask([prefix('b')], other)).toMatchObject({ read: 0 });
    }
  });

  it('of tools and system lives on where only the messages change', async () => {
    const system = [text('s'.repeat(400), SHORT)];
    const wrote = await ask([text('one')], { tools, system });
    const choice = { type: 'any' as const };
    const read = await ask([text('two')], { tools, system, tool_choice: choice });
    expect(read).toMatchObject({ read: wrote.short, short: 0 });
  });

  it('is only written at a breakpoint', async () => {
    await ask([...texts(3), text('marked', SHORT)]);
    expect(await ask([...texts(3), text('another', SHORT)])).toMatchObject({ read: 0 });
  });

  it('reaches to the last block where the request itself is marked', async () => {
    const blocks = [text('automatic '.padEnd(40, '.'))];
    expect(await ask(blocks, { cache_control: LONG })).toMatchObject({ long: 10, input: 0 });
    const more = [...blocks, ...texts(1)];
    expect(await ask(more, { cache_control: LONG })).toMatchObject({ read: 10, long: 10 });
  });
});

describe('the lookback', () => {
  const marked = (count: number, from: number): Anthropic.TextBlockParam[] =>
    texts(count, from).with(-1, { ...texts(1, from + count - 1)[0]!, cache_control: SHORT });

  it('finds an entry 19 blocks before the breakpoint, no farther', async () => {
    await ask(marked(5, 1000));
    expect(await ask(marked(24, 1000))).toMatchObject({ read: 50, short: 190 });
    await ask(marked(5, 2000));
    expect(await ask(marked(25, 2000))).toMatchObject({ read: 0, short: 250 });
  });

  it('begins anew at each breakpoint', async () => {
    await ask(marked(5, 3000));
    const blocks = marked(40, 3000);
    blocks[4]!.cache_control = SHORT;
    expect(await ask(blocks)).toMatchObject({ read: 50, short: 350 });
  });

  it('counts parallel calls, and their results, as one position each', async () => {
    const lines = Array.from({ length: 40 }, (_, at) => `$& echo ${at}`).join('\n');
    const dialogue = new Dialogue(model.client, { cache_control: SHORT }).say(lines);
    const { usage } = await dialogue.ask();
    const second = await dialogue.answer('ok').ask();
    expect(second.usage.cache_read_input_tokens).toBe(usage.cache_creation_input_tokens);
    expect(usage.cache_creation_input_tokens).toBeGreaterThan(0);
  });
});

describe('lifetimes', () => {
  const promptOf = (mark: Mark, value = 'x'.repeat(40)) =>
    readPrompt({
      model: 'm',
      max_tokens: 1,
      messages: [{ role: 'user', content: [text(value, mark)] }],
    } as MessagesRequest);
  const written = (use: CacheUse): boolean => use.readChars === 0;

  it('are 5 minutes and 1 hour, and begin anew with each use', () => {
    for (const [mark, lifeMs] of [
      [SHORT, CACHE_SHORT_MS],
      [LONG, CACHE_LONG_MS],
    ] as const) {
      const cache = new PromptCache();
      expect(written(cache.use(promptOf(mark), 0))).toBe(true);
      expect(written(cache.use(promptOf(mark), lifeMs - 1))).toBe(false);
      expect(written(cache.use(promptOf(mark), 2 * lifeMs - 2))).toBe(false);
      expect(written(cache.use(promptOf(mark), 3 * lifeMs - 2))).toBe(true);
    }
  });

  it('are counted apart, the longer one first', async () => {
    const [first, second, third] = texts(3, 4000);
    const blocks = [
      { ...first!, cache_control: LONG },
      { ...second!, cache_control: SHORT },
      third!,
    ];
    expect(await ask(blocks)).toEqual({ read: 0, long: 10, short: 10, input: 10 });
    expect(await ask(blocks)).toEqual({ read: 20, long: 0, short: 0, input: 10 });
  });

  it('the longer one behind the shorter is refused', async () => {
    const blocks = [text('a', SHORT), text('b', LONG)];
    await expect(ask(blocks)).rejects.toThrow(/1h may not come after one of 5m/);
    const never = [text('a', { type: 'ephemeral', ttl: '2h' } as never)];
    await expect(ask(never)).rejects.toThrow(/cache_control\.ttl: .* is expected/);
  });

  it('a full memory forgets what was used longest ago', () => {
    const cache = new PromptCache();
    for (let at = 0; at < SCRIPTED_CACHE_ENTRIES_MAX; at += 1)
      cache.use(promptOf(SHORT, `${at}`), 0);
    cache.use(promptOf(SHORT, '0'), 0);
    cache.use(promptOf(SHORT, 'one more'), 0);
    expect(written(cache.use(promptOf(SHORT, '0'), 0))).toBe(false);
    expect(written(cache.use(promptOf(SHORT, '1'), 0))).toBe(true);
  });
});

describe('counts that a script sets', () => {
  const line = '# usage input=1 output=2 cache_read=3 cache_5m=4 cache_1h=5\n= a';

  it('are what the reply reports, streamed or not', async () => {
    const dialogue = new Dialogue(model.client).say(line);
    const counts = {
      input_tokens: 1,
      output_tokens: 2,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
    };
    expect((await model.client.messages.create(dialogue.request())).usage).toMatchObject(counts);
    expect((await dialogue.ask()).usage).toMatchObject(counts);
  });

  it('are 0 where they are not named, and of one reply alone', async () => {
    const dialogue = new Dialogue(model.client).say('# usage output=7\n$ a\n= end');
    expect((await dialogue.ask()).usage).toMatchObject({ input_tokens: 0, output_tokens: 7 });
    const { usage } = await dialogue.answer('ok').ask();
    expect(usage.input_tokens).toBeGreaterThan(0);
    expect(usage.output_tokens).toBe(1);
  });

  it('may add web searches', async () => {
    const { usage } = await new Dialogue(model.client).say('# searches 3\n= a').ask();
    expect(usage.server_tool_use).toEqual({ web_search_requests: 3, web_fetch_requests: 0 });
  });
});
