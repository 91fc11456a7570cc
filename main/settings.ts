// The table of settings: every environment variable, what it takes, its default and one line of
// explanation; and the text of `.env.example`, which is made of it, so that the page cannot grow
// stale. Names are promises: scripts and people rely on them.
import { z } from 'zod';
import { isAddressRange } from '../activities/web/address-guard.ts';
import { HOSTED_LIMITS, type RateLimits } from '../api/rate-limit.ts';
import {
  MODEL_SILENCE_MS,
  SANDBOX_CPUS,
  SANDBOX_MEMORY_BYTES,
  SANDBOX_PAUSE_MS,
  SANDBOX_PIDS,
  SANDBOX_STOP_MS,
} from '../protocol/limits.ts';

/** What a reader of the example sees of one setting. */
interface SettingText {
  explanation: string;
  /** the default as it would be written in the environment; absent where there is none */
  fallback?: string;
}

interface Setting<T> extends SettingText {
  /** from the variable's text; `undefined` is an unset variable without a default */
  schema: z.ZodType<T, string | undefined>;
}

const MEBIBYTE = 1_048_576;

const text = z.string().min(1);
const optionalText = text.optional();
const port = number('a port, 0 to 65535', (value) => isWhole(value) && value <= 65_535);
const natural = number('a whole number, 0 or more', isWhole);
const positive = number('a whole number above 0', (value) => isWhole(value) && value > 0);
const onOff = oneOf('on', 'off').transform((value) => value === 'on');
const httpUrl = z.url({ protocol: /^https?$/, error: 'an http:// or https:// address' }).optional();
const postgresUrl = z
  .url({ protocol: /^postgres(ql)?$/, error: 'postgres://user:password@host:port/database' })
  .optional();
const privateHosts = z
  .string()
  .default('')
  .transform((list) => list.split(',').map((host) => host.trim()))
  .transform((hosts) => hosts.filter((host) => host !== ''))
  .refine(
    (hosts) => hosts.every((host) => isAddressRange(host) || /^[\w-]+(\.[\w-]+)*$/.test(host)),
    'host names, addresses and CIDR ranges, separated by commas',
  );
const hostAndPort = z
  .string()
  .regex(/^[^:/\s]+:\d{1,5}$/, 'host:port')
  .optional();

