// The settings of the web tools: every documented rule for a domain list, a location and the
// sources of URLs, and the messages that are documented word for word.

import { describe, expect, test } from 'vitest';
import { parseBody } from '../../../protocol/parse.ts';
import { resolvedTools, toolsRequest } from '../../../protocol/tools.ts';
import {
  isAllowedHost,
  outsideHostsProblem,
  webSettingsProblem,
} from '../../../protocol/web-settings.ts';
import * as z from 'zod';

const CUSTOM = {
  type: 'custom',
  name: 'lookup',
  description: 'Looks something up.',
  input_schema: { type: 'object' },
};
const AT = 'tools.0.configs.0';

function tools(config: object): unknown[] {
  return [{ type: 'agent_toolset_20260401', configs: [config] }, CUSTOM];
}

function accept(config: object) {
  const request = parseBody(z.strictObject({ tools: toolsRequest }), { tools: tools(config) });
  return resolvedTools(request.tools);
}

function messageOf(config: object): string {
  try {
    accept(config);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

const fetchOf = (...allowed_domains: string[]) => ({ name: 'web_fetch', allowed_domains });
const searchOf = (...allowed_domains: string[]) => ({ name: 'web_search', allowed_domains });

describe('domain lists', () => {
  test.each([
    'example.com',
    'EXAMPLE.com',
    'example.com/',
    'docs.example.co.uk',
    'www.example.com',
    'xn--mnchen-3ya.de',
    '_sip.example.com',
    'my-org.github.io',
    '1.example.com',
  ])('%s is a domain that both tools take', (domain) => {
    expect(messageOf(fetchOf(domain))).toBe('accepted');
    expect(messageOf(searchOf(domain))).toBe('accepted');
  });

  test.each([
    ['', 'expected 1 to 255 characters'],
    [`${'a.'.repeat(127)}com`, 'expected 1 to 255 characters'],
    ['https://example.com', 'schemes are not supported'],
    ['example.com:443', 'ports are not supported'],
    ['*.example.com', 'wildcards are not supported'],
    ['127.1', 'IP addresses are not supported; provide a plain hostname like "example.com"'],
    ['10.0.0.1', 'IP addresses are not supported; provide a plain hostname like "example.com"'],
    ['2130706433', 'IP addresses are not supported'],
    ['0x7f.1', 'IP addresses are not supported'],
    ['[::1]', 'IP addresses are not supported'],
    ['::1', 'IP addresses are not supported'],
    ['[2001:db8::1]:80', 'IP addresses are not supported'],
    ['10.0.0.1:80', 'IP addresses are not supported'],
    ['com', 'single-label names are not supported'],
    ['intranet', 'single-label names are not supported'],
    ['co.uk', 'public suffixes are not supported'],
    ['gov.uk', 'public suffixes are not supported'],
    ['münchen.de', 'non-ASCII characters are not supported; use the xn-- (Punycode) form'],
    ['user@example.com', 'credentials are not supported'],
    ['exa mple.com', 'whitespace is not supported'],
    ['-a.example.com', 'not a hostname'],
    ['a-.example.com', 'not a hostname'],
    ['a..example.com', 'not a hostname'],
    ['example.com.', 'not a hostname'],
    ['example.com//', 'paths are not supported'],
    ['localhost', 'names under localhost are not supported'],
    ['app.localhost', 'names under localhost are not supported'],
    ['printer.local', 'names under local are not supported'],
    ['db.internal', 'names under internal are not supported'],
    ['host.localdomain', 'names under localdomain are not supported'],
    ['host.invalid', 'names under invalid are not supported'],
    ['example.com/*', 'paths are not supported'],
    ['example.com?x', 'not a hostname'],
  ])('%j is refused in a list of web_fetch', (domain, expected) => {
    expect(messageOf(fetchOf('example.org', domain))).toMatch(
      `${AT}.allowed_domains.1: ${expected}`,
    );
    const blocked = { name: 'web_fetch', blocked_domains: [domain] };
    expect(messageOf(blocked)).toMatch(`${AT}.blocked_domains.0: ${expected}`);
  });

  test('a domain of web_search may carry a path', () => {
    expect(messageOf(searchOf('example.com/blog', 'example.com/blog/2026/'))).toBe('accepted');
  });

  test.each(['?', '#', '$', ',', '|', '^', '!'])(
    'the path of a domain cannot contain %s',
    (sign) => {
      expect(messageOf(searchOf(`example.com/a${sign}b`))).toBe(
        `${AT}.allowed_domains.0: a path cannot contain any of ? # $ , | ^ !`,
      );
    },
  );

  test('a path with a space is refused', () => {
    expect(messageOf(searchOf('example.com/a b'))).toMatch(`${AT}.allowed_domains.0: whitespace`);
  });

  test('an empty list is ambiguous, null is none', () => {
    expect(messageOf(fetchOf())).toBe(
      `${AT}.allowed_domains: ` +
        'Empty list of domains is ambiguous. Provide at least one domain or null.',
    );
    expect(messageOf({ name: 'web_fetch', allowed_domains: null })).toBe('accepted');
  });

  test('an entry has one list', () => {
    const both = { allowed_domains: ['example.com'], blocked_domains: ['example.org'] };
    expect(messageOf({ name: 'web_search', ...both })).toBe(
      `${AT}: Only one of allowed_domains or blocked_domains may be set.`,
    );
    const one = { allowed_domains: ['example.com'], blocked_domains: null };
    expect(messageOf({ name: 'web_search', ...one })).toBe('accepted');
  });

  test('a list has at most 64 entries', () => {
    const list = Array.from({ length: 65 }, (_, index) => `a${index}.example.com`);
    expect(messageOf(fetchOf(...list.slice(1)))).toBe('accepted');
    expect(messageOf(fetchOf(...list))).toBe(`${AT}.allowed_domains: expected at most 64 entries`);
  });

  test('a domain stands in a list once, whatever its case and trailing slash', () => {
    expect(messageOf(fetchOf('example.com', 'www.example.com'))).toBe('accepted');
    expect(messageOf(fetchOf('example.com', 'Example.com/'))).toBe(
      `${AT}.allowed_domains.1: this domain is listed already`,
    );
  });
});

describe('other settings', () => {
  test.each([0, -1, 1.5, '5'])('max_content_tokens is a positive whole number, not %j', (value) => {
    expect(messageOf({ name: 'web_fetch', max_content_tokens: value })).toMatch(
      `${AT}.max_content_tokens: `,
    );
  });

  test.each([
    [{ country: 'us' }, 'user_location.country: not a country the search provider supports'],
    [{ country: 'UK' }, 'user_location.country: not a country the search provider supports'],
    [{ timezone: 'Mars/Olympus' }, 'user_location.timezone: not a valid IANA time zone name'],
    [{ timezone: '+01:00' }, 'user_location.timezone: not a valid IANA time zone name'],
    [{ city: '' }, 'user_location.city: expected a text that is not empty'],
    [{ type: 'exact' }, 'user_location.type: expected "approximate"'],
  ])('the location %j is refused', (location, expected) => {
    const config = { name: 'web_search', user_location: { type: 'approximate', ...location } };
    expect(messageOf(config)).toBe(`${AT}.${expected}`);
  });

  test('a location names a country and a time zone', () => {
    const place = { city: 'Köln', region: null, country: 'DE', timezone: 'Europe/Berlin' };
    const config = { name: 'web_search', user_location: { type: 'approximate', ...place } };
    expect(messageOf(config)).toBe('accepted');
  });
});

describe('sources of URLs', () => {
  const only = (...names: string[]) => ({
    type: 'only',
    tools: names.map((name) => ({ type: 'tool_reference', name })),
  });
  const sources = (url_sources: object) => ({ name: 'web_fetch', url_sources });

  test('a list names custom tools of the same array, or the web tools', () => {
    const settings = {
      client_tool_results: only('lookup'),
      server_tool_results: { ...only('web_search'), type: 'except' },
    };
    expect(messageOf(sources(settings))).toBe('accepted');
  });

  test.each([
    [{ client_tool_results: only('Lookup') }, 'client_tool_results.tools.0.name', 'a custom tool'],
    [{ client_tool_results: only('bash') }, 'client_tool_results.tools.0.name', 'a custom tool'],
    [{ server_tool_results: only('web_search', 'bash') }, 'server_tool_results.tools.1.name', 'a'],
  ])('%j names a tool that is not there', (settings, path, expected) => {
    expect(messageOf(sources(settings))).toMatch(
      `${AT}.url_sources.${path}: expected the name of ${expected}`,
    );
  });

  test('each tool is named once, and a list is not empty', () => {
    expect(messageOf(sources({ client_tool_results: only('lookup', 'lookup') }))).toBe(
      `${AT}.url_sources.client_tool_results.tools.1.name: this tool is named already`,
    );
    expect(messageOf(sources({ client_tool_results: only() }))).toMatch(
      /tools: expected at least 1/,
    );
  });

  test('all three sources cannot be none', () => {
    const none = {
      client_tool_results: 'none',
      server_tool_results: { type: 'none' },
      user_input: 'none',
    };
    expect(messageOf(sources(none))).toBe(
      `${AT}.url_sources: at least one source must be other than "none"`,
    );
    expect(messageOf(sources({ ...none, user_input: null }))).toBe('accepted');
  });
});

describe('settings that were accepted earlier', () => {
  test('what a request may say holds when the tool is first used', () => {
    const config = {
      name: 'web_fetch',
      blocked_domains: ['ads.example.com'],
      max_content_tokens: 5000,
      url_sources: { user_input: 'none' },
    };
    expect(webSettingsProblem(accept(config))).toBeNull();
  });

  test('a setting that holds no longer is named, unless its tool is off', () => {
    const [toolset] = accept({ name: 'web_search' });
    const stale = (config: { name: string; [setting: string]: unknown }) => [
      { type: 'agent_toolset_20260401', configs: [{ ...config, enabled: true }] },
    ];
    expect(webSettingsProblem([toolset!])).toBeNull();
    expect(webSettingsProblem(stale({ name: 'web_search', allowed_domains: ['com'] }))).toMatch(
      /^web_search\.allowed_domains\.0: single-label/,
    );
    const off = { name: 'web_search', allowed_domains: ['com'], enabled: false };
    expect(webSettingsProblem([{ type: 'agent_toolset_20260401', configs: [off] }])).toBeNull();
    const both = { allowed_domains: ['a.com'], blocked_domains: ['b.com'] };
    expect(webSettingsProblem(stale({ name: 'web_fetch', ...both }))).toMatch(
      /^web_fetch: Only one/,
    );
    const gone = { client_tool_results: { type: 'only', tools: [{ name: 'gone' }] } };
    expect(webSettingsProblem(stale({ name: 'web_fetch', url_sources: gone }))).not.toBeNull();
  });
});

describe('the hosts of a limited environment', () => {
  test('an allowed host of an environment is exact, unless it has a star', () => {
    expect(isAllowedHost('docs.example.com', ['example.com'])).toBe(false);
    expect(isAllowedHost('Docs.example.com', ['docs.example.com'])).toBe(true);
    expect(isAllowedHost('docs.example.com', ['*.example.com'])).toBe(true);
    expect(isAllowedHost('example.com', ['*.example.com'])).toBe(false);
    expect(isAllowedHost('example.com', [])).toBe(false);
  });

  test('an allowed domain outside of them is named, unless its tool is off', () => {
    const resolved = accept(searchOf('docs.example.com', 'example.org/blog'));
    const problemIn = (...hosts: string[]) => outsideHostsProblem(resolved, hosts);
    expect(problemIn('*.example.com', 'example.org')).toBeUndefined();
    expect(problemIn('example.com', 'example.org')).toEqual({
      path: [0, 'configs', 0, 'allowed_domains', 0],
      message: "not within the environment's allowed_hosts",
    });
    const off = accept({ ...searchOf('example.com'), enabled: false });
    expect(outsideHostsProblem(off, [])).toBeUndefined();
    expect(outsideHostsProblem(accept({ name: 'web_fetch' }), [])).toBeUndefined();
  });
});
