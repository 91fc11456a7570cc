// Which model endpoint the settings choose.
// The choice is pure but for the table of routes, which is a file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../../main/config.ts';
import { isScripted, knownSecrets, modelChoice, modelRoutes } from '../../../main/model-routes.ts';
import type { ModelChoice } from '../../../main/model-routes.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-routes-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function choose(environment: Record<string, string>, ownKeys: string[] = []): ModelChoice {
  const { config, secrets } = readConfig(environment);
  return modelChoice(config, secrets, ownKeys);
}

function routesFile(content: unknown): string {
  const file = join(directory, 'routes.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('the model', () => {
  it('is scripted where nothing is set', () => {
    const choice = choose({});
    expect(isScripted(choice)).toBe(true);
    expect(modelRoutes(choice, 'http://script')).toMatchObject([
      { model: '*', baseUrl: 'http://script', isScripted: true },
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

  it('in a table of routes, exact ids stand first, then the longest prefix', () => {
    const file = routesFile({
      'claude-*': { base_url: 'http://a', api_key: 'secret-a' },
      'claude-opus-*': { base_url: 'http://b' },
      'claude-opus-5': { base_url: 'http://c' },
    });
    const choice = choose({ HOLDFAST_MODEL_ROUTES: file });
    const models = modelRoutes(choice, 'http://script').map(({ model }) => model);
    expect(models).toEqual(['claude-opus-5', 'claude-opus-*', 'claude-*', '*']);
    const { secrets } = readConfig({});
    expect(knownSecrets(secrets, choice, ['own'])).toEqual(['own', 'secret-a']);
  });

  it.each([
    ['postgres://me:pass%2Fword@db/x', ['pass%2Fword', 'pass/word']],
    ['postgres://me:plain@db/x', ['plain']],
    ['postgres://me@db/x', []],
  ])('the password in %s is known as it is written and as it is meant', (url, passwords) => {
    const { config, secrets } = readConfig({ HOLDFAST_DATABASE_URL: url });
    expect(knownSecrets(secrets, modelChoice(config, secrets, []), [])).toEqual(passwords);
  });

  it.each([
    ['{', /HOLDFAST_MODEL_ROUTES.*cannot be used/],
    [{ x: { base_url: 'no url' } }, /x\.base_url/],
    [{ x: { base_url: 'http://x', apikey: 'y' } }, /apikey/],
  ])('a table that cannot be read is refused: %o', (content, sentence) => {
    expect(() => choose({ HOLDFAST_MODEL_ROUTES: routesFile(content) })).toThrow(sentence);
  });
});
