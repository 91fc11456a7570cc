// A web search by the model provider's own server tool: one Messages request that is made to search
// once and to quote what it found. It costs a model call and the provider's price of a search, so
// it is only used where the operator asks for it.

import {
  WEB_SEARCH_UPSTREAM_MS,
  WEB_SEARCH_UPSTREAM_TOKENS_MAX,
} from '../../protocol/server-tool-limits.ts';
import type { FoundPage, SearchProvider } from '../web/search-providers.ts';
import { WebFailure } from '../web/web-outcome.ts';
import { describeModelError, type ModelClient, type ModelMessage } from './anthropic.ts';

/** A search provider over `model` at the endpoint that serves it. */
export function createUpstreamSearch(client: ModelClient, model: string): SearchProvider {
  return async ({ query, location }, signal) => {
    const deadline = AbortSignal.timeout(WEB_SEARCH_UPSTREAM_MS);
    try {
      const stream = client.stream(
        {
          model,
          max_tokens: WEB_SEARCH_UPSTREAM_TOKENS_MAX,
          tools: [
            {
              type: 'web_search_20250305',
              name: 'web_search',
              max_uses: 1,
              ...(location === null ? {} : { user_location: location }),
            },
          ],
          tool_choice: { type: 'tool', name: 'web_search' },
          messages: [{ role: 'user', content: instruction(query) }],
        },
        { signal: AbortSignal.any([signal, deadline]), attempt: 1 },
      );
      return pagesOf(await stream.finalMessage());
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof WebFailure) throw error;
      const { status } = describeModelError(error);
      const code = status === 429 ? 'too_many_requests' : 'unavailable';
      throw new WebFailure(code, 'the model provider did not search');
    }
  };
}

function instruction(query: string): string {
  return (
    `Search the web once for exactly this query: ${query}\n\n` +
    'Then write, for each result that bears on the query, one or two sentences with what it ' +
    'says, and cite it. Write nothing else.'
  );
}

/** The pages found, each with what the model quoted of it: the results themselves are sealed. */
function pagesOf(message: ModelMessage): FoundPage[] {
  const quotes = new Map<string, string[]>();
  for (const block of message.content) {
    if (block.type !== 'text') continue;
    for (const citation of block.citations ?? []) {
      if (citation.type !== 'web_search_result_location') continue;
      const known = quotes.get(citation.url) ?? [];
      quotes.set(citation.url, [...known, citation.cited_text, block.text]);
    }
  }
  return message.content.flatMap((block) => {
    if (block.type !== 'web_search_tool_result') return [];
    if (!Array.isArray(block.content)) throw searchFailure(block.content.error_code);
    return block.content.map(({ url, title, page_age: age }) => {
      const quoted = [...new Set(quotes.get(url))];
      const text = [...quoted, ...(age == null ? [] : [`Age of the page: ${age}`])].join('\n');
      return { url, title, text };
    });
  });
}

function searchFailure(code: string): WebFailure {
  const known = ['invalid_tool_input', 'query_too_long', 'too_many_requests'] as const;
  const named = known.find((each) => each === code) ?? 'unavailable';
  return new WebFailure(named, 'the model provider could not search');
}
