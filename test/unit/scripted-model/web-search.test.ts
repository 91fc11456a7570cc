// The web search on the server's side: its blocks in a reply, how they stream, that they come back
// unchanged, and what is said where none is offered.

import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const tools: Anthropic.ToolUnion[] = [{ type: 'web_search_20250305', name: 'web_search' }];

it('a search is a call and its results in one reply, and counted', async () => {
  const dialogue = new Dialogue(model.client, { tools }).say('# search Quiet harbours?');
  const reply = await dialogue.ask();
  const [use, found, text] = reply.content;
  expect(use).toMatchObject({
    type: 'server_tool_use',
    id: expect.stringMatching(/^srvtoolu_/),
    name: 'web_search',
    input: { query: 'Quiet harbours?' },
  });
  expect(found).toMatchObject({
    type: 'web_search_tool_result',
    tool_use_id: (use as Anthropic.ServerToolUseBlock).id,
    content: [1, 2].map((number) => ({
      type: 'web_search_result',
      url: `https://example.com/quiet-harbours/${number}`,
      title: `Result ${number} for Quiet harbours?`,
      encrypted_content: expect.stringMatching(/./),
    })),
  });
  expect(text).toMatchObject({ text: 'I searched the web for `Quiet harbours?`.' });
  expect(reply.stop_reason).toBe('end_turn');
  expect(reply.usage.server_tool_use).toMatchObject({ web_search_requests: 1 });
});

it('its blocks come back in the transcript, and the program goes on', async () => {
  const dialogue = new Dialogue(model.client, { tools });
  dialogue.say('# search a\n# search b\n# searches 2\n$ c\n= end');
  const reply = await dialogue.ask();
  expect(inShort(reply)).toBe(
    'server_tool_use | web_search_tool_result | server_tool_use | web_search_tool_result | bash:c',
  );
  expect(reply.usage.server_tool_use).toMatchObject({ web_search_requests: 4 });
  expect(inShort(await dialogue.answer('ok').ask())).toBe('end');
});

it('the same comes without a stream', async () => {
  const dialogue = new Dialogue(model.client, { tools }).say('# search a\n= b');
  const reply = await model.client.messages.create(dialogue.request());
  expect(inShort(reply)).toBe('server_tool_use | web_search_tool_result | b');
  expect(reply.usage.server_tool_use).toMatchObject({ web_search_requests: 1 });
});

it('a result without its call is refused', async () => {
  const dialogue = new Dialogue(model.client, { tools }).say('# search a');
  const reply = await dialogue.ask();
  reply.content.shift();
  await expect(dialogue.say('and?').ask()).rejects.toThrow(/no server_tool_use of this id/);
});

it('where none is offered it says so', async () => {
  const text = inShort(await new Dialogue(model.client).say('# search a').ask());
  expect(text).toBe('No web search is offered to me: a');
});
