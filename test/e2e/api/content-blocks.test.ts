// Everything but text that a message or a tool's result can hold: accepted, echoed as it was sent,
// kept in the history, and sent on to the model, which answers. docs: managed-agents/events.

import type { EventSendParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ofType, Scene, stopReasonOf } from '../../helpers/scene.ts';

type Message = Extract<EventSendParams['events'][number], { type: 'user.message' }>;
type Block = Message['content'][number];

const server = inject('server');
/** The smallest picture: one transparent pixel. */
const PNG = [
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk',
  'YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
].join('');
const PDF = Buffer.from('%PDF-1.1\n%%EOF\n').toString('base64');

const BLOCKS: readonly (readonly [string, Block])[] = [
  [
    'an image as base64',
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
  ],
  [
    'an image by its url',
    { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
  ],
  [
    'a document as base64',
    {
      type: 'document',
      source: { type: 'base64', media_type: 'application/pdf', data: PDF },
      title: 'A page',
    },
  ],
  [
    'a document as text',
    { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'A page.' } },
  ],
  [
    'a document by its url',
    { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
  ],
];

let scene: Scene;
/** Of an agent without tools: its sessions need no container. */
let plain: Scene;

beforeAll(async () => {
  scene = await Scene.open(server);
  plain = await Scene.open(server, { agent: { tools: [] } });
});

afterAll(async () => {
  await scene.close();
  await plain.close();
});

describe('a user.message', () => {
  it.each(BLOCKS)('can hold %s', async (_, block) => {
    const talk = await plain.newTalk();
    const tape = await talk.tape();
    const content: Block[] = [{ type: 'text', text: '= Seen.' }, block];
    const events = [{ type: 'user.message' as const, content }];
    const { data } = await plain.client.beta.sessions.events.send(talk.id, { events });
    expect(data).toMatchObject([{ type: 'user.message', content }]);
    const turn = await tape.untilIdle();
    expect(stopReasonOf(turn)).toBe('end_turn');
    const [kept] = ofType(await talk.history(), 'user.message');
    expect(kept!.content).toEqual(content);
  });
});

describe('an agent.tool_result', () => {
  it('holds the image that was read, as base64', async () => {
    const talk = await scene.newTalk();
    const path = '/tmp/pixel.png';
    const write = `$ echo ${PNG} | base64 -d > ${path}`;
    const turn = await talk.turn(`${write}\n@read ${JSON.stringify({ file_path: path })}\n= Seen.`);
    const source = { type: 'base64', media_type: 'image/png', data: PNG };
    expect(ofType(turn, 'agent.tool_result').at(-1)!.content).toEqual([{ type: 'image', source }]);
    expect(stopReasonOf(turn)).toBe('end_turn');
  });
});
