// Which model endpoint the settings choose, what is listed then, and which keys are hidden.
// The choice is pure but for the file of models.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../../main/config.ts';
import {
  isScripted,
  knownSecrets,
  modelChoice,
  modelRoutes,
} from '../../../main/models/model-routes.ts';
import type { ModelChoice } from '../../../main/models/model-routes.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-routes-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A data directory beside which there is no file of models. */
const DATA = { HOLDFAST_DATA: join(directory, 'none', 'data') };

function choose(environment: Record<string, string>, ownKeys: string[] = []): ModelChoice {
  const { config, secrets } = readConfig({ ...DATA, ...environment });
  return modelChoice(config, secrets, ownKeys);
}

/** The choice with such a file of models, other settings beside it. */
function chooseWith(entries: object[], environment: Record<string, string> = {}): ModelChoice {
  const file = join(directory, 'models.json');
  writeFileSync(file, JSON.stringify(entries));
  return choose({ HOLDFAST_MODELS: file, ...environment });
}

const at = (host: string, more: object = {}) => ({
  type: 'messages',
  base_url: `http://${host}`,
  ...more,
});
const listed = (choice: ModelChoice) => choice.models.list().map(({ id }) => id);
const KEY = { HOLDFAST_MODEL_API_KEY: 'key' };
const PUBLIC_COUNT = listed(choose({})).length;

