// How a program is played, reply by reply, over HTTP with the official SDK: order, parallel calls,
// steering, endings, and what the model says when the script is over or there is none.

import type Anthropic from '@anthropic-ai/sdk';
import OldAnthropic from 'anthropic-sdk-0-86';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const tool = (name: string): Anthropic.Tool => ({ name, input_schema: { type: 'object' } });

describe('a program', () => {
  it('goes call by call, each line waiting for the result before', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n= between\n$ b\n= the end');
    expect(await dialogue.play()).toEqual(['bash:a', 'between | bash:b', 'the end']);
  });

  it('sends adjacent parallel calls in one reply', async () => {
    const dialogue = new Dialogue(model.client).say(
      '$& a\n@&read {"file_path":"f"}\n\n$& c\n= end',
    );
    expect(await dialogue.play()).toEqual(['bash:a | read:{"file_path":"f"}', 'bash:c', 'end']);
  });

  it('sends forty calls of two kinds in one reply, and takes their results back', async () => {
    const lines = Array.from({ length: 40 }, (_, at) =>
      at % 2 === 0 ? `$& echo ${at}` : `@& read {"file_path":"${at}"}`,
    );
    const dialogue = new Dialogue(model.client).say(`${lines.join('\n')}\n\n$ after`);
    const reply = await dialogue.ask();
    const uses = reply.content.filter((block) => block.type === 'tool_use');
    expect(uses.map(({ name }) => name)).toEqual(lines.map((_, at) => (at % 2 ? 'read' : 'bash')));
    expect(new Set(uses.map(({ id }) => id)).size).toBe(40);
    dialogue.answer('ok');
    expect(await dialogue.play()).toEqual(['bash:after', expect.stringContaining('41 calls')]);
  });

  it('takes lines of a steering message after those it has', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$ b');
    await dialogue.ask();
    dialogue.answer('ok').say('$ c\n= steered');
    expect(await dialogue.play()).toEqual(['bash:b', 'bash:c', 'steered']);
  });

  it('is over when it is over: the next turn runs only its own lines', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n= first');
    await dialogue.play();
    dialogue.say('= second\n$ b');
    expect(await dialogue.play()).toEqual(['second | bash:b', expect.stringContaining('`b`')]);
    expect(inShort(await dialogue.say('thanks').ask())).toContain('scripted model');
  });

  it('reads a plain string as a text', async () => {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: '$ a' }];
    const reply = await model.client.messages.create({ model: 'm', max_tokens: 99, messages });
    expect(inShort(reply)).toBe('bash:a');
  });

  it('does not read tool results as a program', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n= end');
    expect(await dialogue.play('$ evil\n# refuse')).toEqual(['bash:a', 'end']);
  });

  it('plays the same for the same request', async () => {
    const dialogue = new Dialogue(model.client).say('# think\n= x\n$ a');
    const [first, second] = [
      await model.client.messages.create(dialogue.request()),
      await model.client.messages.create(dialogue.request()),
    ];
    expect(inShort(first)).toBe(inShort(second));
    expect(first.usage).toEqual(second.usage);
    expect(first.content.at(-1)).not.toEqual(second.content.at(-1));
  });
});

