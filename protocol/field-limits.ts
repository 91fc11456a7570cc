// Bounds of single fields of requests and of pages: what a client may say at most. A bound whose
// comment names a source is the documented one; the others are our choice. Bounds of what the
// system itself holds and waits for are limits.ts's.

// ── Pages ────────────────────────────────────────────────────────────────────────────────────────

/**
 * Page of agents, agent versions and sessions when the client names none; documented for agents.
 */
export const PAGE_ENTRIES_DEFAULT = 20;
/** Largest page of those; documented for agents. */
export const PAGE_ENTRIES_MAX = 100;
/** Largest page of environments (OpenAPI of May 2026). */
export const ENVIRONMENT_PAGE_ENTRIES_MAX = 1000;
/**
 * Page of events and of threads when the client names none, and the largest; documented default.
 */
export const EVENT_PAGE_ENTRIES_MAX = 1000;
/** Page of models when the client names none, and the largest; sdk 0.86: ModelListParams.limit. */
export const MODELS_PAGE_ENTRIES_DEFAULT = 20;
export const MODELS_PAGE_ENTRIES_MAX = 1000;

// ── Metadata ─────────────────────────────────────────────────────────────────────────────────────

/** sdk 1.11.0: at most 16 pairs, keys up to 64 characters, values up to 512. */
export const METADATA_PAIRS_MAX = 16;
export const METADATA_KEY_CHARS_MAX = 64;
export const METADATA_VALUE_CHARS_MAX = 512;

// ── Agents ───────────────────────────────────────────────────────────────────────────────────────

/** OpenAPI of May 2026, also used for environments. */
export const NAME_CHARS_MAX = 256;
/** OpenAPI of May 2026. */
export const AGENT_DESCRIPTION_CHARS_MAX = 2048;
/** sdk 1.11.0: BetaManagedAgentsAgentWithOverridesParams.system. */
export const SYSTEM_CHARS_MAX = 100_000;
/** Longest model id; no documented bound. */
export const MODEL_ID_CHARS_MAX = 256;
/** Entries of an agent's `tools` array (behaviour.md 2). */
export const TOOL_ENTRIES_MAX = 128;
/** Tools across all toolsets of an agent; sdk 1.11.0: AgentCreateParams.tools. */
export const TOOLS_RESOLVED_MAX = 256;
/**
 * Longest description of a custom tool; the bound of agents, as 1,024 of May 2026 is gone from the
 * types.
 */
export const TOOL_DESCRIPTION_CHARS_MAX = 2048;
/** Longest property name in a custom tool's input schema (behaviour.md 2). */
export const TOOL_PROPERTY_CHARS_MAX = 64;
/** sdk 1.11.0: AgentCreateParams.mcp_servers. */
export const MCP_SERVERS_MAX = 20;
/** sdk 1.11.0: BetaManagedAgentsURLMCPServerParams.name. */
export const MCP_SERVER_NAME_CHARS_MAX = 255;
/** behaviour.md 2, also used for the URLs of images and documents. */
export const URL_CHARS_MAX = 2048;
/** behaviour.md 2. */
export const AGENT_SKILLS_MAX = 20;
/** OpenAPI of May 2026. */
export const SKILL_ID_CHARS_MAX = 64;
/** sdk 1.11.0: at most 20 predefined agents or roster entries. */
export const MULTIAGENT_ENTRIES_MAX = 20;
/** sdk 1.11.0: BetaManagedAgentsAWSRoleExecutionIdentityParams.role_arn. */
export const ROLE_ARN_CHARS_MAX = 2048;
/** Domain lists of the web tools: 1-64 entries of 1-255 characters (behaviour.md 3.1). */
export const WEB_DOMAINS_MAX = 64;
export const WEB_DOMAIN_CHARS_MAX = 255;
/** Longest city and region of a user's location; no documented bound. */
export const WEB_LOCATION_CHARS_MAX = 255;
/** sdk 1.11.0: entries of an `only` or `except` list of `url_sources`. */
export const URL_SOURCE_TOOLS_MAX = 128;

// ── Environments ─────────────────────────────────────────────────────────────────────────────────

/** OpenAPI of May 2026. */
export const ENVIRONMENT_DESCRIPTION_CHARS_MAX = 1024;
/** Hosts in `allowed_hosts`; no documented bound. */
export const ALLOWED_HOSTS_MAX = 256;
/** Longest host name in `allowed_hosts`, in characters (DNS). */
export const HOST_CHARS_MAX = 253;
/** Packages per manager, and the length of one with its version; no documented bound. */
export const PACKAGES_MAX = 256;
export const PACKAGE_CHARS_MAX = 256;

// ── Sessions ─────────────────────────────────────────────────────────────────────────────────────

/** OpenAPI of May 2026. */
export const SESSION_TITLE_CHARS_MAX = 500;
/** sdk 1.11.0: SessionCreateParams.initial_events. */
export const INITIAL_EVENTS_MAX = 50;
/** File-sourced document blocks in one create or send (behaviour.md 5.1). */
export const FILE_DOCUMENTS_MAX = 100;
/** Resources of a session; documented for deployments and for files. */
export const SESSION_RESOURCES_MAX = 500;
/** Vaults of a session; documented for deployments. */
export const SESSION_VAULTS_MAX = 50;
/** OpenAPI of May 2026: where a resource is mounted. */
export const MOUNT_PATH_CHARS_MAX = 4096;
/** OpenAPI of May 2026: a repository's token. */
export const AUTHORIZATION_TOKEN_CHARS_MAX = 4096;
/** sdk 1.11.0: instructions of an attached memory store. */
export const MEMORY_INSTRUCTIONS_CHARS_MAX = 4096;
/** OpenAPI of May 2026: a branch's name and a commit's hash. */
export const BRANCH_CHARS_MAX = 255;
export const COMMIT_CHARS_MIN = 7;
export const COMMIT_CHARS_MAX = 64;
/** Digits of a budget's amount in cents: far beyond any bill, exact in a `bigint`. */
export const BUDGET_AMOUNT_DIGITS_MAX = 15;

// ── Events ───────────────────────────────────────────────────────────────────────────────────────

/**
 * Events in one send; no documented bound. One transaction holds the session's row for all of them.
 */
export const SEND_EVENTS_MAX = 1000;
/** Content blocks of one event; documented for `system.message`. */
export const CONTENT_BLOCKS_MAX = 1000;
/** OpenAPI of May 2026. */
export const DENY_MESSAGE_CHARS_MAX = 10_000;
/** Longest outcome description; the bound of a system prompt, as no document gives one. */
export const OUTCOME_DESCRIPTION_CHARS_MAX = 100_000;
/** sdk 1.11.0: BetaManagedAgentsTextRubricParams.content. */
export const RUBRIC_CHARS_MAX = 262_144;
/** sdk 1.11.0: at most 20 cycles of an outcome. */
export const OUTCOME_ITERATIONS_MAX = 20;
/** Longest title or context of a document block; no documented bound. */
export const DOCUMENT_TITLE_CHARS_MAX = 2048;
