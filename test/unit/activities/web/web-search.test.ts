// What `web_search` gives the model, over endpoints on loopback that answer as SearXNG and as Brave
// do; what the domain lists drop; and what is said when there is no provider.

import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test } from 'vitest';
import {
  createWebTools,
  type SearchConfig,
  type WebCall,
  webToolDefinitions,
} from '../../../../activities/web/web-tools.ts';
import { codeOf, serve, textOf } from './sites.ts';

const SECRET = 'brave-secret';
const base = { enabled: true, permission_policy: { type: 'always_allow' as const } };
const web = { ...base, name: 'web_search' as const, type: 'web_search' as const };

interface Asked {
  url: URL;
  headers: IncomingHttpHeaders;
}

/** An engine that gives one answer; notes what it was asked. */
async function engine(answer: unknown, status = 200): Promise<{ baseUrl: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const port = await serve(({ url, headers }, response) => {
    asked.push({ url: new URL(url ?? '', 'http://x'), headers });
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  return { baseUrl: `http://127.0.0.1:${port}`, asked };
}

function search(config: SearchConfig | null, call: Partial<WebCall> = {}) {
  const tools = createWebTools({ privateHosts: [], search: config });
  return tools.run(
    {
      name: 'web_search',
      input: { query: 'high tide' },
      settings: undefined,
      loadOrigins: () => Promise.resolve([]),
      ...call,
    },
    new AbortController().signal,
  );
}

const searxng = (baseUrl: string): SearchConfig => ({ provider: 'searxng', baseUrl });
const brave = (baseUrl: string): SearchConfig => ({ provider: 'brave', baseUrl, apiKey: SECRET });
const page = (url: string) => ({ url, title: `About ${url}`, content: `Text of ${url}` });
const sourcesOf = (outcome: Awaited<ReturnType<typeof search>>) =>
  outcome.content.map((block) => (block.type === 'search_result' ? block.source : block.type));

describe('a SearXNG endpoint', () => {
  test('is asked for JSON, and its results become search_result blocks', async () => {
    const { baseUrl, asked } = await engine({
      results: [
        { url: 'https://a.example.com/', title: 'A &amp; <b>B</b>', content: 'It&#x27;s noon' },
        { url: 'https://b.example.com/', title: '', content: '' },
        { url: 'javascript:alert(1)', title: 'no', content: 'no' },
        { title: 'no address' },
      ],
    });
    expect(await search(searxng(`${baseUrl}/searx/`))).toEqual({
      isError: false,
      searches: 1,
      content: [
        {
          type: 'search_result',
          source: 'https://a.example.com/',
          title: 'A & B',
          content: [{ type: 'text', text: "It's noon" }],
          citations: { enabled: false },
        },
        {
          type: 'search_result',
          source: 'https://b.example.com/',
          title: 'https://b.example.com/',
          content: [{ type: 'text', text: 'https://b.example.com/' }],
          citations: { enabled: false },
        },
      ],
    });
    expect(asked[0]?.url.pathname).toBe('/searx/search');
    expect(Object.fromEntries(asked[0]!.url.searchParams)).toEqual({
      q: 'high tide',
      format: 'json',
    });
  });

  test('gives at most ten results, each of bounded length', async () => {
    const results = Array.from({ length: 30 }, (_, index) => ({
      url: `https://a${index}.example.com/`,
      title: 't'.repeat(5000),
      content: 'c'.repeat(50_000),
    }));
    const { baseUrl } = await engine({ results });
    const { content } = await search(searxng(baseUrl));
    expect(content).toHaveLength(10);
    expect(JSON.stringify(content[0]).length).toBeLessThan(3000);
  });

  test('nothing found is no error', async () => {
    const { baseUrl } = await engine({ results: [] });
    expect(await search(searxng(baseUrl))).toEqual({
      content: [{ type: 'text', text: 'No results were found.' }],
      isError: false,
      searches: 1,
    });
  });

  test.each([
    [429, 'x', 'too_many_requests'],
    [403, 'x', 'unavailable'],
    [200, '<html>no JSON</html>', 'unavailable'],
    [200, `"${'x'.repeat(5_000_000)}"`, 'unavailable'],
  ])('an answer with status %i that is of no use fails', async (status, body, code) => {
    const { baseUrl } = await engine(body, status);
    const outcome = await search(searxng(baseUrl));
    expect([codeOf(outcome), outcome.searches]).toEqual([code, 0]);
  });

  test('one that is not there fails without its address', async () => {
    const outcome = await search(searxng('http://127.0.0.1:9'));
    expect(textOf(outcome)).toMatch(/^unavailable: the search provider cannot be read/);
    expect(textOf(outcome)).not.toContain('127.0.0.1');
  });
});

describe("Brave's API", () => {
  test('gets the key and the location in headers', async () => {
    const { baseUrl, asked } = await engine({
      web: {
        results: [
          {
            url: 'https://a.example.com/',
            title: 'A',
            description: '<strong>Tide</strong> at noon',
            extra_snippets: ['and at night'],
          },
        ],
      },
    });
    const place = { city: 'Köln', region: 'NRW', country: 'DE', timezone: 'Europe/Berlin' };
    const settings = { ...web, user_location: { type: 'approximate' as const, ...place } };
    const outcome = await search(brave(baseUrl), { settings });
    expect(outcome.content[0]).toMatchObject({
      source: 'https://a.example.com/',
      content: [{ text: 'Tide at noon\nand at night' }],
    });
    expect(asked[0]?.url.pathname).toBe('/res/v1/web/search');
    expect(asked[0]?.url.searchParams.get('q')).toBe('high tide');
    expect(asked[0]?.headers).toMatchObject({
      'x-subscription-token': SECRET,
      'x-loc-city': 'K%C3%B6ln',
      'x-loc-state-name': 'NRW',
      'x-loc-country': 'DE',
      'x-loc-timezone': 'Europe/Berlin',
    });
  });

  test('an error does not show the key', async () => {
    const { baseUrl } = await engine({ error: SECRET }, 401);
    const outcome = await search(brave(baseUrl));
    expect(textOf(outcome)).toBe('unavailable: the search provider answered with status 401');
  });
});

describe('domain lists', () => {
  const found = {
    results: [
      page('https://docs.example.com/a'),
      page('https://ads.example.com/'),
      page('https://example.org/blog/1'),
      page('https://example.org/shop'),
    ],
  };

  test('drop results without a word, and a short list of allowed ones is asked for', async () => {
    const { baseUrl, asked } = await engine(found);
    const settings = { ...web, allowed_domains: ['docs.example.com', 'example.org/blog'] };
    const outcome = await search(searxng(baseUrl), { settings });
    expect(sourcesOf(outcome)).toEqual([
      'https://docs.example.com/a',
      'https://example.org/blog/1',
    ]);
    expect(asked[0]?.url.searchParams.get('q')).toBe(
      'high tide (site:docs.example.com OR site:example.org/blog)',
    );
  });

  test('of other agents and of the environment apply as well', async () => {
    const { baseUrl } = await engine(found);
    const settings = { ...web, blocked_domains: ['ads.example.com'] };
    const outerLists = [{ blocked_domains: ['docs.example.com'] }];
    expect(sourcesOf(await search(searxng(baseUrl), { settings, outerLists }))).toEqual([
      'https://example.org/blog/1',
      'https://example.org/shop',
    ]);
    const allowedHosts = ['*.example.com'];
    expect(sourcesOf(await search(searxng(baseUrl), { settings, allowedHosts }))).toEqual([
      'https://docs.example.com/a',
    ]);
  });
});

describe('calls that fail', () => {
  test('without a provider the model and the operator are told', async () => {
    const outcome = await search(null);
    expect(textOf(outcome)).toMatch(/^unavailable: .*no search provider.*HOLDFAST_SEARCH_URL/);
    expect(outcome).toMatchObject({ isError: true, searches: 0 });
  });

  test.each([
    [{}, 'invalid_tool_input'],
    [{ query: ' ' }, 'invalid_tool_input'],
    [{ query: 'x'.repeat(401) }, 'query_too_long'],
  ])('with the input %j', async (input, code) => {
    expect(codeOf(await search(searxng('http://127.0.0.1:9'), { input }))).toBe(code);
  });

  test('an abort is thrown with its reason', async () => {
    const abort = new AbortController();
    const port = await serve(() => abort.abort(new Error('interrupted')));
    const config = { privateHosts: [], search: searxng(`http://127.0.0.1:${port}`) };
    const call: WebCall = {
      name: 'web_search',
      input: { query: 'x' },
      settings: undefined,
      loadOrigins: () => Promise.resolve([]),
    };
    await expect(createWebTools(config).run(call, abort.signal)).rejects.toThrow('interrupted');
  });
});

test('only enabled web tools are offered, always in one order', () => {
  const names = (...enabled: string[]) =>
    webToolDefinitions(new Set(enabled)).map(({ name }) => name);
  expect(names('web_search', 'bash', 'web_fetch')).toEqual(['web_fetch', 'web_search']);
  expect(names('web_search')).toEqual(['web_search']);
  expect(names()).toEqual([]);
});
