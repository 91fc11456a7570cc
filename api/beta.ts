// The `anthropic-beta` header: which names exist, and which of them opens the routes of this
// server. Without the managed-agents name those routes do not exist (behaviour 1.1, docs:
// beta-headers).

import { ApiError } from '../protocol/errors.ts';
import { ERROR_ECHO_CHARS_MAX } from '../protocol/limits.ts';

/** Opens every route of agents, environments, sessions, events and threads. */
export const MANAGED_AGENTS_BETA = 'managed-agents-2026-04-01';

/**
 * Names a client may send beside it; they change nothing here. sdk 1.11.0: AnthropicBeta, and the
 * two that its credential helpers add. A family is known as a whole, so that a newer date of a
 * known name does not shut a newer client out (our choice).
 */
const KNOWN_FAMILIES = new Set(
  `admin-user-sign-out advisor-tool agent-memory analytics-usage-cost cache-diagnosis
  ce-claude-code-managed-settings ce-plugins ce-user-management claude-code code-execution compact
  computer-use context-1m context-management dev-full-thinking dreaming experimental-claude-tag
  extended-cache-ttl fallback-credit fast-mode files-api fine-grained-tool-streaming inline-tools
  interleaved-thinking managed-agents max-tokens-3-5-sonnet mcp-client mcp-tunnels message-batches
  message-threads mid-conversation-output-config mid-conversation-system-clear-at
  mid-conversation-tool-changes model-context-window-exceeded oauth oidc-federation output-128k
  output-300k pdfs prompt-caching server-side-fallback skills spend-limit-reads structured-outputs
  task-budgets telemetry-destinations thinking-binding-controls thinking-display-updates
  thinking-token-count token-counting token-efficient-tools user-profiles user-profiles-billing
  web-fetch webhooks`.split(/\s+/),
);

const DATED_NAME = /^(.+)-\d{4}-\d{2}-\d{2}$/;

/**
 * Says whether a request's betas open the managed-agents routes. ApiError 400 for a name that no
 * client library knows (docs: beta-headers).
 */
export function opensManagedAgents(header: string | undefined): boolean {
  if (header === undefined) return false;
  if (header === MANAGED_AGENTS_BETA) return true;
  const names = header.split(',').map((name) => name.trim());
  for (const name of names) {
    const family = DATED_NAME.exec(name)?.[1];
    if (name !== '' && (family === undefined || !KNOWN_FAMILIES.has(family))) {
      throw new ApiError(
        'invalid_request_error',
        `anthropic-beta: unknown value \`${name.slice(0, ERROR_ECHO_CHARS_MAX)}\`.`,
      );
    }
  }
  return names.includes(MANAGED_AGENTS_BETA);
}
