// What a request may set for `web_fetch` and `web_search`, and every rule about it: domain lists,
// the user's location, where the URLs to fetch may come from. Pure; the public suffixes come with a
// package. docs: managed-agents/tools-web-restrictions.

import { parse as parseDomain } from 'tldts';
import * as z from 'zod';
import type {
  BetaManagedAgentsWebFetchURLSources,
  BetaManagedAgentsWebFetchURLSourcesParams,
  BetaManagedAgentsWebFetchURLSourceToolFilter,
  BetaManagedAgentsWebFetchURLSourceToolFilterParams,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import {
  URL_SOURCE_TOOLS_MAX,
  WEB_DOMAIN_CHARS_MAX,
  WEB_DOMAINS_MAX,
  WEB_LOCATION_CHARS_MAX,
} from './field-limits.ts';
import { textOf } from './fields.ts';
import { exceedsChars } from './text.ts';

type WebTool = 'web_fetch' | 'web_search';

/** Where a rule was broken, from the value it was looked for in. */
export interface SettingProblem {
  path: (string | number)[];
  message: string;
}

const typed = <T extends string>(type: T) => z.strictObject({ type: z.literal(type) });

// ── Domain lists ─────────────────────────────────────────────────────────────────────────────────

const INSTEAD = 'provide a plain hostname like "example.com"';
const RESERVED = ['localhost', 'local', 'internal', 'localdomain', 'invalid'];

/** One form for what counts as one domain: lower case, without the single trailing slash. */
export function normalDomain(entry: string): { host: string; path: string } {
  const bare = entry.endsWith('/') ? entry.slice(0, -1) : entry;
  const slash = bare.indexOf('/');
  if (slash === -1) return { host: bare.toLowerCase(), path: '' };
  return { host: bare.slice(0, slash).toLowerCase(), path: bare.slice(slash) };
}

/** Says what is wrong with an entry of a domain list; undefined when nothing is. */
export function domainProblem(entry: string, tool: WebTool): string | undefined {
  if (entry === '' || exceedsChars(entry, WEB_DOMAIN_CHARS_MAX)) {
    return `expected 1 to ${WEB_DOMAIN_CHARS_MAX} characters`;
  }
  if (/\s/.test(entry)) return `whitespace is not supported; ${INSTEAD}`;
  // oxlint-disable-next-line eslint/no-control-regex -- ASCII is a range that begins at NUL
  if (!/^[\x00-\x7f]*$/.test(entry)) {
    return 'non-ASCII characters are not supported; use the xn-- (Punycode) form';
  }
  if (entry.includes('://')) return `schemes are not supported; ${INSTEAD}`;
  const { host, path } = normalDomain(entry);
  if (path !== '' && tool === 'web_fetch') return `paths are not supported; ${INSTEAD}`;
  if (/[?#$,|^!]/.test(path)) return 'a path cannot contain any of ? # $ , | ^ !';
  return hostProblem(host);
}

function hostProblem(host: string): string | undefined {
  const labels = host.split('.');
  const last = labels.at(-1) ?? '';
  if (host.includes('@')) return `credentials are not supported; ${INSTEAD}`;
  // The URL standard reads a name that ends in a number as an IPv4 address, however short.
  if (/[[\]]|:.*:/.test(host) || /^(\d+|0x[\da-f]*)$/.test(last.split(':')[0] ?? '')) {
    return `IP addresses are not supported; ${INSTEAD}`;
  }
  if (host.includes(':')) return `ports are not supported; ${INSTEAD}`;
  if (host.includes('*')) return `wildcards are not supported; ${INSTEAD}`;
  if (!labels.every((label) => /^(?!-)[a-z\d_-]{1,63}(?<!-)$/.test(label))) {
    return `not a hostname; ${INSTEAD}`;
  }
  if (RESERVED.includes(last)) return `names under ${last} are not supported; ${INSTEAD}`;
  if (labels.length === 1) return `single-label names are not supported; ${INSTEAD}`;
  const { domain } = parseDomain(host, { validateHostname: false });
  return domain === null ? `public suffixes are not supported; ${INSTEAD}` : undefined;
}

function domainsProblem(entries: readonly string[], tool: WebTool): SettingProblem | undefined {
  if (entries.length === 0) {
    const message = 'Empty list of domains is ambiguous. Provide at least one domain or null.';
    return { path: [], message };
  }
  if (entries.length > WEB_DOMAINS_MAX) {
    return { path: [], message: `expected at most ${WEB_DOMAINS_MAX} entries` };
  }
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const message = domainProblem(entry, tool);
    if (message !== undefined) return { path: [index], message };
    const { host, path } = normalDomain(entry);
    if (seen.has(host + path)) return { path: [index], message: 'this domain is listed already' };
    seen.add(host + path);
  }
  return undefined;
}

/** The documented null, which the SDK's types lack, counts as absent. */
function domainsRequest(tool: WebTool) {
  const list = z.array(z.string()).superRefine((entries, context) => {
    const problem = domainsProblem(entries, tool);
    if (problem !== undefined) context.addIssue({ code: 'custom', ...problem });
  });
  return z.preprocess((value) => value ?? undefined, list.optional()).optional();
}

/** An entry that sets both of its lists; undefined for every other. */
export function bothListsProblem(entry: object): SettingProblem | undefined {
  const isSet = (field: string) => Reflect.get(entry, field) != null;
  if (!isSet('allowed_domains') || !isSet('blocked_domains')) return undefined;
  return { path: [], message: 'Only one of allowed_domains or blocked_domains may be set.' };
}

// ── The user's location ──────────────────────────────────────────────────────────────────────────

const COUNTRIES: ReadonlySet<string> = new Set(
  // ISO 3166-1 alpha-2, the officially assigned ones.
  (
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN ' +
    'BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ ' +
    'DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL ' +
    'GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM ' +
    'JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME ' +
    'MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP ' +
    'NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD ' +
    'SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO ' +
    'TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW'
  ).split(' '),
);

function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 are accepted below and are no names.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Shape of `user_location` in a response. */
export const userLocation = z.strictObject({
  type: z.literal('approximate'),
  city: z.string().nullable().optional(),
  country: z.string().nullable().optional(),
  region: z.string().nullable().optional(),
  timezone: z.string().nullable().optional(),
});
export type UserLocation = z.infer<typeof userLocation>;

const place = textOf(WEB_LOCATION_CHARS_MAX, 1).nullable().optional();
const userLocationRequest = userLocation.extend({
  city: place,
  region: place,
  country: z
    .string()
    .refine((code) => COUNTRIES.has(code), 'not a country the search provider supports')
    .nullable()
    .optional(),
  timezone: z.string().refine(isTimeZone, 'not a valid IANA time zone name').nullable().optional(),
});

// ── Sources of URLs ──────────────────────────────────────────────────────────────────────────────

const toolReferences = z
  .array(z.strictObject({ type: z.literal('tool_reference'), name: z.string() }))
  .min(1)
  .max(URL_SOURCE_TOOLS_MAX)
  .superRefine((references, context) => {
    const names = references.map(({ name }) => name);
    const index = names.findIndex((name, at) => names.indexOf(name) < at);
    if (index === -1) return;
    const message = 'this tool is named already';
    context.addIssue({ code: 'custom', path: [index, 'name'], message });
  });
const userInputSource = z.discriminatedUnion('type', [typed('all'), typed('none')]);
const toolResultSource = z.discriminatedUnion('type', [
  typed('all'),
  typed('none'),
  z.strictObject({ type: z.literal('only'), tools: toolReferences }),
  z.strictObject({ type: z.literal('except'), tools: toolReferences }),
]);
const shorthand = z.enum(['all', 'none']);
const urlSourcesRequest = z
  .strictObject({
    client_tool_results: z.union([shorthand, toolResultSource]).nullable().optional(),
    server_tool_results: z.union([shorthand, toolResultSource]).nullable().optional(),
    user_input: z.union([shorthand, userInputSource]).nullable().optional(),
  })
  .refine((sources) => {
    const { client_tool_results: client, server_tool_results: server, user_input: user } = sources;
    return [client, server, user].some((source) => typeOf(source) !== 'none');
  }, 'at least one source must be other than "none"');

/** Shape of `url_sources` in a response: always the object form. */
export const urlSources = z.strictObject({
  client_tool_results: toolResultSource.nullable(),
  server_tool_results: toolResultSource.nullable(),
  user_input: userInputSource.nullable(),
});
export type UrlSources = z.infer<typeof urlSources>;

type SourceRequest = BetaManagedAgentsWebFetchURLSourceToolFilterParams | null | undefined;

function typeOf(source: SourceRequest): string {
  return typeof source === 'string' ? source : (source?.type ?? 'all');
}

/** The sources of a request with every shorthand written out, as responses have them. */
export function resolvedUrlSources(
  sources: BetaManagedAgentsWebFetchURLSourcesParams,
): BetaManagedAgentsWebFetchURLSources {
  const { client_tool_results: client, server_tool_results: server, user_input: user } = sources;
  const inFull = (source: SourceRequest): BetaManagedAgentsWebFetchURLSourceToolFilter | null =>
    typeof source === 'string' ? { type: source } : (source ?? null);
  return {
    client_tool_results: inFull(client),
    server_tool_results: inFull(server),
    user_input: typeof user === 'string' ? { type: user } : (user ?? null),
  };
}

// ── The settings of an entry, and of a whole tools array ─────────────────────────────────────────

/** Fields of the `web_fetch` entry in a request. */
export const webFetchRequest = {
  allowed_domains: domainsRequest('web_fetch'),
  blocked_domains: domainsRequest('web_fetch'),
  max_content_tokens: z.int().positive().nullable().optional(),
  url_sources: urlSourcesRequest.nullable().optional(),
};
/** Fields of the `web_search` entry in a request. */
export const webSearchRequest = {
  allowed_domains: domainsRequest('web_search'),
  blocked_domains: domainsRequest('web_search'),
  user_location: userLocationRequest.nullable().optional(),
};

/** What this file reads of an entry of `tools`, in a request as in a response. */
interface ToolEntry {
  type: string;
  name?: string;
  configs?: readonly { name: string; enabled?: boolean | null | undefined }[] | undefined;
}

/**
 * Finds a name in `url_sources` that no tool of the same array has: a custom tool's in
 * `client_tool_results`, a web tool's in `server_tool_results`.
 */
export function urlSourceNamesProblem(tools: readonly ToolEntry[]): SettingProblem | undefined {
  const custom = tools.flatMap(({ type, name }) => (type === 'custom' ? [name] : []));
  const known = { client_tool_results: custom, server_tool_results: ['web_search', 'web_fetch'] };
  for (const [toolIndex, tool] of tools.entries()) {
    for (const [index, config] of (tool.configs ?? []).entries()) {
      const sources: unknown = Reflect.get(config, 'url_sources');
      if (tool.type !== 'agent_toolset_20260401' || sources == null) continue;
      for (const [source, names] of Object.entries(known)) {
        const wanted = namesIn((sources as Record<string, SourceRequest>)[source]);
        const at = wanted.findIndex((name) => !names.some((each) => each === name));
        if (at === -1) continue;
        const path = [toolIndex, 'configs', index, 'url_sources', source, 'tools', at, 'name'];
        const expected = source === 'client_tool_results' ? 'a custom tool' : 'a web tool';
        return { path, message: `expected the name of ${expected} in the same tools array` };
      }
    }
  }
  return undefined;
}

function namesIn(source: SourceRequest): string[] {
  if (source == null || typeof source === 'string' || !('tools' in source)) return [];
  return source.tools.map(({ name }) => name);
}

/**
 * Checks the settings of the enabled web tools once more, as a session does when it first has them;
 * null when they hold, else a sentence that begins with the field. Takes resolved tools.
 */
export function webSettingsProblem(tools: readonly ToolEntry[]): string | null {
  for (const tool of tools) {
    if (tool.type !== 'agent_toolset_20260401') continue;
    for (const config of tool.configs ?? []) {
      const isFetch = config.name === 'web_fetch';
      if ((!isFetch && config.name !== 'web_search') || config.enabled === false) continue;
      const shape = z.object(isFetch ? webFetchRequest : webSearchRequest);
      const problem = shape.safeParse(config).error?.issues[0] ?? bothListsProblem(config);
      if (problem !== undefined) return sentence([config.name, ...problem.path], problem.message);
    }
  }
  const unknown = urlSourceNamesProblem(tools);
  return unknown === undefined ? null : sentence(unknown.path, unknown.message);
}

/**
 * True when `allowed_hosts` of a `limited` environment has the host: an entry is one exact host,
 * unless it begins with `*.` and means the subdomains.
 */
export function isAllowedHost(host: string, allowedHosts: readonly string[]): boolean {
  const wanted = host.toLowerCase().replace(/\.$/, '');
  return allowedHosts
    .map((entry) => entry.toLowerCase())
    .some((entry) => (entry.startsWith('*.') ? wanted.endsWith(entry.slice(1)) : wanted === entry));
}

/**
 * Finds an allowed domain of an enabled web tool that a `limited` environment does not let it
 * reach, which refuses the session. docs: managed-agents/tools-web-restrictions. Takes resolved
 * tools; the path begins in their array.
 */
export function outsideHostsProblem(
  tools: readonly ToolEntry[],
  allowedHosts: readonly string[],
): SettingProblem | undefined {
  for (const [toolIndex, tool] of tools.entries()) {
    for (const [index, config] of (tool.configs ?? []).entries()) {
      const domains: unknown = Reflect.get(config, 'allowed_domains');
      if (config.enabled === false || !Array.isArray(domains)) continue;
      const at = domains.findIndex(
        (domain) => !isAllowedHost(normalDomain(String(domain)).host, allowedHosts),
      );
      if (at === -1) continue;
      const path = [toolIndex, 'configs', index, 'allowed_domains', at];
      return { path, message: "not within the environment's allowed_hosts" };
    }
  }
  return undefined;
}

function sentence(path: readonly PropertyKey[], message: string): string {
  return `${path.map(String).join('.')}: ${message}`;
}
