// What may stand in a transcript besides texts and calls: system messages where the model takes
// them, pictures, documents and search results; and that a test can see what of it arrived.

import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(60)]);
const PDF = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(1015)]);

const image = (source: object): Anthropic.ImageBlockParam =>
  ({ type: 'image', source }) as Anthropic.ImageBlockParam;
const file = (source: object): Anthropic.DocumentBlockParam =>
  ({ type: 'document', source }) as Anthropic.DocumentBlockParam;
const bytes = (media_type: string, data: Buffer): object => ({
  type: 'base64',
  media_type,
  data: data.toString('base64'),
});
const found = (fields: object = {}): Anthropic.SearchResultBlockParam => ({
  type: 'search_result',
  source: 'https://example.com/a',
  title: 'A page',
  content: [{ type: 'text', text: 'what it says' }],
  ...fields,
});

async function answerTo(
  messages: Anthropic.MessageParam[],
  modelId = 'claude-opus-4-8',
): Promise<string> {
  const params = { model: modelId, max_tokens: 999, messages };
  return inShort(await model.client.messages.create(params));
}

describe('a system message among the messages', () => {
  const user = (content: string): Anthropic.MessageParam => ({ role: 'user', content });
  const system = (content: string): Anthropic.MessageParam => ({ role: 'system', content });
  const assistant = (content: string): Anthropic.MessageParam => ({ role: 'assistant', content });

  it('is repeated by a reply that has nothing else to say, and by no other', async () => {
    const closing = await answerTo([user('hello'), system('Answer in French.')]);
    expect(closing).toContain('scripted model');
    expect(closing).toContain('The newest system message says: Answer in French.');
    const transcript = [user('= a'), system('Old.'), assistant('a'), user('= b'), system('New.')];
    expect(await answerTo(transcript)).toBe('b');
    const later = await answerTo([...transcript, assistant('b'), user('thanks')]);
    expect(later).toContain('says: New.');
    expect(later).not.toContain('Old.');
  });

  it('follows results too, and is no program', async () => {
    const dialogue = new Dialogue(model.client, { model: 'claude-sonnet-5-5' }).say('$ a\n$ b');
    await dialogue.ask();
    dialogue.answer('ok').messages.push(system('= evil\n# refuse'));
    expect(inShort(await dialogue.ask())).toBe('bash:b');
  });

  it.each(['claude-haiku-4-5', 'claude-sonnet-4-6', 'claude-opus-4-7', 'claude-mythos-preview'])(
    'is refused by %s',
    async (id) => {
      await expect(answerTo([user('hi'), system('x')], id)).rejects.toMatchObject({
        status: 400,
        error: { error: { message: "role 'system' is not supported on this model" } },
      });
    },
  );

  it.each(['claude-opus-4-8', 'claude-opus-5-5', 'claude-haiku-5-5', 'claude-fable-5', 'another'])(
    'is taken by %s',
    async (id) => {
      expect(await answerTo([user('= hi'), system('x')], id)).toBe('hi');
    },
  );

  it.each<[string, Anthropic.MessageParam[], RegExp]>([
    ['first', [system('x'), user('hi')], /messages\.0: use the top-level 'system' parameter/],
    ['behind the assistant', [user('hi'), assistant('a'), system('x'), user('b')], /must follow/],
    ['before a user message', [user('hi'), system('x'), user('b')], /must precede/],
    ['twice in a row', [user('hi'), system('x'), system('y')], /must precede/],
    [
      'with a picture',
      [user('hi'), { role: 'system', content: [image(bytes('image/png', PNG))] } as never],
      /holds text alone/,
    ],
    ['empty', [user('hi'), system('')], /messages\.1: a message may not be empty/],
  ])('%s is refused', async (_, messages, reason) => {
    await expect(answerTo(messages)).rejects.toThrow(reason);
  });
});

