// docs: api/models/list and retrieve: the models of this server, through clients of both
// generations and both of their resources, with and without beta headers.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import AnthropicOld from 'anthropic-sdk-0-86';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { checkBody, conformingFetch } from '../helpers/conformance.ts';
import { ofType, Scene } from '../helpers/scene.ts';
import { startServer } from '../helpers/server.ts';

const { url, apiKey, scriptedModelUrl } = inject('server');
const options = { baseURL: url, apiKey, fetch: conformingFetch, maxRetries: 0 };
const client = new Anthropic(options);
const bearer = new Anthropic({ ...options, apiKey: null, authToken: apiKey });
const old = new AnthropicOld(options);
const MANAGED_AGENTS = 'managed-agents-2026-04-01';

const NEWEST = ['claude-fable-5-2', 'claude-mythos-5-2', 'claude-haiku-5-5'];

async function idsOf(models: AsyncIterable<{ id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of models) ids.push(id);
  return ids;
}

/** One request as it is, and its answer, which is held to the SDK's types. */
async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, { headers: { 'x-api-key': apiKey, ...headers } });
  const body = await response.json();
  checkBody(path, 'GET', response.status, body);
  return { status: response.status, body };
}

describe('list', () => {
  it('names the public models, more recently released ones first', async () => {
    const page = await client.models.list();
    expect(page.data.map(({ id }) => id).slice(0, 3)).toEqual(NEWEST);
    expect(page.data).toHaveLength(19);
    const { has_more: more, first_id: first, last_id: last } = page;
    expect([more, first, last]).toEqual([false, NEWEST[0], page.data.at(-1)!.id]);
    const times = page.data.map((model) => Date.parse(model.created_at));
    expect(times).toEqual(times.toSorted((left, right) => right - left));
  });

  it('is the same for every client, resource and header', async () => {
    const all = await idsOf(client.models.list());
    const lists = [
      bearer.models.list(),
      client.beta.models.list(),
      client.beta.models.list({ betas: [MANAGED_AGENTS] }),
      old.models.list(),
      old.beta.models.list(),
      old.beta.models.list({ betas: [MANAGED_AGENTS] }),
    ];
    for (const list of lists) expect(await idsOf(list)).toEqual(all);
  });

  it('pages forwards and backwards', async () => {
    const all = await idsOf(client.models.list());
    expect(await idsOf(client.models.list({ limit: 4 }))).toEqual(all);
    expect(await idsOf(old.models.list({ limit: 7 }))).toEqual(all);
    const second = await client.models.list({ limit: 2, after_id: all[1]! });
    expect([second.data.map(({ id }) => id), second.has_more]).toEqual([all.slice(2, 4), true]);
    const back = await client.models.list({ limit: 2, before_id: all[4]! });
    expect([back.data.map(({ id }) => id), back.has_more]).toEqual([all.slice(2, 4), true]);
    const start = await client.models.list({ limit: 5, before_id: all[4]! });
    expect([start.data.map(({ id }) => id), start.has_more]).toEqual([all.slice(0, 4), false]);
    const none = await client.models.list({ after_id: all.at(-1)! });
    expect([none.data, none.first_id, none.last_id]).toEqual([[], null, null]);
  });

  it('holds the stages of life that are asked for, by default all but the retired', async () => {
    const stages = async (...lifecycle: ('active' | 'deprecated' | 'retired')[]) =>
      idsOf(client.models.list({ lifecycle }));
    const [active, deprecated] = [await stages('active'), await stages('deprecated')];
    expect(deprecated).toContain('claude-sonnet-4-5-20250929');
    expect(active).not.toContain('claude-sonnet-4-5-20250929');
    expect(await stages('retired')).toEqual([]);
    const both = await stages('active', 'deprecated');
    expect(both).toEqual(await idsOf(client.models.list()));
    expect(active.length + deprecated.length).toBe(both.length);
  });

  it.each([
    ['limit=0', 'limit: expected a whole number from 1 to 1000'],
    ['limit=1001', 'limit: expected a whole number from 1 to 1000'],
    ['lifecycle[]=dead', 'lifecycle[]: expected one of "active", "deprecated", "retired"'],
    ['after_id=nobody', 'after_id: expected the id of a model of this list'],
    ['after_id=claude-opus-5&before_id=claude-opus-5', 'before_id: expected none beside after_id'],
    ['page=x', 'page: unknown field'],
  ])('%s is a 400 that says so', async (query, message) => {
    const { status, body } = await get(`/v1/models?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { type: 'invalid_request_error', message } });
  });
});

describe('retrieve', () => {
  it('says what a model takes and can do', async () => {
    expect(await client.models.retrieve('claude-sonnet-5-5')).toMatchObject({
      type: 'model',
      id: 'claude-sonnet-5-5',
      display_name: 'Claude Sonnet 5.5',
      created_at: '2026-09-28T00:00:00Z',
      line: 'sonnet',
      lifecycle: 'active',
      deprecated_at: null,
      retires_at: null,
      max_input_tokens: 1_000_000,
      max_tokens: 128_000,
      capabilities: {
        effort: { supported: true, xhigh: { supported: true } },
        image_input: { supported: true },
        thinking: {
          supported: true,
          types: {
            adaptive: { supported: true },
            between_tools: { supported: true },
            disabled: { supported: false },
            enabled: { supported: false },
          },
        },
      },
    });
    const retiring = await bearer.models.retrieve('claude-sonnet-4-5-20250929');
    expect(retiring).toMatchObject({ lifecycle: 'deprecated', retires_at: '2026-11-30T00:00:00Z' });
  });

  it('resolves an alias to the id of its model', async () => {
    const answers = [
      await client.models.retrieve('claude-haiku-4-5'),
      await client.beta.models.retrieve('claude-haiku-4-5', { betas: [MANAGED_AGENTS] }),
      await old.models.retrieve('claude-haiku-4-5'),
      await old.beta.models.retrieve('claude-haiku-4-5'),
    ];
    for (const { id } of answers) expect(id).toBe('claude-haiku-4-5-20251001');
  });

  it.each(['claude-none', 'claude-opus-5-20260724', 'claude-*', 'a/b'])(
    'of %s is a 404: only models by their names are there',
    async (id) => {
      await expect(client.models.retrieve(id)).rejects.toBeInstanceOf(Anthropic.NotFoundError);
      await expect(old.models.retrieve(id)).rejects.toThrow(`Model \`${id}\` was not found.`);
    },
  );
});

