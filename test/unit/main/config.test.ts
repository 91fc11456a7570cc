// The settings: defaults that work, sentences that name the wrong variable, secrets that do not
// print.
// Pure: an environment is passed in, none is read.
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  SANDBOX_CPUS,
  SANDBOX_MEMORY_BYTES,
  SANDBOX_PAUSE_MS,
  SANDBOX_PIDS,
  SANDBOX_STOP_MS,
} from '../../../protocol/limits.ts';
import { exampleEnvironment, readConfig } from '../../../main/config.ts';

describe('settings', () => {
  it('with nothing set, everything is embedded, local and scripted', () => {
    const { config, secrets } = readConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8787,
      embeddedDatabase: true,
      temporal: { address: null, embeddedPort: 7233, embeddedUiPort: 8233, previews: true },
      model: { baseUrl: null },
    });
    expect(secrets.get('modelApiKey')).toBeNull();
  });

  it('a sandbox has the limits of the sandbox room where none are set', () => {
    const { memoryMb, cpus, pids, pauseMs, stopMs } = readConfig({}).config.sandbox;
    expect({ memoryBytes: memoryMb * 1024 * 1024, cpus, pids }).toEqual({
      memoryBytes: SANDBOX_MEMORY_BYTES,
      cpus: SANDBOX_CPUS,
      pids: SANDBOX_PIDS,
    });
    expect({ pauseMs, stopMs }).toEqual({ pauseMs: SANDBOX_PAUSE_MS, stopMs: SANDBOX_STOP_MS });
  });

  it('a search provider is the one whose setting is there', () => {
    const searchOf = (environment: Record<string, string>) => readConfig(environment).config.web;
    expect(searchOf({}).search).toBeNull();
    expect(searchOf({ HOLDFAST_SEARCH_URL: 'http://searx:8080' }).search).toBe('searxng');
    expect(searchOf({ HOLDFAST_BRAVE_API_KEY: 'key' }).search).toBe('brave');
    expect(searchOf({ HOLDFAST_SEARCH: 'upstream' }).search).toBe('upstream');
  });

  it('private hosts are names, addresses and ranges', () => {
    const list = 'wiki.corp, 10.2.0.0/16,::1,, docs_1';
    const { privateHosts } = readConfig({ HOLDFAST_WEB_PRIVATE_HOSTS: list }).config.web;
    expect(privateHosts).toEqual(['wiki.corp', '10.2.0.0/16', '::1', 'docs_1']);
    expect(readConfig({}).config.web.privateHosts).toEqual([]);
  });

  it('an empty variable counts as unset', () => {
    expect(readConfig({ HOLDFAST_PORT: ' ', HOLDFAST_DATABASE_URL: '' }).config).toMatchObject({
      port: 8787,
      embeddedDatabase: true,
    });
  });

  it.each([
    [undefined, {}],
    ['off', {}],
    ['hosted', { create: 300, read: 1200 }],
    ['create=10, streams=5', { create: 10, streams: 5 }],
    ['hosted,read=60,write=30,requests=8', { create: 300, read: 60, write: 30, requests: 8 }],
  ])('limits of a key: %s', (text, limits) => {
    const environment = text === undefined ? {} : { HOLDFAST_RATE_LIMITS: text };
    expect(readConfig(environment).config.rateLimits).toEqual(limits);
  });

  it.each(['on', 'create', 'create=0', 'create=-1', 'create=1e9', 'reads=5', 'hosted,', '=5'])(
    'limits that are none are refused: %s',
    (text) => {
      expect(() => readConfig({ HOLDFAST_RATE_LIMITS: text })).toThrow(
        'HOLDFAST_RATE_LIMITS must be off, hosted, or figures such as create=300',
      );
    },
  );

  it('the settings cannot be changed afterwards', () => {
    const { config } = readConfig({});
    expect(Object.isFrozen(config) && Object.isFrozen(config.temporal)).toBe(true);
  });

  it.each([
    [{ HOLDFAST_PROT: '1' }, 'HOLDFAST_PROT is no setting'],
    [{ HOLDFAST_PORT: 'http' }, 'HOLDFAST_PORT must be a port, 0 to 65535'],
    [{ HOLDFAST_PORT: '65536' }, 'HOLDFAST_PORT must be a port, 0 to 65535'],
    [{ HOLDFAST_SANDBOX_PIDS: '0' }, 'HOLDFAST_SANDBOX_PIDS must be a whole number above 0'],
    [{ HOLDFAST_TEMPORAL_PREVIEWS: 'no' }, 'HOLDFAST_TEMPORAL_PREVIEWS must be one of on, off'],
    [{ HOLDFAST_DATABASE_URL: 'mysql://x' }, 'HOLDFAST_DATABASE_URL must be postgres://'],
    [{ HOLDFAST_TEMPORAL_ADDRESS: 'https://x' }, 'HOLDFAST_TEMPORAL_ADDRESS must be host:port'],
    [
      { HOLDFAST_TEMPORAL_ADDRESS: 'temporal:7233', HOLDFAST_TEMPORAL_UI_PORT: '1' },
      'HOLDFAST_TEMPORAL_UI_PORT is for the embedded Temporal',
    ],
    [{ HOLDFAST_TEMPORAL_TLS: 'on' }, 'need HOLDFAST_TEMPORAL_ADDRESS'],
    [
      { HOLDFAST_SANDBOX_PAUSE_MS: '10', HOLDFAST_SANDBOX_STOP_MS: '5' },
      'HOLDFAST_SANDBOX_STOP_MS must not be below',
    ],
    [
      { HOLDFAST_SEARCH_URL: 'http://searx:8080', HOLDFAST_BRAVE_API_KEY: 'key' },
      'HOLDFAST_SEARCH_URL, HOLDFAST_BRAVE_API_KEY and HOLDFAST_SEARCH each name',
    ],
    [{ HOLDFAST_SEARCH: 'google' }, 'HOLDFAST_SEARCH must be one of upstream'],
    [{ HOLDFAST_WEB_PRIVATE_HOSTS: 'http://x' }, 'HOLDFAST_WEB_PRIVATE_HOSTS must be host names'],
    [{ HOLDFAST_WEB_PRIVATE_HOSTS: '10.0.0.0/99' }, 'HOLDFAST_WEB_PRIVATE_HOSTS must be host'],
  ])('%o is refused in a sentence that names the variable', (environment, sentence) => {
    expect(() => readConfig(environment)).toThrow(sentence);
  });

  it('variables of the tests are nobody’s mistake', () => {
    expect(() => readConfig({ HOLDFAST_TEST_ANYTHING: '1' })).not.toThrow();
  });

  it('secrets do not print, not even inside other objects', () => {
    const { secrets, config } = readConfig({
      HOLDFAST_API_KEY: 'tell-nobody',
      HOLDFAST_DATABASE_URL: 'postgres://me:tell-nobody@db/x',
      HOLDFAST_MODEL_API_KEY: 'tell-nobody',
      HOLDFAST_BRAVE_API_KEY: 'tell-nobody',
    });
    const printed = [inspect({ secrets, config }, { depth: 9, showHidden: true }), String(secrets)];
    printed.push(JSON.stringify({ secrets, config }));
    expect(printed.join()).not.toContain('tell-nobody');
    expect(secrets.get('apiKey')).toBe('tell-nobody');
  });

  it('the example names every setting once, each commented out', () => {
    const lines = exampleEnvironment().split('\n');
    const names = lines.flatMap((line) => /^# ([A-Z][A-Z0-9_]+)=/.exec(line)?.[1] ?? []);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('HOLDFAST_DATA');
    expect(lines.every((line) => line === '' || line.startsWith('#'))).toBe(true);
  });
});