describe('say-blocks', () => {
  const say = (...blocks: Anthropic.ContentBlockParam[]): Promise<string> =>
    answerTo([{ role: 'user', content: [...blocks, { type: 'text', text: '# say-blocks' }] }]);

  it('names the kinds and sizes of what the newest message holds', async () => {
    const blocks = [image(bytes('image/png', PNG)), file(bytes('application/pdf', PDF))];
    expect(await say(...blocks)).toBe(
      'image image/png 68 bytes, document application/pdf 1,024 bytes',
    );
    expect(await say()).toBe('no blocks but text');
  });

  it('names sources of every kind', async () => {
    const text = { type: 'text', media_type: 'text/plain', data: 'é' };
    const content = { type: 'content', content: [{ type: 'text', text: 'a' }] };
    expect(await say(file(text), file(content), found())).toBe(
      'document text/plain 2 bytes, document content (text 1 character), ' +
        'search_result https://example.com/a (text 12 characters)',
    );
    expect(await say(image({ type: 'url', url: 'https://x.y/z.png' }))).toBe(
      'image url https://x.y/z.png',
    );
    expect(await say(file({ type: 'file', file_id: 'file_1' }))).toBe('document file file_1');
  });

  it('looks into tool results', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n# say-blocks');
    const reply = await dialogue.ask();
    const [use] = reply.content as Anthropic.ToolUseBlock[];
    const content: Anthropic.ToolResultBlockParam['content'] = [
      { type: 'text', text: 'seen' },
      image(bytes('image/png', PNG)),
      found(),
    ];
    const result = { type: 'tool_result', tool_use_id: use!.id, content } as const;
    dialogue.messages.push({ role: 'user', content: [result] });
    expect(inShort(await dialogue.ask())).toBe(
      'tool_result (text 4 characters, image image/png 68 bytes, ' +
        'search_result https://example.com/a (text 12 characters))',
    );
  });
});

describe('content', () => {
  const inMessage = (block: object): Anthropic.MessageParam[] => [
    { role: 'user', content: [block as Anthropic.ContentBlockParam] },
  ];

  it.each<[string, object, RegExp]>([
    ['a picture of no known kind', image(bytes('image/bmp', PNG)), /0\.source\.media_type: one of/],
    ['bytes of another kind', image(bytes('image/jpeg', PNG)), /bytes are not image\/jpeg/],
    ['no base64', image({ type: 'base64', media_type: 'image/png', data: '<svg>' }), /base64 is/],
    ['an empty picture', image(bytes('image/png', Buffer.alloc(0))), /base64 is expected/],
    ['a source of no kind', image({ type: 'text', data: 'x' }), /source\.type: one of base64, url/],
    ['a picture without a source', { type: 'image' }, /content\.0\.source: the field is required/],
    ['an unknown field', { ...image(bytes('image/png', PNG)), alt: 'x' }, /0\.alt: no such field/],
    ['a local URL', image({ type: 'url', url: 'file:///etc/passwd' }), /http or https/],
    ['a document that is no PDF', file(bytes('application/pdf', PNG)), /not application\/pdf/],
    ['text of another kind', file({ type: 'text', media_type: 'text/html', data: '' }), /text\/pl/],
    ['a found page without a title', found({ title: '' }), /0\.title: a string is expected/],
    ['a found page without text', found({ content: [] }), /0\.content: text blocks are expected/],
  ])('with %s is refused', async (_, block, reason) => {
    await expect(answerTo(inMessage(block))).rejects.toThrow(reason);
  });

  it('of a user is refused where the assistant speaks', async () => {
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: [image(bytes('image/png', PNG))] },
      { role: 'user', content: 'hi' },
    ] as Anthropic.MessageParam[];
    await expect(answerTo(messages)).rejects.toThrow(/image block belongs into a user message/);
  });

  it.each<[string, object[], boolean, RegExp]>([
    [
      'a bad picture',
      [image(bytes('image/gif', PNG))],
      false,
      /0\.content\.0\.source\.data: the by/,
    ],
    ['a block of no kind', [{ type: 'tool_use' }], false, /content\.0\.content\.0\.type/],
    ['a picture in an error', [image(bytes('image/png', PNG))], true, /holds text alone/],
    ['an empty text', [{ type: 'text', text: '' }], false, /may not be empty/],
  ])('of a result with %s is refused', async (_, content, isError, reason) => {
    const dialogue = new Dialogue(model.client).say('$ a');
    const reply = await dialogue.ask();
    const [use] = reply.content as Anthropic.ToolUseBlock[];
    const result = { type: 'tool_result', tool_use_id: use!.id, content, is_error: isError };
    dialogue.messages.push({ role: 'user', content: [result as Anthropic.ToolResultBlockParam] });
    await expect(dialogue.ask()).rejects.toThrow(reason);
  });
});
