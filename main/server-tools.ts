// The tools that a worker runs itself: the web tools over the search provider of the settings, and
// the MCP servers of its sessions.

import type { Logger } from 'pino';
import { createMcpServers, type McpServers } from '../activities/mcp/mcp-servers.ts';
import type { ModelClient } from '../activities/model/anthropic.ts';
import { createUpstreamSearch } from '../activities/model/upstream-search.ts';
import { createWebTools, type SearchConfig, type WebTools } from '../activities/web/web-tools.ts';
import type { Config, Secrets } from './config.ts';

/** Builds both; what they keep open ends with `cleanup`. */
export function openServerTools(
  { config, secrets }: { config: Config; secrets: Secrets },
  process: { model: ModelClient; log: Logger; cleanup: AsyncDisposableStack },
): { web: WebTools; mcp: McpServers } {
  const { model, log, cleanup } = process;
  const { privateHosts, searchModel } = config.web;
  const upstreamSearch = createUpstreamSearch(model, searchModel);
  const search = searchConfig(config.web, secrets);
  const web = createWebTools({ privateHosts, search }, { upstreamSearch, log });
  const mcp = createMcpServers({ log });
  cleanup.defer(() => mcp.close());
  return { web, mcp };
}

function searchConfig(web: Config['web'], secrets: Secrets): SearchConfig | null {
  switch (web.search) {
    case 'searxng':
      return { provider: web.search, baseUrl: web.searxngUrl! };
    case 'brave':
      return {
        provider: web.search,
        baseUrl: web.braveBaseUrl,
        apiKey: secrets.get('braveApiKey')!,
      };
    case 'upstream':
      return { provider: web.search };
    default:
      return null;
  }
}
