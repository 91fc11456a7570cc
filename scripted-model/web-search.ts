// The web search that runs on the server's side of the Messages API: the blocks of one search, with
// two made-up results under example.com, in the shape of the real ones.
// docs: agents-and-tools/tool-use/web-search-tool.

import type Anthropic from '@anthropic-ai/sdk';
import { newModelId } from './blocks.ts';

type SearchBlocks = [Anthropic.ServerToolUseBlock, Anthropic.WebSearchToolResultBlock];

/** Says whether a tool of a request is a web search that the server runs, of whatever version. */
export function isWebSearch({ type }: { type?: unknown }): boolean {
  return typeof type === 'string' && type.startsWith('web_search_');
}

/** The call of a search and its result, as they stand in the content of a reply. */
export function searchBlocks(query: string): SearchBlocks {
  const id = newModelId('srvtoolu_');
  const caller: Anthropic.DirectCaller = { type: 'direct' };
  return [
    { type: 'server_tool_use', id, name: 'web_search', input: { query }, caller },
    {
      type: 'web_search_tool_result',
      tool_use_id: id,
      caller,
      content: [resultOf(query, 1), resultOf(query, 2)],
    },
  ];
}

function resultOf(query: string, number: number): Anthropic.WebSearchResultBlock {
  const words = query.toLowerCase().match(/[a-z0-9]+/g) ?? ['query'];
  const title = `Result ${number} for ${query}`;
  return {
    type: 'web_search_result',
    url: `https://example.com/${words.join('-')}/${number}`,
    title,
    page_age: null,
    encrypted_content: Buffer.from(title).toString('base64'),
  };
}
