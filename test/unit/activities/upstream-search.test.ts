// A search by the model provider's own tool: the real client against an endpoint on loopback that
// streams as the Messages API does.

import { afterEach, expect, test } from 'vitest';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createModelClient } from '../../../activities/model/anthropic.ts';
import { createUpstreamSearch } from '../../../activities/model/upstream-search.ts';

const MODEL = 'claude-haiku-4-5';
const URL_A = 'https://a.example.com/';
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function event(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
}

function streamOf(...blocks: object[]): string {
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: MODEL, usage };
  const start = { ...message, content: [], stop_reason: null, stop_sequence: null };
  return [
    event('message_start', { message: start }),
    ...blocks.flatMap((content_block, index) => [
      event('content_block_start', { index, content_block }),
      event('content_block_stop', { index }),
    ]),
    event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage }),
    event('message_stop', {}),
  ].join('');
}

async function upstream(status: number, answer: string) {
  const requests: { tools?: unknown; tool_choice?: unknown; messages: unknown }[] = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      requests.push(JSON.parse(body) as never);
      const type = status === 200 ? 'text/event-stream' : 'application/json';
      response.writeHead(status, { 'content-type': type }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoint = { type: 'messages' as const, baseUrl, apiKey: 'key' };
  const route = { model: '*', endpoint, upstreamModel: null, isScripted: false };
  return { requests, search: createUpstreamSearch(await createModelClient([route]), MODEL) };
}

const { signal } = new AbortController();
const results = (content: unknown) => ({
  type: 'web_search_tool_result',
  tool_use_id: 'srvtoolu_1',
  content,
});
const result = (url: string, title: string, page_age: string | null) => ({
  type: 'web_search_result',
  url,
  title,
  page_age,
  encrypted_content: 'sealed',
});

test('one search is asked for, and each page comes with what the model quoted of it', async () => {
  const quote = {
    type: 'web_search_result_location',
    url: URL_A,
    title: 'A',
    cited_text: 'High water is at noon.',
    encrypted_index: 'x',
  };
  const answer = streamOf(
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'tide' } },
    results([result(URL_A, 'A', '2 days ago'), result('https://b.example.com/', 'B', null)]),
    { type: 'text', text: 'The tide is high at noon.', citations: [quote] },
  );
  const { requests, search } = await upstream(200, answer);
  const location = { type: 'approximate' as const, country: 'DE' };
  expect(await search({ query: 'tide', location }, signal)).toEqual([
    {
      url: URL_A,
      title: 'A',
      text: 'High water is at noon.\nThe tide is high at noon.\nAge of the page: 2 days ago',
    },
    { url: 'https://b.example.com/', title: 'B', text: '' },
  ]);
  expect(requests).toMatchObject([
    {
      model: MODEL,
      tools: [{ type: 'web_search_20250305', max_uses: 1, user_location: location }],
      tool_choice: { type: 'tool', name: 'web_search' },
      messages: [{ role: 'user', content: expect.stringContaining('tide') }],
    },
  ]);
});

test.each([
  ['too_many_requests', 'too_many_requests'],
  ['max_uses_exceeded', 'unavailable'],
])('the search error %s is the result %s', async (error_code, code) => {
  const error = { type: 'web_search_tool_result_error', error_code };
  const { search } = await upstream(200, streamOf(results(error)));
  await expect(search({ query: 'tide', location: null }, signal)).rejects.toMatchObject({ code });
});

test.each([
  [429, 'too_many_requests'],
  [400, 'unavailable'],
  [500, 'unavailable'],
])('an endpoint that answers %i is the result %s, without its text', async (status, code) => {
  const { search } = await upstream(status, '{"error":{"message":"internal detail"}}');
  await expect(search({ query: 'tide', location: null }, signal)).rejects.toMatchObject({
    code,
    message: `${code}: the model provider did not search`,
  });
});

test('an abort is thrown with its reason', async () => {
  const { search } = await upstream(200, '');
  const aborted = AbortSignal.abort(new Error('interrupted'));
  await expect(search({ query: 'tide', location: null }, aborted)).rejects.toThrow('interrupted');
});
