// Only what the session has shown its model may be fetched: which texts count, and when a URL is
// the one that stands in them.

import { performance } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { isKnownUrl, type UrlOrigin, urlTextOf } from '../../../../activities/web/prior-urls.ts';
import type { UrlSources } from '../../../../protocol/web-settings.ts';
import { codeOf, fetchUrl, serveBody, textOf, userText } from './sites.ts';

const URL_TEXT = 'https://example.com/a?b=c';
const toolText = (kind: UrlOrigin['kind'], tool: string, text = URL_TEXT): UrlOrigin => ({
  kind,
  tool,
  text,
});
const isKnown = (url: string, origins: UrlOrigin[], sources: Partial<UrlSources> | null = null) =>
  isKnownUrl(new URL(url), origins, sources as UrlSources | null);

describe('the same URL', () => {
  test.each([
    ['https://example.com/a?b=c', 'Read https://example.com/a?b=c, please.'],
    ['https://example.com/a?b=c#part', '(https://example.com/a?b=c)'],
    ['http://example.com/a?b=c', '<https://example.com/a?b=c>'],
    ['https://EXAMPLE.com/a/', '"https://example.com:443/a".'],
    ['https://example.com/', 'at https://example.com!'],
    ['https://example.com/a_(b)', 'see https://example.com/a_(b).'],
    ['https://example.com/a', '[text](https://example.com/a)**'],
    ['https://example.com/?x=1&y=2', '<a href="https://example.com/?x=1&amp;y=2">'],
    ['https://example.com/', 'Summarise example.com for me'],
    ['https://docs.example.com/a/b', 'docs.example.com/a/b: read it'],
    ['https://xn--mnchen-3ya.de/', 'https://münchen.de/'],
    ['https://example.com/', 'これを読んで：https://example.com。'],
    ['http://127.0.0.1:8080/x', 'http://127.1:8080/x'],
  ])('%s stands in %j', (url, text) => {
    expect(isKnown(url, [userText(text)])).toBe(true);
  });

  test.each([
    ['https://example.com/a', 'https://example.com/'],
    ['https://example.com/', 'https://example.com/a'],
    ['https://example.com/a?secret=1', 'https://example.com/a'],
    ['https://example.com/a', 'https://example.com/a?b=c'],
    ['https://example.com:8443/', 'https://example.com/'],
    ['https://example.com/', 'https://docs.example.com/'],
    ['https://example.com/', 'mail me@example.com'],
    ['https://example.com/', 'notexample.com'],
    ['https://example.com/A', 'https://example.com/a'],
  ])('%s does not stand in %j', (url, text) => {
    expect(isKnown(url, [userText(text)])).toBe(false);
  });

  test('only people leave out the scheme', () => {
    const origin = toolText('client_tool_results', 'lookup', 'example.com');
    expect(isKnown('https://example.com/', [origin])).toBe(false);
  });

  test('long and hostile texts are searched in time', () => {
    const started = performance.now();
    const texts = [
      'https://example.com/'.repeat(100_000),
      `https://example.com/${'.'.repeat(1_000_000)}`,
      'a.'.repeat(500_000),
      'a-'.repeat(500_000),
      'https://other.org/x '.repeat(100_000),
    ];
    expect(isKnown('https://example.com/x', texts.map(userText))).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('sources', () => {
  const user = userText(URL_TEXT);
  const custom = toolText('client_tool_results', 'lookup');
  const search = toolText('server_tool_results', 'web_search');
  const named = (type: 'only' | 'except', name: string) => ({
    type,
    tools: [{ type: 'tool_reference' as const, name }],
  });
  const none = { type: 'none' as const };

  test('every source counts when none is named', () => {
    for (const origin of [user, custom, search]) {
      expect(isKnown(URL_TEXT, [origin])).toBe(true);
      expect(isKnown(URL_TEXT, [origin], { user_input: null })).toBe(true);
    }
    expect(isKnown(URL_TEXT, [])).toBe(false);
  });

  test.each([
    [user, { user_input: none }, false],
    [user, { client_tool_results: none, server_tool_results: none }, true],
    [custom, { client_tool_results: none }, false],
    [custom, { client_tool_results: named('only', 'lookup') }, true],
    [custom, { client_tool_results: named('only', 'other') }, false],
    [custom, { client_tool_results: named('except', 'lookup') }, false],
    [custom, { client_tool_results: named('except', 'Lookup') }, true],
    [search, { server_tool_results: named('only', 'web_fetch') }, false],
    [search, { server_tool_results: named('except', 'web_fetch') }, true],
  ])('%j with %j', (origin, sources, expected) => {
    expect(isKnown(URL_TEXT, [origin], sources)).toBe(expected);
  });
});

test('a link on a page that was fetched may be fetched next', async () => {
  const port = await serveBody('<p><a href="/next page">Next</a></p>', 'text/html');
  const page = await fetchUrl(`http://open.test:${port}/`);
  const origin = toolText('server_tool_results', 'web_fetch', urlTextOf(page.content));
  const loadOrigins = () => Promise.resolve([origin]);
  const next = await fetchUrl(`http://open.test:${port}/next%20page`, { loadOrigins });
  expect(codeOf(next)).toBe('ok');
  const made = await fetchUrl(`http://open.test:${port}/?stolen=1`, { loadOrigins });
  expect(textOf(made)).toMatch(/^url_not_in_prior_context: only URLs that stand in a user message/);
});

test('the text of a result holds the sources of its search results', () => {
  const result = {
    type: 'search_result' as const,
    source: URL_TEXT,
    title: 'A',
    content: [{ type: 'text' as const, text: 'B' }],
    citations: { enabled: false },
  };
  const text = urlTextOf([result, { type: 'text', text: 'C' }]);
  expect(isKnown(URL_TEXT, [toolText('server_tool_results', 'web_search', text)])).toBe(true);
});