describe('the model', () => {
  it('is scripted where nothing is set', () => {
    const choice = choose({});
    expect(isScripted(choice)).toBe(true);
    expect(modelRoutes(choice, 'http://script')).toEqual([
      {
        model: '*',
        endpoint: { type: 'messages', baseUrl: 'http://script', apiKey: 'none' },
        upstreamModel: null,
        isScripted: true,
      },
    ]);
  });

  it('is Anthropic’s with a key, and the server’s own variable comes first', () => {
    const choice = choose({ HOLDFAST_MODEL_API_KEY: 'ours', ANTHROPIC_API_KEY: 'theirs' });
    expect(choice.upstream).toEqual({ baseUrl: 'https://api.anthropic.com', apiKey: 'ours' });
    expect(choose({ ANTHROPIC_API_KEY: 'theirs' }).upstream?.apiKey).toBe('theirs');
  });

  it('a key of this server in ANTHROPIC_API_KEY is no model key', () => {
    expect(isScripted(choose({ ANTHROPIC_API_KEY: 'sk-holdfast-abc' }))).toBe(true);
    expect(isScripted(choose({ ANTHROPIC_API_KEY: 'mine' }, ['mine']))).toBe(true);
  });

  it('an endpoint without a key is used without one', () => {
    const choice = choose({ HOLDFAST_MODEL_BASE_URL: 'http://127.0.0.1:11434' });
    expect(choice.upstream?.baseUrl).toBe('http://127.0.0.1:11434');
    expect(isScripted(choice)).toBe(false);
  });

  it('the clients’ ANTHROPIC_BASE_URL changes nothing', () => {
    expect(isScripted(choose({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:8787' }))).toBe(true);
  });

  it.each([
    ['postgres://me:pass%2Fword@db/x', ['pass%2Fword', 'pass/word']],
    ['postgres://me:plain@db/x', ['plain']],
    ['postgres://me@db/x', []],
  ])('the password in %s is known as it is written and as it is meant', (url, passwords) => {
    const { config, secrets } = readConfig({ ...DATA, HOLDFAST_DATABASE_URL: url });
    expect(knownSecrets(secrets, modelChoice(config, secrets, []), [])).toEqual(passwords);
  });
});

describe('the file of models', () => {
  it('sends exact ids first, then the longest pattern, then the rest elsewhere', () => {
    const choice = chooseWith([
      { models: ['claude-*'], endpoint: at('a') },
      { models: ['claude-opus-*', 'gpt-*'], endpoint: at('b') },
      { models: ['claude-opus-5'], endpoint: at('c'), upstream_model: 'opus' },
    ]);
    const routes = modelRoutes(choice, 'http://script');
    expect(routes.map(({ model }) => model)).toEqual([
      'claude-opus-5',
      'claude-opus-*',
      'claude-*',
      'gpt-*',
      '*',
    ]);
    expect(routes[0]).toMatchObject({ endpoint: { baseUrl: 'http://c' }, upstreamModel: 'opus' });
    // One entry is one endpoint, so that it is one client.
    expect(routes[1]!.endpoint).toBe(routes[3]!.endpoint);
  });

  it('an id is served under its other name as well, unless that has an entry', () => {
    const ids = (entries: object[]) =>
      chooseWith(entries).routes.map(({ model, endpoint }) => [
        model,
        'baseUrl' in endpoint && endpoint.baseUrl,
      ]);
    const haiku = { models: ['claude-haiku-4-5'], endpoint: at('a') };
    expect(ids([haiku])).toEqual([
      ['claude-haiku-4-5', 'http://a'],
      ['claude-haiku-4-5-20251001', 'http://a'],
    ]);
    const dated = { models: ['claude-haiku-4-5-20251001'], endpoint: at('b') };
    expect(ids([haiku, dated])).toEqual([
      ['claude-haiku-4-5', 'http://a'],
      ['claude-haiku-4-5-20251001', 'http://b'],
    ]);
  });

  it('stands beside the data directory where no setting names it', () => {
    const home = join(directory, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'holdfast.models.json'), '[{ "models": ["mine"] }]');
    const choice = choose({ HOLDFAST_DATA: join(home, '.holdfast') });
    expect(choice.models.findListed('mine')).toBeDefined();
  });

  it('takes keys from the variables it names, and they are known as secrets', () => {
    const bedrock = {
      type: 'bedrock',
      region: 'eu-west-1',
      access_key_id_env: 'AWS_ID',
      secret_access_key_env: 'AWS_SECRET',
      session_token_env: 'AWS_TOKEN',
    };
    const entries = [
      { models: ['a'], endpoint: at('a', { api_key_env: 'GATEWAY_KEY' }) },
      { models: ['b'], endpoint: bedrock },
      { models: ['c'], endpoint: { type: 'bedrock', region: 'r', api_key_env: 'GATEWAY_KEY' } },
      { models: ['d'], endpoint: { type: 'vertex', region: 'global', project: 'p' } },
    ];
    const variables = { GATEWAY_KEY: 'g', AWS_ID: 'id', AWS_SECRET: 's', AWS_TOKEN: 't' };
    const choice = chooseWith(entries, variables);
    expect(modelRoutes(choice, null).map(({ endpoint }) => endpoint)).toEqual([
      { type: 'messages', baseUrl: 'http://a', apiKey: 'g' },
      {
        type: 'bedrock',
        region: 'eu-west-1',
        baseUrl: null,
        apiKey: null,
        credentials: { accessKeyId: 'id', secretKey: 's', sessionToken: 't' },
      },
      { type: 'bedrock', region: 'r', baseUrl: null, apiKey: 'g', credentials: null },
      { type: 'vertex', region: 'global', project: 'p', baseUrl: null },
    ]);
    const { secrets } = readConfig(variables);
    expect(knownSecrets(secrets, choice, ['own'])).toEqual(['own', 'g', 's', 't']);
  });

  it('a variable that is not set stops only a process that calls models, and says where', () => {
    const choice = chooseWith([{ models: ['a'], endpoint: at('a', { api_key_env: 'NOT_SET' }) }]);
    expect(listed(choice)).toContain('a');
    expect(() => modelRoutes(choice, 'http://script')).toThrow(
      /models\.json:1:\d+: the variable NOT_SET is not set\.$/,
    );
  });

  it('prices count with the scripted model as they would elsewhere', () => {
    const own = { models: ['mine'], price: { input: 1, output: 2 } };
    const { models } = chooseWith([own]);
    expect(models.find('claude-opus-5')?.price?.rates.input).toBe('5');
    expect(models.find('mine')?.price?.rates).toMatchObject({ output: '2', cacheRead: '1' });
    expect(models.find('another')).toBeUndefined();
  });
});

describe('listed is', () => {
  it('the public table with a key for Anthropic and with the scripted model', () => {
    expect(PUBLIC_COUNT).toBe(19);
    expect(listed(choose(KEY))).toHaveLength(PUBLIC_COUNT);
  });

  it('nothing of it where everything goes to an endpoint of one’s own', () => {
    const gateway = { HOLDFAST_MODEL_BASE_URL: 'http://gateway' };
    expect(listed(choose(gateway))).toEqual([]);
    const named = [{ models: ['claude-opus-5', 'mine', 'more-*'] }];
    expect(listed(chooseWith(named, gateway))).toEqual(['claude-opus-5', 'mine']);
  });

  it('the exact ids of the file besides, and no public model that is sent elsewhere', () => {
    const file = [
      { models: ['local', 'claude-haiku-4-5'], endpoint: at('a') },
      { models: ['claude-haiku-*'], endpoint: at('b') },
    ];
    const ids = listed(chooseWith(file, KEY));
    expect(ids).toContain('local');
    expect(ids).toContain('claude-haiku-4-5-20251001');
    expect(ids).not.toContain('claude-haiku-5-5');
    expect(ids).toHaveLength(PUBLIC_COUNT);
  });

  it('the public table where a pattern leads to a scripted model or to Anthropic', () => {
    const scripted = { models: ['*'], endpoint: at('script'), scripted: true };
    expect(listed(chooseWith([scripted], KEY))).toHaveLength(PUBLIC_COUNT);
    const hosted = { type: 'messages', base_url: 'https://api.anthropic.com' };
    const gateway = { HOLDFAST_MODEL_BASE_URL: 'http://gateway' };
    const choice = chooseWith([{ models: ['claude-*'], endpoint: hosted }], gateway);
    expect(listed(choice)).toHaveLength(PUBLIC_COUNT);
  });
});