function number(expected: string, isRight: (value: number) => boolean) {
  return z
    .string(expected)
    .transform(Number)
    .refine((value) => isRight(value), expected);
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function oneOf<const Choice extends string>(...choices: [Choice, ...Choice[]]) {
  return z.enum(choices, `one of ${choices.join(', ')}`);
}

const LIMIT_NAMES = ['create', 'read', 'write', 'streams', 'requests'] as const;
const LIMITS_EXPECTED =
  `off, hosted, or figures such as create=300,read=1200 (${LIMIT_NAMES.join(', ')}; ` +
  'hosted,streams=50 adds to the hosted ones)';

/** What one key may ask for; later parts of the text win over earlier ones. */
const rateLimits = z.string().transform((given, context): RateLimits => {
  if (given === 'off') return {};
  const limits: RateLimits = {};
  for (const part of given.split(',').map((text) => text.trim())) {
    const [name, figure = ''] = part.split('=');
    const known = LIMIT_NAMES.find((limit) => limit === name);
    if (part === 'hosted') Object.assign(limits, HOSTED_LIMITS);
    else if (known !== undefined && /^[1-9]\d{0,8}$/.test(figure)) limits[known] = Number(figure);
    else context.addIssue({ code: 'custom', message: LIMITS_EXPECTED });
  }
  return Object.freeze(limits);
});

function setting<T>(
  schema: z.ZodType<T, string | undefined>,
  explanation: string,
  fallback?: string,
): Setting<T> {
  const shown = fallback === undefined ? {} : { fallback };
  return { schema, explanation, ...shown };
}

/** The whole list, in the order in which `.env.example` shows it. */
export const SETTINGS = {
  HOLDFAST_HOST: setting(text, 'Address the API listens on.', '127.0.0.1'),
  HOLDFAST_PORT: setting(port, 'Port of the API; 0 takes any free one.', '8787'),
  HOLDFAST_DATA: setting(text, 'Directory for everything that is kept on disk.', './.holdfast'),
  HOLDFAST_API_KEY: setting(
    optionalText,
    'The first API key. Unset: minted at first start, printed once, kept in HOLDFAST_DATA/api-key.',
  ),
  HOLDFAST_RATE_LIMITS: setting(
    rateLimits,
    'Limits of one key: off, hosted, or create=300,read=1200,write=…,streams=…,requests=….',
    'off',
  ),
  HOLDFAST_AUDIT_LOG: setting(
    onOff.optional(),
    'One log line a request: on or off. Default on; in the quickstart off.',
  ),
  HOLDFAST_LOG_LEVEL: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal'),
    'trace, debug, info, warn, error or fatal.',
    'info',
  ),
  HOLDFAST_LOG_FORMAT: setting(
    oneOf('auto', 'pretty', 'json'),
    'pretty, json, or auto: pretty on a terminal, json elsewhere.',
    'auto',
  ),
  HOLDFAST_DATABASE_URL: setting(
    postgresUrl,
    'A PostgreSQL of your own. Unset: an embedded one below HOLDFAST_DATA.',
  ),
  HOLDFAST_TEMPORAL_ADDRESS: setting(
    hostAndPort,
    'A Temporal of your own, host:port. Unset: an embedded one below HOLDFAST_DATA.',
  ),
  HOLDFAST_TEMPORAL_NAMESPACE: setting(text, 'Namespace of the session workflows.', 'default'),
  HOLDFAST_TEMPORAL_API_KEY: setting(
    optionalText,
    'Key for a Temporal of your own that asks for one; turns TLS on.',
  ),
  HOLDFAST_TEMPORAL_TLS: setting(onOff, 'TLS towards a Temporal of your own: on or off.', 'off'),
  HOLDFAST_TEMPORAL_PORT: setting(
    port.optional(),
    'Port of the embedded Temporal; 0 takes any free one. Default 7233.',
  ),
  HOLDFAST_TEMPORAL_UI_PORT: setting(
    port.optional(),
    'Port of the embedded Temporal UI; 0 takes any free one. Default 8233.',
  ),
  HOLDFAST_TEMPORAL_PREVIEWS: setting(
    onOff,
    'off keeps even message previews and command summaries out of Temporal.',
    'on',
  ),
  HOLDFAST_MODEL_API_KEY: setting(
    optionalText,
    'Key for the model endpoint. Unset: ANTHROPIC_API_KEY, else the scripted model answers.',
  ),
  HOLDFAST_MODEL_BASE_URL: setting(
    httpUrl,
    'A Messages API endpoint. Unset: https://api.anthropic.com, or, without a key, the script.',
  ),
  HOLDFAST_MODELS: setting(
    optionalText,
    'File of models, docs/models.md. Unset: holdfast.models.json beside HOLDFAST_DATA, if there.',
  ),
  ANTHROPIC_API_KEY: setting(
    optionalText,
    'Used when HOLDFAST_MODEL_API_KEY is unset and this is no key of this server.',
  ),
  HOLDFAST_MODEL_ATTEMPTS: setting(
    positive,
    'How often one model call is tried before the session gives up, the first time included.',
    '10',
  ),
  HOLDFAST_MODEL_SILENCE_MS: setting(
    positive,
    'A model that says nothing for this long, first word included, is asked again.',
    String(MODEL_SILENCE_MS),
  ),
  HOLDFAST_SCRIPTED_DELAY_MS: setting(
    natural,
    'How long the scripted model takes to its first token.',
    '150',
  ),
  HOLDFAST_SEARCH_URL: setting(
    httpUrl,
    'A SearXNG endpoint that answers web_search. Unset, as the next two: web_search fails.',
  ),
  HOLDFAST_BRAVE_API_KEY: setting(optionalText, "Key for Brave's search API, for web_search."),
  HOLDFAST_BRAVE_BASE_URL: setting(
    httpUrl,
    "Where Brave's search API is. Default https://api.search.brave.com.",
  ),
  HOLDFAST_SEARCH: setting(
    oneOf('upstream').optional(),
    "upstream: the model endpoint's own web search answers web_search, one model call each.",
  ),
  HOLDFAST_SEARCH_MODEL: setting(
    text,
    'Model that searches when HOLDFAST_SEARCH is upstream.',
    'claude-haiku-4-5',
  ),
  HOLDFAST_WEB_PRIVATE_HOSTS: setting(
    privateHosts,
    'Hosts, addresses and CIDR ranges that web_fetch may read although they are private: a,b,c.',
  ),
  HOLDFAST_WORKER_ROLES: setting(
    oneOf('all', 'workflows'),
    'What a worker process does: all, or workflows only (then it needs no Docker).',
    'all',
  ),
  HOLDFAST_DOCKER_SOCKET: setting(
    optionalText,
    'Path of the Docker socket. Default /var/run/docker.sock.',
  ),
  HOLDFAST_SANDBOX_IMAGE: setting(
    optionalText,
    'Image to make sandboxes of: any Debian or Ubuntu. What they need is added to it at the start.',
  ),
  HOLDFAST_SANDBOX_MEMORY_MB: setting(
    positive,
    'Memory limit of a sandbox, in MiB.',
    String(SANDBOX_MEMORY_BYTES / MEBIBYTE),
  ),
  HOLDFAST_SANDBOX_CPUS: setting(
    number('a number above 0', (value) => value > 0),
    'CPU limit of a sandbox, in cores.',
    String(SANDBOX_CPUS),
  ),
  HOLDFAST_SANDBOX_PIDS: setting(
    positive,
    'Limit of processes in a sandbox.',
    String(SANDBOX_PIDS),
  ),
  HOLDFAST_SANDBOX_PAUSE_MS: setting(
    positive,
    'An idle sandbox is paused after this long.',
    String(SANDBOX_PAUSE_MS),
  ),
  HOLDFAST_SANDBOX_STOP_MS: setting(
    positive,
    'An idle sandbox is stopped (files kept) after this long.',
    String(SANDBOX_STOP_MS),
  ),
  HOLDFAST_CONTINUE_AS_NEW_EVENTS: setting(
    positive.optional(),
    'For tests: continue a workflow as new past so many history events.',
  ),
  HOLDFAST_TEST_PAUSE_AT: setting(
    optionalText,
    'For tests: an activity that reaches the moment of this name goes no further.',
  ),
} as const;

const HEADER = `# Settings of the server, all optional: with none of them \`npm start\` works.
# Generated by \`node main/config.ts --print-example\`. The server reads the environment, not this:
#   set -a; . ./.env; set +a; npm start
`;

/** One commented-out line a setting, under its explanation, in the order of the table. */
export function renderSettings(settings: Readonly<Record<string, SettingText>>): string {
  const blocks = Object.entries(settings).map(
    ([name, { explanation, fallback }]) => `# ${explanation}\n# ${name}=${fallback ?? ''}\n`,
  );
  return [HEADER, ...blocks].join('\n');
}
