// The context window: a prompt that does not fit is refused with the upstream's words, a reply that
// outgrows what is left is cut with its own stop reason, and a script may set both.

import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

async function tokensOf(dialogue: Dialogue): Promise<number> {
  const { model: id, messages } = dialogue.request();
  return (await model.client.messages.countTokens({ model: id, messages })).input_tokens;
}

describe('a prompt', () => {
  it('over 200,000 tokens is refused, one that leaves room is not', async () => {
    const long = (tokens: number): Dialogue =>
      new Dialogue(model.client).say(`${'x'.repeat(tokens * 4 - 5)}\n= hi`);
    expect(inShort(await long(199_999).ask())).toBe('hi');
    await expect(long(200_001).ask()).rejects.toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      error: { error: { message: 'prompt is too long: 200001 tokens > 200000 maximum' } },
    });
  });

  it('is held to the window that the newest line sets', async () => {
    const dialogue = new Dialogue(model.client).say('# window 40\n$ a');
    await dialogue.ask();
    dialogue.answer('x'.repeat(200));
    const tokens = await tokensOf(dialogue);
    await expect(dialogue.ask()).rejects.toThrow(`${tokens} tokens > 40 maximum`);
    dialogue.say('# window 1000\n= enough');
    expect(inShort(await dialogue.ask())).toBe('enough');
  });

  it('of exactly the window leaves no room for a reply', async () => {
    const dialogue = new Dialogue(model.client).say('# window 5\n= hello');
    expect(await tokensOf(dialogue)).toBe(5);
    expect(await dialogue.ask()).toMatchObject({
      content: [],
      stop_reason: 'model_context_window_exceeded',
    });
  });

  it('has the window that the model list names', async () => {
    const known = await model.client.models.retrieve('claude-opus-5');
    expect(known.max_input_tokens).toBe(200_000);
  });
});

describe('a reply', () => {
  it('that crosses the window is cut there, also where it streams', async () => {
    const dialogue = new Dialogue(model.client).say('# window 20\n# tokens 100 0\n$ a');
    const room = 20 - (await tokensOf(dialogue));
    const cut = { stop_reason: 'model_context_window_exceeded', usage: { output_tokens: room } };
    expect(await model.client.messages.create(dialogue.request())).toMatchObject(cut);
    const reply: Anthropic.Message = await dialogue.ask();
    expect(reply).toMatchObject(cut);
    expect(inShort(reply)).toHaveLength(room * 4);
  });

  it('that meets its own limit first ends with that', async () => {
    const dialogue = new Dialogue(model.client, { max_tokens: 3 });
    const reply = await dialogue.say('# window 1000\n# tokens 100 0').ask();
    expect(reply.stop_reason).toBe('max_tokens');
  });

  it('ends so at a line, and the rest goes on with the next message', async () => {
    const dialogue = new Dialogue(model.client).say('= half\n# window-stop\n$ rest');
    expect(await dialogue.ask()).toMatchObject({ stop_reason: 'model_context_window_exceeded' });
    expect(inShort(await dialogue.say('go on').ask())).toBe('bash:rest');
  });
});
