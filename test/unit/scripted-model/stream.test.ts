// What goes over the wire: the order of stream events, thinking, pace, usage and cache counts,
// failures before and in the middle of a stream, and the list of recent requests.

import Anthropic, { RateLimitError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecentRequest } from '../../../scripted-model/recent-requests.ts';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const headers = (attempt: number): Record<string, string> => ({
  'x-holdfast-attempt': String(attempt),
});

async function recentOf(text: string): Promise<RecentRequest[]> {
  const query = new URLSearchParams({ contains: text });
  const answer = await fetch(`${model.url}/recent-requests?${query.toString()}`);
  return ((await answer.json()) as { data: RecentRequest[] }).data;
}

describe('stream events', () => {
  it('come in the documented order', async () => {
    const stream = await model.client.messages.create({
      ...new Dialogue(model.client).say('# think\n= a\n= b\n$ c').request(),
      stream: true,
    });
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type === 'content_block_delta' ? event.delta.type : event.type);
    }
    expect(types.join(' ')).toBe(
      'message_start ' +
        'content_block_start thinking_delta signature_delta content_block_stop ' +
        'content_block_start text_delta text_delta content_block_stop ' +
        'content_block_start input_json_delta input_json_delta content_block_stop ' +
        'message_delta message_stop',
    );
  });

  it('a long input arrives in several pieces and whole', async () => {
    const content = 'line "quoted" \\ 漢字 🦀\n'.repeat(200);
    const line = `@write ${JSON.stringify({ content })}`;
    const reply = await new Dialogue(model.client).say(line).ask();
    expect(reply.content).toMatchObject([{ type: 'tool_use', input: { content } }]);
  });

  it('the whole message is the same without a stream', async () => {
    const dialogue = new Dialogue(model.client).say('# think\n= a\n# wait 1\n# tokens 3 1\n$ c');
    const whole = await model.client.messages.create(dialogue.request());
    const streamed = await dialogue.ask();
    expect(inShort(whole)).toBe(inShort(streamed));
    expect(whole.usage).toMatchObject({ ...streamed.usage, cache_creation: expect.anything() });
    expect(whole.stop_reason).toBe(streamed.stop_reason);
  });

  it('words come one by one at their pace, pauses take their time', async () => {
    const startedMs = performance.now();
    const stream = model.client.messages.stream(
      new Dialogue(model.client).say('# wait 60\n# tokens 10 10').request(),
    );
    const texts: string[] = [];
    stream.on('text', (text) => texts.push(text));
    await stream.finalMessage();
    expect(texts).toHaveLength(10);
    expect(performance.now() - startedMs).toBeGreaterThan(150);
  });

  it('the first token waits for the delay that is set', async () => {
    const slow = await startModel(50);
    const startedMs = performance.now();
    await new Dialogue(slow.client).say('= a').ask();
    expect(performance.now() - startedMs).toBeGreaterThan(49);
    await slow.stop();
  });
});

describe('thinking', () => {
  it('comes back signed and is accepted unchanged', async () => {
    const dialogue = new Dialogue(model.client).say('# think\n$ a\n# think of b\n$ b');
    expect(await dialogue.play()).toEqual([
      'thinking | bash:a',
      'thinking | bash:b',
      expect.stringContaining('`b`'),
    ]);
  });

  it.each([
    ['a changed thought', (block: Anthropic.ThinkingBlock) => (block.thinking += '!')],
    ['a changed signature', (block: Anthropic.ThinkingBlock) => (block.signature += 'A')],
  ])('%s is refused', async (_, tamper) => {
    const dialogue = new Dialogue(model.client).say('# think\n$ a');
    const reply = await dialogue.ask();
    tamper(reply.content[0] as Anthropic.ThinkingBlock);
    await expect(dialogue.answer('ok').ask()).rejects.toThrow(/messages\.1\.content\.0.*signature/);
  });

  it('a call comes back with the thinking that led to it', async () => {
    const dialogue = new Dialogue(model.client).say('# think\n$ a');
    const reply = await dialogue.ask();
    reply.content.shift();
    await expect(dialogue.answer('ok').ask()).rejects.toThrow(/thinking that led to/);
  });

  it('omitted thinking is empty and still signed', async () => {
    const thinking: Anthropic.ThinkingConfigParam = { type: 'adaptive', display: 'omitted' };
    const dialogue = new Dialogue(model.client, { thinking }).say('# think secret\n$ a');
    const reply = await dialogue.ask();
    expect(reply.content[0]).toMatchObject({ thinking: '', signature: expect.stringMatching(/./) });
    expect(inShort(await dialogue.answer('ok').ask())).toContain('`a`');
  });

  it('disabled thinking does not come', async () => {
    const dialogue = new Dialogue(model.client, { thinking: { type: 'disabled' } });
    expect(inShort(await dialogue.say('# think\n= a').ask())).toBe('a');
  });
});

