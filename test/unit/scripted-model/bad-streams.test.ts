// Streams that are broken on purpose: what the official SDK makes of each, that each comes so often
// as its line says, counted by the attempt, and that the program goes on behind it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import Anthropic from '@anthropic-ai/sdk';
import type { RecentRequest } from '../../../scripted-model/recent-requests.ts';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const attempt = (number: number): Record<string, string> => ({
  'x-holdfast-attempt': String(number),
});
const say = (text: string): Dialogue => new Dialogue(model.client).say(text);

/** Reads the raw body of a stream, to its end or its cut. */
async function rawStream(text: string): Promise<{ body: string; isCut: boolean }> {
  const answer = await fetch(`${model.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'x', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({
      model: 'm',
      max_tokens: 999,
      stream: true,
      messages: [{ role: 'user', content: text }],
    }),
  });
  const decoder = new TextDecoder();
  let body = '';
  try {
    for await (const chunk of answer.body!) body += decoder.decode(chunk, { stream: true });
  } catch {
    return { body, isCut: true };
  }
  return { body, isCut: false };
}

const deltasIn = (body: string): string[] =>
  [...body.matchAll(/^data: (.*)$/gm)]
    .map(([, data]) => JSON.parse(data!) as Anthropic.RawMessageStreamEvent)
    .flatMap((event) => (event.type === 'content_block_delta' ? [event.delta] : []))
    .map((delta) => {
      if (delta.type === 'text_delta') return delta.text;
      return delta.type === 'input_json_delta' ? delta.partial_json : delta.type;
    });

describe('garbage', () => {
  it('is an event whose data is no JSON, in the middle of the stream', async () => {
    const { body, isCut } = await rawStream('= half\n# garbage\n= rest');
    expect(isCut).toBe(false);
    const data = [...body.matchAll(/^data: (.*)$/gm)].map(([, json]) => json!);
    expect(() => JSON.parse(data.at(-1)!) as unknown).toThrow(SyntaxError);
    expect(deltasIn(body.slice(0, body.lastIndexOf('data: ')))).toEqual(['half']);
  });

  it('comes so often, then the program goes on', async () => {
    const dialogue = say('# garbage 2\n= there');
    await expect(dialogue.ask(attempt(1))).rejects.toThrow(/JSON/);
    await expect(dialogue.ask(attempt(2))).rejects.toThrow(/JSON/);
    expect(inShort(await dialogue.ask(attempt(3)))).toBe('there');
  });

  it('is a broken body where nothing streams', async () => {
    const asked = model.client.messages.create(say('# garbage\n= there').request());
    await expect(asked).rejects.toThrow(/JSON/);
  });
});

describe('a cut', () => {
  it('comes after so many deltas of text', async () => {
    const { body, isCut } = await rawStream('# cut 3\n# tokens 10 0');
    expect(isCut).toBe(true);
    expect(deltasIn(body)).toEqual(['the ', 'quiet ', 'harbour ']);
  });

  it('comes after so many characters of a tool input, in the middle of its JSON', async () => {
    const { body, isCut } = await rawStream('# cut 14\n@write {"file_path": "notes.txt"}');
    expect(isCut).toBe(true);
    expect(deltasIn(body).join('')).toBe('{"file_path":"');
  });

  it('counts from its line on', async () => {
    const { body } = await rawStream('= one\n= two\n\n# cut 1\n= three\n= four');
    expect(deltasIn(body)).toEqual(['one\n', 'two', 'three\n']);
  });

  it('before anything leaves the open stream alone, behind everything no end', async () => {
    const bare = await rawStream('# cut 0\n= one');
    expect(bare).toMatchObject({ isCut: true, body: expect.stringContaining('message_start') });
    expect(deltasIn(bare.body)).toEqual([]);
    const { body, isCut } = await rawStream('# cut 99\n= one');
    expect(isCut).toBe(true);
    expect(body).not.toContain('message_delta');
    expect(deltasIn(body)).toEqual(['one']);
  });

  it('is an error for the SDK, so often', async () => {
    const dialogue = say('# cut 1 2\n= one\n= two');
    await expect(dialogue.ask(attempt(1))).rejects.toThrow();
    await expect(dialogue.ask(attempt(2))).rejects.toThrow();
    expect(inShort(await dialogue.ask(attempt(3)))).toBe('one\ntwo');
  });

  it('gives no answer where nothing streams', async () => {
    const asked = model.client.messages.create(say('# cut 1\n= one').request());
    await expect(asked).rejects.toBeInstanceOf(Anthropic.APIConnectionError);
  });
});

describe('a stall', () => {
  it('opens the stream, says nothing for so long, and breaks off', async () => {
    const startedMs = performance.now();
    const { body, isCut } = await rawStream('# stall 60\n= there');
    expect(isCut).toBe(true);
    expect(performance.now() - startedMs).toBeGreaterThan(59);
    expect(body).toContain('message_start');
    expect(deltasIn(body)).toEqual([]);
  });

  it('comes so often', async () => {
    const dialogue = say('# stall 1\n= there');
    await expect(dialogue.ask(attempt(1))).rejects.toThrow();
    expect(inShort(await dialogue.ask(attempt(2)))).toBe('there');
  });

  it('is left by a client that does not wait', async () => {
    const stream = model.client.messages.stream(say('= stall-1\n# stall 600000').request());
    stream.on('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError);
    const recent = async (): Promise<RecentRequest[]> => {
      const answer = await fetch(`${model.url}/recent-requests?contains=stall-1`);
      return ((await answer.json()) as { data: RecentRequest[] }).data;
    };
    await expect.poll(recent).toMatchObject([{ is_aborted: true, status: 200 }]);
  });
});

describe('replies that say nothing', () => {
  it('an empty one has no blocks and ends the turn, so often', async () => {
    const dialogue = say('= before\n# empty 2\n$ a');
    for (const number of [1, 2]) {
      const reply = await dialogue.ask(attempt(number));
      expect(reply).toMatchObject({ content: [], stop_reason: 'end_turn' });
    }
    expect(inShort(await dialogue.ask(attempt(3)))).toBe('before | bash:a');
  });

  it('a blank one is a text of spaces, which no transcript may hold', async () => {
    const dialogue = say('# blank\n$ a');
    const reply = await dialogue.ask(attempt(1));
    expect(reply).toMatchObject({ content: [{ type: 'text', text: '   ' }] });
    await expect(dialogue.say('and?').ask()).rejects.toThrow(/blank/);
    dialogue.messages.splice(1, 1);
    expect(inShort(await dialogue.ask())).toBe('bash:a');
  });

  it('after one that was taken as an answer, the lines below go on', async () => {
    const dialogue = say('# empty\n= below');
    await dialogue.ask();
    expect(inShort(await dialogue.say('= next').ask())).toBe('below | next');
  });
});

describe('a repeated id', () => {
  it('is that of the next two tool uses of one reply, so often', async () => {
    const dialogue = say('# repeat-id\n$& a\n$& b\n$& c');
    const idsOf = ({ content }: Anthropic.Message): string[] =>
      content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    const [first, second, third] = idsOf(await dialogue.ask(attempt(1)));
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    await expect(dialogue.answer('ok').ask()).rejects.toThrow(/tool_use ids must differ/);
    dialogue.messages.length = 1;
    expect(new Set(idsOf(await dialogue.ask(attempt(2)))).size).toBe(3);
  });
});

it('lines of different kinds count one after the other', async () => {
  const dialogue = say('# fail 529 1\n# garbage\n# cut 0\n# empty\n= there');
  await expect(dialogue.ask(attempt(1))).rejects.toMatchObject({ status: 529 });
  await expect(dialogue.ask(attempt(2))).rejects.toThrow(/JSON/);
  await expect(dialogue.ask(attempt(3))).rejects.toThrow();
  expect((await dialogue.ask(attempt(4))).content).toEqual([]);
  expect(inShort(await dialogue.ask(attempt(5)))).toBe('there');
});