describe('without a beta header', () => {
  it('there are models, for a key and nobody else', async () => {
    expect((await get('/v1/models', { 'anthropic-version': '2023-06-01' })).status).toBe(200);
    const stranger = await get('/v1/models', { 'x-api-key': 'wrong' });
    expect(stranger.status).toBe(401);
    const elsewhere = await get('/v1/models', { 'anthropic-workspace-id': 'wrkspc_1' });
    expect(elsewhere.status).toBe(403);
  });

  it('a beta that nobody knows is still a 400', async () => {
    const answer = await get('/v1/models', { 'anthropic-beta': 'no-such-thing-2026-01-01' });
    expect(answer.status).toBe(400);
  });
});

describe('a file of models', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-models-'));
  const file = join(directory, 'models.json');
  afterAll(() => rmSync(directory, { recursive: true }));

  it('sends a model where it says, under the name it has there, and lists it', async () => {
    const endpoint = { type: 'messages', base_url: scriptedModelUrl, api_key_env: 'MY_MODEL_KEY' };
    const mine = { models: ['mine'], endpoint, upstream_model: 'theirs', context_window: 4_096 };
    writeFileSync(file, JSON.stringify([{ ...mine, display_name: 'Mine', scripted: true }]));
    const key = 'key-of-my-model';
    const server = await startServer({
      HOLDFAST_MODELS: file,
      HOLDFAST_MODEL_BASE_URL: 'http://127.0.0.1:1',
      MY_MODEL_KEY: key,
    });
    try {
      const scene = await Scene.open(server, { agent: { model: 'mine', tools: [] } });
      const { data } = await scene.client.models.list();
      expect(data).toMatchObject([{ id: 'mine', display_name: 'Mine', max_input_tokens: 4_096 }]);
      const talk = await scene.newTalk();
      const said = `= served ${server.pid}`;
      const types = (await talk.turn(said)).map(({ type }) => type);
      expect(types).toContain('agent.message');
      await scene.close();
      const recent = await fetch(`${scriptedModelUrl}/recent-requests?contains=${server.pid}`);
      expect(JSON.stringify(await recent.json())).toContain('"model":"theirs"');
      expect(server.lines().join('\n')).not.toContain(key);
    } finally {
      await server.close();
    }
  });

  it("says which effort is a model's own, as answers show it", async () => {
    const effort = { levels: ['low', 'medium'], default: 'medium' };
    writeFileSync(file, JSON.stringify([{ models: ['mine'], effort }]));
    const server = await startServer({ HOLDFAST_MODELS: file });
    try {
      const scene = await Scene.open(server, { agent: { model: 'mine', tools: [] } });
      const talk = await scene.newTalk();
      const tape = await talk.tape();
      const { agents, sessions } = scene.client.beta;
      const tools = [{ type: 'agent_toolset_20260401' as const }];
      const updated = await sessions.update(talk.id, { agent: { tools } });
      const [told] = ofType(await tape.untilType('session.updated'), 'session.updated');
      const shown = [
        await agents.retrieve(scene.agentId),
        ...(await agents.list()).data,
        updated.agent,
        told!.agent,
        ...(await sessions.list()).data.map(({ agent }) => agent),
        ...(await sessions.threads.list(talk.id)).data.map(({ agent }) => agent),
      ];
      expect(shown).toHaveLength(6);
      const model = { id: 'mine', effort: { type: 'medium' } };
      for (const agent of shown) expect(agent).toMatchObject({ model });
      await scene.close();
    } finally {
      await server.close();
    }
  });
});
