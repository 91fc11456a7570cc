// Domain lists: what one covers, how several levels combine, and that a fetch keeps to all of them,
// and to the hosts of its environment, on every hop.

import { describe, expect, test } from 'vitest';
import { isPermitted, nothingIsPermitted } from '../../../../activities/web/domain-lists.ts';
import { codeOf, fetchUrl, serve, textOf, userText } from './sites.ts';

const allowed = (...allowed_domains: string[]) => ({ allowed_domains });
const blocked = (...blocked_domains: string[]) => ({ blocked_domains });
const passes = (url: string, ...levels: object[]) => isPermitted(new URL(url), levels);

describe('one list', () => {
  test.each([
    ['https://example.com/', 'example.com', true],
    ['https://docs.example.com/a', 'example.com', true],
    ['https://DOCS.Example.com:8443/a', 'eXample.com', true],
    ['https://example.com./', 'example.com', true],
    ['https://example.com/', 'example.com/', true],
    ['https://example.com/', 'docs.example.com', false],
    ['https://api.example.com/', 'docs.example.com', false],
    ['https://example.com/', 'www.example.com', false],
    ['https://www.example.com/', 'example.com', true],
    ['https://badexample.com/', 'example.com', false],
    ['https://example.com.evil.org/', 'example.com', false],
    ['https://evil.org/example.com', 'example.com', false],
    ['https://example.com/blog', 'example.com/blog', true],
    ['https://example.com/blog/2026', 'example.com/blog/', true],
    ['https://a.example.com/blog/2026', 'example.com/blog/*', true],
    ['https://example.com/blogs', 'example.com/blog', false],
    ['https://example.com/', 'example.com/blog', false],
    ['https://xn--mnchen-3ya.de/', 'xn--mnchen-3ya.de', true],
  ])('%s against %s', (url, domain, isCovered) => {
    expect(passes(url, allowed(domain))).toBe(isCovered);
    expect(passes(url, blocked(domain))).toBe(!isCovered);
  });

  test('no list restricts nothing', () => {
    expect(passes('https://example.com/', {}, { allowed_domains: null })).toBe(true);
  });
});

describe('several levels', () => {
  test('allowed lists intersect, blocked lists add up', () => {
    const levels = [allowed('example.com'), blocked('ads.example.com'), allowed('a.example.com')];
    expect(passes('https://a.example.com/', ...levels)).toBe(true);
    expect(passes('https://b.example.com/', ...levels)).toBe(false);
    expect(passes('https://ads.example.com/', allowed('example.com'), levels[1]!)).toBe(false);
  });

  test('lists with nothing in common permit nothing', () => {
    expect(nothingIsPermitted([])).toBe(false);
    expect(nothingIsPermitted([blocked('a.com')])).toBe(false);
    expect(nothingIsPermitted([allowed('a.com'), allowed('b.com')])).toBe(true);
    expect(nothingIsPermitted([allowed('a.com', 'c.com'), allowed('x.c.com')])).toBe(false);
  });
});

describe('a fetch', () => {
  const base = { enabled: true, permission_policy: { type: 'always_allow' as const } };
  const web = {
    ...base,
    name: 'web_fetch' as const,
    type: 'web_fetch' as const,
    url_sources: null,
  };

  test('keeps to its lists on every hop', async () => {
    const port = await serve((_, response) => {
      response.writeHead(302, { location: `http://other.test:${port}/` }).end();
    });
    const settings = { ...web, allowed_domains: ['open.test'] };
    expect(textOf(await fetchUrl(`http://open.test:${port}/`, { settings }))).toBe(
      'url_not_allowed: other.test is not a permitted domain',
    );
    const refused = { ...web, blocked_domains: ['open.test'] };
    expect(codeOf(await fetchUrl(`http://open.test:${port}/`, { settings: refused }))).toBe(
      'url_not_allowed',
    );
  });

  test('keeps to the lists of other agents and to the hosts of its environment', async () => {
    const url = 'http://open.test/';
    const loadOrigins = () => Promise.resolve([userText(url)]);
    const outer = { settings: undefined, loadOrigins, outerLists: [allowed('other.test')] };
    expect(codeOf(await fetchUrl(url, outer))).toBe('url_not_allowed');
    expect(codeOf(await fetchUrl(url, { allowedHosts: ['other.test'] }))).toBe('url_not_allowed');
  });

  test('says so when no domain is left', async () => {
    const settings = { ...web, allowed_domains: ['open.test'] };
    const options = { settings, outerLists: [allowed('other.test')] };
    expect(textOf(await fetchUrl('http://open.test/', options))).toBe(
      'url_not_allowed: no domain is permitted for this agent',
    );
  });
});