describe('tool names', () => {
  it('a custom tool is called by its name, with the input as written', async () => {
    const tools = [tool('bash'), tool('lookup_order')];
    const dialogue = new Dialogue(model.client, { tools });
    const said = dialogue.say('@lookup_order {"id": "A-1", "deep": {"list": [1, null, true]}}');
    expect((await said.ask()).content).toMatchObject([
      { name: 'lookup_order', input: { id: 'A-1', deep: { list: [1, null, true] } } },
    ]);
  });

  it('a custom tool wins over an MCP tool of the same own name', async () => {
    const tools = [tool('mcp__tickets__create'), tool('create')];
    const dialogue = new Dialogue(model.client, { tools }).say('@create {}');
    expect(inShort(await dialogue.ask())).toBe('create:{}');
  });

  it('server tools without a name are no hindrance', async () => {
    const toolset = { type: 'computer_toolset_20260801' } as unknown as Anthropic.ToolUnion;
    const dialogue = new Dialogue(model.client, { tools: [toolset, tool('mcp__wiki__find')] });
    expect(inShort(await dialogue.say('@find {}').ask())).toBe('mcp__wiki__find:{}');
  });

  it('a tool that is not offered is called all the same', async () => {
    const dialogue = new Dialogue(model.client, { tools: [tool('bash')] }).say('@nothing {}');
    expect(inShort(await dialogue.ask())).toBe('nothing:{}');
  });

  it('an MCP tool is found by its own name where that is unique', async () => {
    const tools = [tool('mcp__tickets__create'), tool('mcp__wiki__find'), tool('mcp__web__find')];
    const dialogue = new Dialogue(model.client, { tools });
    const program = '@& create {}\n@& find {}\n@& mcp__wiki__find {}';
    expect(inShort(await dialogue.say(program).ask())).toBe(
      'mcp__tickets__create:{} | find:{} | mcp__wiki__find:{}',
    );
  });

  it('an MCP name that was cut is found by the whole one', async () => {
    const tools = [tool('mcp__tickets__create_ticket_with_a_very_lo_1f0c9a2b')];
    const dialogue = new Dialogue(model.client, { tools });
    const reply = await dialogue.say('@create_ticket_with_a_very_long_name {}').ask();
    expect(inShort(reply)).toBe('mcp__tickets__create_ticket_with_a_very_lo_1f0c9a2b:{}');
  });
});

describe('the last word', () => {
  it('names what ran, with the last output', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$ b');
    expect((await dialogue.play('some output\n')).at(-1)).toBe(
      'I ran `a`, `b`. It answered:\n\nsome output',
    );
  });

  it('counts where much ran, and says that the last failed', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$ b\n$ c\n@read {}');
    for (let at = 0; at < 4; at += 1) {
      await dialogue.ask();
      dialogue.answer(at < 3 ? 'ok' : 'no such file', at === 3);
    }
    expect(inShort(await dialogue.ask())).toBe(
      'I ran 4 calls, last `read`. It failed:\n\nno such file',
    );
  });

  it('shows the directives to somebody who used none', async () => {
    const text = inShort(await new Dialogue(model.client).say('Hello, who are you?').ask());
    expect(text).toContain('scripted model');
    expect(text).toContain('$ uname -a');
    expect(text).toContain('# fail 529 2');
  });
});

describe('endings', () => {
  it('a refusal has its stop reason and details, and may be empty', async () => {
    const reply = await new Dialogue(model.client).say('# refuse').ask();
    expect(reply).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', category: null },
    });
  });

  it('after a refusal the next message is answered', async () => {
    const dialogue = new Dialogue(model.client).say('# refuse');
    await dialogue.ask();
    expect(inShort(await dialogue.say('= fine').ask())).toBe('fine');
    expect(inShort(await dialogue.say('= and on').ask())).toBe('and on');
  });

  it('max_tokens ends in the middle, and the rest goes on with the next message', async () => {
    const dialogue = new Dialogue(model.client).say('= half\n# max_tokens\n$ rest');
    expect(await dialogue.ask()).toMatchObject({ stop_reason: 'max_tokens' });
    expect(inShort(await dialogue.say('go on').ask())).toBe('bash:rest');
  });

  it('the request limit cuts text and leaves calls out', async () => {
    const dialogue = new Dialogue(model.client, { max_tokens: 5 }).say('# tokens 100 0\n$ a');
    const reply = await dialogue.ask();
    expect(reply.stop_reason).toBe('max_tokens');
    expect(inShort(reply)).toHaveLength(20);
    expect(reply.usage.output_tokens).toBe(5);
  });
});

describe('the older SDK', () => {
  it('streams the same reply', async () => {
    const client = new OldAnthropic({ baseURL: model.url, apiKey: 'x', maxRetries: 0 });
    const stream = client.beta.messages.stream({
      model: 'm',
      max_tokens: 99,
      messages: [{ role: 'user', content: '= one\n= two\n$ a' }],
    });
    const texts: string[] = [];
    stream.on('text', (text) => texts.push(text));
    const reply = await stream.finalMessage();
    expect(texts).toEqual(['one\n', 'two']);
    expect(reply.stop_reason).toBe('tool_use');
    expect(reply.content.at(-1)).toMatchObject({ name: 'bash', input: { command: 'a' } });
  });
});
