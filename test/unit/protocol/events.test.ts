// Events: every variant the SDK types parses, and what a client sends is checked before it can do
// harm. docs: managed-agents/events-and-streaming; behaviour.md 6.

import { describe, expect, test } from 'vitest';
import {
  type ClientEventParams,
  clientEventShape,
  listEventsQuery,
  sendEventsRequest,
  streamEventShape,
} from '../../../protocol/events.ts';
import { parseBody, parseQuery } from '../../../protocol/parse.ts';
import { CLIENT_EVENTS, STREAM_EVENTS } from './event-examples.ts';

const send = (...events: unknown[]) => parseBody(sendEventsRequest, { events });
const say = (...content: unknown[]) => send({ type: 'user.message', content });
const TEXT = { type: 'text', text: 'hi' };

describe('the stream', () => {
  test.each(Object.values(STREAM_EVENTS))('$type parses, and comes out as it went in', (event) => {
    expect(streamEventShape.parse(event)).toEqual(event);
  });

  test.each(Object.values(STREAM_EVENTS))(
    '$type takes no field that is not documented',
    (event) => {
      expect(streamEventShape.safeParse({ ...event, made_up: 1 }).success).toBe(false);
    },
  );

  test('the history can be filtered by every type that it holds', () => {
    const streamed = ['event_start', 'event_delta', 'session.deleted'];
    for (const type of Object.keys(STREAM_EVENTS)) {
      const read = () => parseQuery(listEventsQuery, { 'types[]': type });
      if (streamed.includes(type)) expect(read).toThrow(/^types\[\]: expected one of/);
      else expect(read().types).toEqual([type]);
    }
  });
});

describe('a send', () => {
  test.each(Object.values(CLIENT_EVENTS))('$type parses, and comes out as it went in', (event) => {
    expect(clientEventShape.parse(event)).toEqual(event);
  });

  test('all of it or nothing: one wrong event refuses the batch and is named', () => {
    expect(() =>
      send(CLIENT_EVENTS['user.message'], { type: 'user.interrupt', now: true }),
    ).toThrow('events.1.now: unknown field');
  });

  test('an event that only the server emits is refused', () => {
    expect(() => send(STREAM_EVENTS['agent.message'])).toThrow(/^events\.0\.type: expected one of/);
  });

  test('ids and times are the server’s to give', () => {
    expect(() => send({ ...CLIENT_EVENTS['user.message'], id: 'sevt_1' })).toThrow(
      'events.0.id: unknown field',
    );
  });

  test('a thousand events are the most', () => {
    expect(send(...Array<unknown>(1000).fill(CLIENT_EVENTS['user.interrupt'])).events).toHaveLength(
      1000,
    );
    expect(() => send(...Array<unknown>(1001).fill(CLIENT_EVENTS['user.interrupt']))).toThrow(
      'events: expected at most 1000 entries',
    );
  });

  const image = (source: object) => ({ type: 'image', source });
  const file = (source: object) => ({ type: 'document', source });
  test.each([
    [TEXT],
    [image({ type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' })],
    [image({ type: 'url', url: 'https://a.com/x.png' })],
    [file({ type: 'base64', media_type: 'application/pdf', data: 'JVBERi0x' })],
    [file({ type: 'text', media_type: 'text/plain', data: 'words' })],
  ])('content %j is taken', (block) => {
    expect(say(block).events[0]).toEqual({ type: 'user.message', content: [block] });
  });

  test.each<[object, string]>([
    [{ type: 'text', text: '' }, 'text'],
    [{ type: 'text', text: ' \n\t' }, 'text'],
    [{ type: 'redacted' }, ''],
    [{ type: 'tool_use' }, 'type'],
    [image({ type: 'base64', media_type: 'image/bmp', data: 'aaaa' }), 'source.media_type'],
    [image({ type: 'base64', media_type: 'image/png', data: 'not base64' }), 'source.data'],
    [image({ type: 'base64', media_type: 'image/png', data: '' }), 'source.data'],
    [image({ type: 'base64', media_type: 'image/png', data: 'aaa' }), 'source.data'],
    [image({ type: 'url', url: 'ftp://a.com/x' }), 'source.url'],
    [image({ type: 'url', url: 'https://user:secret@a.com/x' }), 'source.url'],
    [file({ type: 'text', media_type: 'text/html', data: 'x' }), 'source.media_type'],
    [file({ type: 'file', file_id: 'sesn_1' }), 'source.file_id'],
  ])('content %j is refused', (block, field) => {
    const path = field === '' ? 'events.0.content.0: ' : `events.0.content.0.${field}: `;
    expect(() => say(block)).toThrow(path);
  });

  test('a message without content is refused', () => {
    expect(() => say()).toThrow('events.0.content: expected at least 1 entry');
  });

  test('a refusal never repeats what was sent', () => {
    const secret = 'https://user:hunter2@a.com/x';
    expect(() => say(image({ type: 'url', url: secret }))).toThrow(/^(?!.*hunter2)/);
  });

  test('a reason is only for a denial', () => {
    const confirmation = { ...CLIENT_EVENTS['user.tool_confirmation'], deny_message: 'no' };
    expect(() => send(confirmation)).toThrow(/^events\.0\.deny_message: only allowed/);
    expect(() => send({ ...confirmation, result: 'deny' })).not.toThrow();
  });

  test('tool uses are named by the id of their event', () => {
    expect(() => send({ ...CLIENT_EVENTS['user.tool_result'], tool_use_id: 'toolu_1' })).toThrow(
      'events.0.tool_use_id: expected an id that begins with sevt_',
    );
  });

  const message = CLIENT_EVENTS['user.message'];
  const system = CLIENT_EVENTS['system.message'];
  test.each<[ClientEventParams[]]>([
    [[message, system]],
    [[CLIENT_EVENTS['user.tool_result'], system]],
    [[system]],
  ])('a system.message may be last %#', (events) => {
    expect(() => send(...events)).not.toThrow();
  });

  test.each<[ClientEventParams[], string]>([
    [[system, message], 'events.0: '],
    [[message, system, system], 'events.1: '],
    [[CLIENT_EVENTS['user.interrupt'], system], 'events.1: '],
    [[CLIENT_EVENTS['user.define_outcome'], CLIENT_EVENTS['user.define_outcome']], 'events.1: '],
  ])('events that cannot stand together are refused %#', (events, path) => {
    expect(() => send(...events)).toThrow(path);
  });
});
