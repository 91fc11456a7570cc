// What has no proof, and may have none for now: areas that are not built yet, each with its row in
// docs/differences.md, and variants that no server of this kind ever gives, each with its reason.
// Everything else needs a test. An entry for something that a test proves is refused.

export interface NotYetArea {
  area: string;
  /** found in a row of "Not yet" in docs/differences.md */
  row: RegExp;
  /** what it covers: `GET /v1/files`, `event agent.message`, `sent user.message` */
  covers: readonly RegExp[];
}

export const NOT_YET: readonly NotYetArea[] = [
  {
    area: 'files',
    row: /\bfiles\b/,
    covers: [
      /^\w+ \/v1\/files\b/,
      /^(event|sent) (?!user\.tool_result|agent\.thread).* content.*=file$/,
    ],
  },
  { area: 'session resources', row: /`resources`/, covers: [/sessions\/\{id\}\/resources\b/] },
  { area: 'repositories', row: /`resources`/, covers: [/^event session\.error error=repository_/] },
  { area: 'skills', row: /\bskills\b/, covers: [/^\w+ \/v1\/skills\b/] },
  {
    area: 'vaults',
    row: /\bvault/,
    covers: [/^\w+ \/v1\/vaults\b/, /error=credential_host_unreachable_error$/],
  },
  { area: 'memory stores', row: /\bmemory stores\b/, covers: [/^\w+ \/v1\/memory_stores\b/] },
  { area: 'deployments', row: /\bdeployments\b/, covers: [/^\w+ \/v1\/deployment(s|_runs)\b/] },
  { area: 'dreams', row: /\bdreams\b/, covers: [/^\w+ \/v1\/dreams\b/] },
  { area: 'webhooks', row: /\bwebhooks\b/, covers: [/^\w+ \/v1\/organizations\/webhooks\b/] },
  {
    area: 'user profiles',
    row: /\b(user profiles|routes of)\b/,
    covers: [/^\w+ \/v1\/user_profiles\b/],
  },
  { area: 'tunnels', row: /\b(tunnels|routes of)\b/, covers: [/^\w+ \/v1\/tunnels\b/] },
  {
    area: 'self-hosted environments',
    row: /`self_hosted`/,
    covers: [/environments\/\{id\}\/work\b/, /^(event|sent) user\.tool_result\b/],
  },
  {
    area: 'multi-agent threads',
    row: /\bmulti-agent\b/,
    covers: [
      /threads\/\{id\}\/archive$/,
      /^event session\.thread_created\b/,
      /^event agent\.thread_message_(sent|received)\b(?!.*=redacted)/,
    ],
  },
  {
    area: 'outcomes',
    row: /\boutcomes\b/,
    covers: [/^event span\.outcome_/, /^(event|sent) user\.define_outcome\b/],
  },
  { area: 'workflow runs', row: /\bmulti-agent\b/, covers: [/^event workflow_run\./] },
];

export interface Never {
  reason: string;
  covers: readonly RegExp[];
}

export const NEVER: readonly Never[] = [
  {
    reason: 'stands for what the hosted service withholds; nothing is withheld here',
    covers: [/^event .*=redacted$/],
  },
  {
    reason: 'refused with a 400, as the hosted service does (docs: events reference)',
    covers: [/^sent user\.message .*=redacted$/],
  },
  {
    reason: 'no tool of this server gives one: results hold what was loaded, not where from',
    covers: [
      /^event agent\.(mcp_)?tool_result content\[\]\.source=url$/,
      /^event agent\.mcp_tool_result content\[\]=search_result$/,
    ],
  },
  {
    reason: 'no error ends a session of this server for good: the next message starts a new turn',
    covers: [/^event session\.error error\.retry_status=terminal$/],
  },
];

/** Whether an entry of either list speaks of this route or variant. */
export function isCovered(key: string, { covers }: { covers: readonly RegExp[] }): boolean {
  return covers.some((pattern) => pattern.test(key));
}

/**
 * How many routes and variants may be without proof and in neither list. It is only ever lowered;
 * at 0, nothing of agents, environments, sessions, events, threads and models is unproven.
 */
export const GAPS_MAX = 0;
