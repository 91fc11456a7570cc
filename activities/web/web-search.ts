// The tool `web_search`: one query to the provider the operator has set up, its pages as
// search_result blocks. Pages that the domain lists do not permit are left out without a word, as
// documented. docs: managed-agents/tools-web-restrictions.

import { URL_CHARS_MAX } from '../../protocol/field-limits.ts';
import {
  WEB_QUERY_CHARS_MAX,
  WEB_RESULT_CHARS_MAX,
  WEB_RESULTS_MAX,
  WEB_SITE_TERMS_MAX,
  WEB_TITLE_CHARS_MAX,
} from '../../protocol/server-tool-limits.ts';
import { storableText } from '../../protocol/text.ts';
import { isAllowedHost } from '../../protocol/web-settings.ts';
import { type DomainLists, isPermitted } from './domain-lists.ts';
import type { FoundPage, SearchProvider } from './search-providers.ts';
import type { WebCall } from './web-tools.ts';
import { type ToolResultContent, WebFailure, type WebOutcome } from './web-outcome.ts';

/** Runs one call. Throws a WebFailure, or the reason of `signal`. */
export async function webSearch(
  call: WebCall,
  provider: SearchProvider | null,
  signal: AbortSignal,
): Promise<WebOutcome> {
  const query = wantedQuery(call.input);
  if (provider === null) {
    const reason =
      'this server has no search provider; its operator can set HOLDFAST_SEARCH_URL, ' +
      'HOLDFAST_BRAVE_API_KEY or HOLDFAST_SEARCH';
    throw new WebFailure('unavailable', reason);
  }
  const settings = call.settings?.name === 'web_search' ? call.settings : undefined;
  const levels = [call.settings ?? {}, ...(call.outerLists ?? [])];
  const location = settings?.user_location ?? null;
  const found = await provider({ query: withSites(query, levels), location }, signal);
  const content = found
    .filter(({ url }) => isWanted(url, levels, call.allowedHosts))
    .slice(0, WEB_RESULTS_MAX)
    .map(resultBlock);
  const nothing: ToolResultContent = { type: 'text', text: 'No results were found.' };
  return { content: content.length > 0 ? content : [nothing], isError: false, searches: 1 };
}

function wantedQuery({ query }: Record<string, unknown>): string {
  if (typeof query !== 'string' || query.trim() === '') {
    throw new WebFailure('invalid_tool_input', 'query must be a text that is not empty');
  }
  if (query.length > WEB_QUERY_CHARS_MAX) {
    throw new WebFailure('query_too_long', `at most ${WEB_QUERY_CHARS_MAX} characters are taken`);
  }
  return query.trim();
}

/** Asks for the allowed domains too where they are few, or most of what comes back is dropped. */
function withSites(query: string, levels: readonly DomainLists[]): string {
  const lists = levels.flatMap(({ allowed_domains: allowed }) =>
    allowed == null ? [] : [allowed],
  );
  const [allowed] = lists;
  if (allowed === undefined || lists.length > 1 || allowed.length > WEB_SITE_TERMS_MAX)
    return query;
  const scoped = `${query} (${allowed.map((domain) => `site:${domain}`).join(' OR ')})`;
  return scoped.length > WEB_QUERY_CHARS_MAX ? query : scoped;
}

function isWanted(
  text: string,
  levels: readonly DomainLists[],
  allowedHosts: readonly string[] | null | undefined,
): boolean {
  const url = text.length > URL_CHARS_MAX ? null : URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  const isHostAllowed = allowedHosts == null || isAllowedHost(url.hostname, allowedHosts);
  return isHostAllowed && isPermitted(url, levels);
}

/** Citations are off, as on the hosted toolset; a request's search results must agree in that. */
function resultBlock({ url, title, text }: FoundPage): ToolResultContent {
  const plain = (value: string, charsMax: number) =>
    storableText(withoutMarks(value).slice(0, charsMax)).trim();
  const name = plain(title, WEB_TITLE_CHARS_MAX) || url;
  return {
    type: 'search_result',
    source: storableText(url),
    title: name,
    // The Messages API takes no empty text.
    content: [{ type: 'text', text: plain(text, WEB_RESULT_CHARS_MAX) || name }],
    citations: { enabled: false },
  };
}

/** Providers mark the words they found with HTML. */
function withoutMarks(text: string): string {
  return text
    .replaceAll(/<\/?(strong|b|em|mark)>/gi, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll(/&#(x27|39);/gi, "'")
    .replaceAll('&amp;', '&');
}
