// A broken request is refused with the field at fault, as the upstream would: what our own caller
// must never send. Also the other routes, and the program as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import Anthropic from '@anthropic-ai/sdk';
import { startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const HEADERS = {
  'x-api-key': 'x',
  'anthropic-version': '2023-06-01',
  'content-type': 'application/json',
};

async function post(body: unknown, headers: Record<string, string> = HEADERS): Promise<string> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(`${model.url}/v1/messages`, { method: 'POST', headers, body: text });
  const json = (await answer.json()) as {
    error?: { type: string; message: string };
    request_id?: string;
  };
  expect(answer.headers.get('request-id')).toMatch(/^req_01/);
  if (json.error === undefined) return `${answer.status}`;
  expect(json.request_id).toBe(answer.headers.get('request-id'));
  return `${answer.status} ${json.error.type} ${json.error.message}`;
}

const user = (content: unknown): object => ({ role: 'user', content });
const assistant = (content: unknown): object => ({ role: 'assistant', content });
const text = (value: string): object => ({ type: 'text', text: value });
const use = (id: string): object => ({ type: 'tool_use', id, name: 'bash', input: {} });
const result = (id: string): object => ({ type: 'tool_result', tool_use_id: id, content: 'ok' });
const request = (messages: unknown, rest: object = {}): object => {
  return { model: 'm', max_tokens: 5000, messages, ...rest };
};
const hello = [user('hello')];

describe('the request', () => {
  it.each<[string, unknown, RegExp]>([
    ['invalid JSON', '{', /body: valid JSON/],
    ['no object', '[]', /body: a JSON object/],
    ['no model', { max_tokens: 1, messages: hello }, /^400 invalid_request_error model:/],
    ['no max_tokens', { model: 'm', messages: hello }, /max_tokens: the field is required/],
    ['no messages', request([]), /messages: at least one/],
    ['an unknown field', request(hello, { max_token: 1 }), /max_token: no such field/],
    ['a tool without a schema', request(hello, { tools: [{ name: 'a' }] }), /tools\.0\.input_sch/],
    ['a bad tool name', request(hello, { tools: [{ name: 'a b' }] }), /tools\.0\.name/],
    [
      'a tool twice',
      request(hello, {
        tools: [1, 2].map(() => ({ name: 'a', input_schema: { type: 'object' } })),
      }),
      /tools: tool names must differ/,
    ],
    [
      'a thinking budget beyond the limit',
      request(hello, { thinking: { type: 'enabled', budget_tokens: 5000 } }),
      /max_tokens: it must be greater/,
    ],
    [
      'an unknown effort',
      request(hello, { output_config: { effort: 'huge' } }),
      /output_config\.effort: one of low, medium, high, xhigh, max/,
    ],
    [
      'an unknown output setting',
      request(hello, { output_config: { efort: 'low' } }),
      /output_config\.efort: no such field/,
    ],
    [
      'five breakpoints',
      request(
        [
          user(
            [1, 2, 3, 4].map((n) => ({ ...text(`${n}`), cache_control: { type: 'ephemeral' } })),
          ),
        ],
        { cache_control: { type: 'ephemeral' } },
      ),
      /at most 4 breakpoints are allowed, 5 were found/,
    ],
  ])('with %s is refused', async (_, body, message) => {
    expect(await post(body)).toMatch(message);
  });

  it('may name an effort', async () => {
    for (const effort of ['low', 'max', null]) {
      expect(await post(request(hello, { output_config: { effort } }))).toBe('200');
    }
  });

  it('without a key or a version is refused', async () => {
    const { 'x-api-key': key, ...keyless } = HEADERS;
    expect(await post(request(hello), keyless)).toMatch(/^401 authentication_error/);
    expect(await post(request(hello), { 'x-api-key': key })).toMatch(/^400 .*anthropic-version/);
    const bearer = { ...keyless, authorization: 'Bearer x' };
    expect(await post(request(hello), bearer)).toBe('200');
  });
});