describe('usage', () => {
  const mark = { type: 'ephemeral' } as const;

  function markLast(dialogue: Dialogue): void {
    for (const { content } of dialogue.messages) {
      if (typeof content === 'string') continue;
      for (const block of content) if ('cache_control' in block) delete block.cache_control;
    }
    const last = dialogue.messages.at(-1)!.content as Anthropic.ToolResultBlockParam[];
    last.at(-1)!.cache_control = mark;
  }

  it('a moving breakpoint reads what the request before wrote', async () => {
    const system: Anthropic.TextBlockParam[] = [
      { type: 'text', text: 'You are careful. '.repeat(50), cache_control: mark },
    ];
    const dialogue = new Dialogue(model.client, { system }).say('$ a\n$ b');
    markLast(dialogue);
    const first = await dialogue.ask();
    dialogue.answer('output '.repeat(40));
    markLast(dialogue);
    const second = await dialogue.ask();
    const total = (usage: Anthropic.Usage): number =>
      usage.input_tokens + usage.cache_creation_input_tokens! + usage.cache_read_input_tokens!;
    expect(first.usage.cache_read_input_tokens).toBe(0);
    expect(first.usage.cache_creation_input_tokens).toBe(total(first.usage));
    expect(second.usage.cache_read_input_tokens).toBe(total(first.usage));
    expect(second.usage.cache_creation_input_tokens).toBeGreaterThan(60);
    expect(second.usage.input_tokens).toBe(0);
  });

  it('a breakpoint on the system alone caches the system alone', async () => {
    const system: Anthropic.TextBlockParam[] = [
      { type: 'text', text: 'x'.repeat(400), cache_control: { ...mark, ttl: '1h' } },
    ];
    const dialogue = new Dialogue(model.client, { system }).say('$ a');
    const { usage: first } = await model.client.messages.create(dialogue.request());
    expect(first.cache_creation).toMatchObject({ ephemeral_1h_input_tokens: 100 });
    await dialogue.ask();
    const { usage: second } = await model.client.messages.create(dialogue.answer('ok').request());
    expect(second).toMatchObject({
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 0,
    });
    expect(second.input_tokens).toBeGreaterThan(0);
  });

  it('without breakpoints nothing is cached, and thinking is counted apart', async () => {
    const { usage } = await new Dialogue(model.client).say('# think\n= a').ask();
    expect(usage).toMatchObject({ cache_read_input_tokens: 0, cache_creation_input_tokens: 0 });
    const thinking = usage.output_tokens_details!.thinking_tokens;
    expect(usage.output_tokens).toBe(thinking + 1);
  });

  it('tokens are counted before a request as in it', async () => {
    const dialogue = new Dialogue(model.client).say('= hello');
    const { model: id, messages } = dialogue.request();
    const counted = await model.client.messages.countTokens({ model: id, messages });
    expect((await dialogue.ask()).usage.input_tokens).toBe(counted.input_tokens);
  });
});

describe('failures', () => {
  it('come so often, counted by the attempt, before the program goes on', async () => {
    const dialogue = new Dialogue(model.client).say('# fail 529 2\n# fail 500 1\n= there');
    await expect(dialogue.ask(headers(1))).rejects.toMatchObject({ status: 529 });
    await expect(dialogue.ask(headers(2))).rejects.toMatchObject({
      status: 529,
      type: 'overloaded_error',
    });
    await expect(dialogue.ask(headers(3))).rejects.toMatchObject({ status: 500 });
    expect(inShort(await dialogue.ask(headers(4)))).toBe('there');
  });

  it('a rate limit says when to come back', async () => {
    const asked = new Dialogue(model.client).say('# fail 429 1 3').ask();
    const error = await asked.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RateLimitError);
    expect((error as RateLimitError).headers.get('retry-after')).toBe('3');
  });

  it('the retries of the SDK itself are counted too', async () => {
    const client = new Anthropic({ baseURL: model.url, apiKey: 'x', maxRetries: 2 });
    const dialogue = new Dialogue(client).say('# fail 429 1 0\n= there');
    expect(inShort(await dialogue.ask())).toBe('there');
  });

  it('a connection can be cut before the answer and in its middle', async () => {
    const before = new Dialogue(model.client).say('# fail 0 1\n= there');
    await expect(before.ask()).rejects.toBeInstanceOf(Anthropic.APIConnectionError);
    const stream = model.client.messages.stream(
      new Dialogue(model.client).say('= half a\n# fail 0 1\n= reply').request(),
    );
    const texts: string[] = [];
    stream.on('text', (text) => texts.push(text));
    await expect(stream.finalMessage()).rejects.toThrow(/terminated|ended|closed|Connection/);
    expect(texts).toEqual(['half a']);
  });

  it('a failure in the middle of a stream is an error event', async () => {
    const asked = new Dialogue(model.client).say('= half a\n# fail 529 1').ask();
    await expect(asked).rejects.toMatchObject({ type: 'overloaded_error' });
  });

  it('a failure that outlived its retries does not block the next message', async () => {
    const dialogue = new Dialogue(model.client).say('# fail 400 100\n# wait 60000\n$ a');
    await expect(dialogue.ask()).rejects.toMatchObject({ status: 400 });
    expect(inShort(await dialogue.say('= next').ask())).toBe('bash:a');
  });
});

describe('recent requests', () => {
  it('say when a request came and ended, and what it held', async () => {
    const dialogue = new Dialogue(model.client).say('$ recent-1');
    await dialogue.ask(headers(2));
    await dialogue.answer('ok').say('steer').ask();
    const [first, second] = await recentOf('recent-1');
    expect(first).toMatchObject({
      status: 200,
      attempt: 2,
      is_aborted: false,
      message_count: 1,
      tool_uses: ['bash'],
      stop_reason: 'tool_use',
    });
    expect(second).toMatchObject({ message_count: 3, last_text: 'steer', tool_uses: [] });
    expect(first!.ended_at_ms!).toBeGreaterThan(first!.received_at_ms);
    expect(second!.received_at_ms).toBeGreaterThan(first!.ended_at_ms!);
  });

  it('tell a cut from a client that hung up', async () => {
    await new Dialogue(model.client)
      .say('= cut-1\n# fail 0 1')
      .ask()
      .catch(() => undefined);
    const [cut] = await recentOf('cut-1');
    expect(cut).toMatchObject({ status: 0, is_aborted: false });
    const stream = model.client.messages.stream(
      new Dialogue(model.client).say('= hang-up-1\n# wait 600000').request(),
    );
    stream.on('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError);
    await expect.poll(() => recentOf('hang-up-1')).toMatchObject([{ is_aborted: true }]);
  });
});