describe('the transcript', () => {
  it.each<[string, unknown[], RegExp]>([
    ['an empty text', [user([text('')])], /messages\.0\.content\.0: a text block may not be empty/],
    ['a blank text', [user([text(' \n')])], /blank/],
    ['an empty message', [user([])], /messages\.0: a message may not be empty/],
    ['the assistant first', [assistant('hi'), user('hi')], /first message must be a user/],
    ['the assistant last', [user('hi'), assistant('hi')], /prefill is not supported/],
    ['a tool use by the user', [user([use('a')])], /belongs into an assistant message/],
    [
      'an unknown block field',
      [user([{ ...text('a'), id: 'x' }])],
      /content\.0\.id: no such field/,
    ],
    [
      'an unanswered tool use',
      [user('hi'), assistant([use('a'), use('b')]), user([result('a')])],
      /messages\.2: tool_use without a tool_result right after it: b/,
    ],
    [
      'an unanswered tool use far back',
      [user('hi'), assistant([use('a')]), user('no'), assistant('ok'), user('hi')],
      /right after it: a/,
    ],
    [
      'a result of an unknown id',
      [user('hi'), assistant([use('a')]), user([result('a'), result('b')])],
      /messages\.2: tool_result of b/,
    ],
    [
      'two results of one id',
      [user('hi'), assistant([use('a')]), user([result('a'), result('a')])],
      /messages\.2: tool_result of a/,
    ],
    [
      'a result behind a text',
      [user('hi'), assistant([use('a')]), user([text('x'), result('a')])],
      /results must come first/,
    ],
    [
      'a tool name of odd characters',
      [user('hi'), assistant([{ ...use('a'), name: 'a b' }]), user([result('a')])],
      /content\.0\.name: 1 to 128 letters/,
    ],
    [
      'thinking at the end of a message',
      [user('hi'), assistant([text('a'), { type: 'redacted_thinking', data: 'eA==' }]), user('hi')],
      /messages\.1: the last block of an assistant message may not be redacted_thinking/,
    ],
    [
      'one id used twice',
      [user('hi'), assistant([use('a'), use('a')]), user([result('a')])],
      /tool_use ids must differ/,
    ],
  ])('with %s is refused', async (_, messages, message) => {
    expect(await post(request(messages))).toMatch(message);
  });

  it('with neighbours of one role counts them as one turn', async () => {
    const messages = [
      user('hi'),
      assistant([use('a')]),
      assistant([use('b')]),
      user([result('b')]),
      user([result('a')]),
      user('steering'),
    ];
    expect(await post(request(messages))).toBe('200');
  });
});

describe('other routes', () => {
  it('models are listed and any id is known', async () => {
    const page = await model.client.models.list();
    expect(page.data.map(({ id }) => id)).toEqual(['scripted-model']);
    expect((await model.client.models.retrieve('claude-x')).id).toBe('claude-x');
  });

  it('an unknown route is a 404 with the documented body', async () => {
    const answer = await fetch(`${model.url}/v1/nothing`, { headers: HEADERS });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { type: 'not_found_error' } });
  });

  it('health needs no key', async () => {
    expect((await fetch(`${model.url}/healthz`)).status).toBe(200);
  });
});

describe('the program', () => {
  const start = (...options: string[]) =>
    spawn(process.execPath, ['scripted-model/server.ts', ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it('prints its port in one JSON line, answers, and ends on SIGTERM', async () => {
    const child = start('--port', '0', '--delay-ms', '0');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { port } = JSON.parse(line) as { port: number };
    const client = new Anthropic({ baseURL: `http://127.0.0.1:${port}`, apiKey: 'x' });
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: '= here' }];
    const reply = await client.messages.create({ model: 'm', max_tokens: 99, messages });
    expect(reply.content).toMatchObject([{ text: 'here' }]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('names an option that it cannot use', async () => {
    const child = start('--port', 'many');
    const [line] = (await once(createInterface(child.stderr), 'line')) as [string];
    expect(line).toContain('--port');
    expect(await once(child, 'exit')).toEqual([2, null]);
  });
});
