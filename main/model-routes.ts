// Which endpoint answers for which model id, out of the settings: a table of the operator's own,
// then one catch-all: the configured endpoint, Anthropic's, or the scripted model where no key is
// set.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ModelRoute } from '../activities/model/routes.ts';
import { API_KEY_PREFIX } from '../store/keys.ts';
import { ConfigError } from './config.ts';
import type { Config, Secrets } from './config.ts';

const ANTHROPIC_URL = 'https://api.anthropic.com';
/** for an endpoint that asks for none: the SDK insists on sending one */
const NO_KEY = 'none';

const routesFile = z.record(
  z.string(),
  z.strictObject({
    base_url: z.url(),
    api_key: z.string().min(1).optional(),
    /** a scripted model of ours that runs elsewhere */
    scripted: z.boolean().optional(),
  }),
);

export interface ModelChoice {
  /** where everything goes that the operator's table does not name; null: to the scripted model */
  upstream: { baseUrl: string; apiKey: string } | null;
  /** the operator's table, most specific first */
  routes: readonly ModelRoute[];
}

/**
 * Reads the choice from the settings; throws ConfigError for a table that cannot be read. A key of
 * this very server is not taken for a model key: clients name theirs ANTHROPIC_API_KEY too.
 */
export function modelChoice(
  config: Config,
  secrets: Secrets,
  ownKeys: readonly string[],
): ModelChoice {
  const general = secrets.get('anthropicApiKey');
  const isOurs = general?.startsWith(API_KEY_PREFIX) || ownKeys.includes(general ?? '');
  const apiKey = secrets.get('modelApiKey') ?? (isOurs ? null : general);
  const { baseUrl, routesFile: file } = config.model;
  const upstream =
    apiKey === null && baseUrl === null
      ? null
      : { baseUrl: baseUrl ?? ANTHROPIC_URL, apiKey: apiKey ?? NO_KEY };
  return { upstream, routes: file === null ? [] : readRoutes(file) };
}

/** The whole table for the model client; `scriptedUrl` is needed where there is no upstream. */
export function modelRoutes(choice: ModelChoice, scriptedUrl: string | null): ModelRoute[] {
  const rest: ModelRoute[] = [];
  if (choice.upstream) rest.push({ model: '*', ...choice.upstream, isScripted: false });
  else if (scriptedUrl !== null) {
    rest.push({ model: '*', baseUrl: scriptedUrl, apiKey: NO_KEY, isScripted: true });
  }
  return [...choice.routes, ...rest];
}

/** Whether the scripted model is needed: there is nowhere else to go for some model id. */
export function isScripted(choice: ModelChoice): boolean {
  return choice.upstream === null && !choice.routes.some((route) => route.model === '*');
}

/** Every secret this process knows: what no history and no log may show. */
export function knownSecrets(
  secrets: Secrets,
  choice: ModelChoice,
  ownKeys: readonly string[],
): string[] {
  const known = [
    ...ownKeys,
    ...passwordsOf(secrets.get('databaseUrl')),
    secrets.get('temporalApiKey'),
    secrets.get('modelApiKey'),
    secrets.get('anthropicApiKey'),
    ...choice.routes.map((route) => route.apiKey),
  ];
  return known.filter((secret): secret is string => secret !== null && secret !== NO_KEY);
}

/** The password in a URL as it is written there and, where that differs, as it is meant. */
function passwordsOf(url: string | null): string[] {
  const written = url === null ? '' : new URL(url).password;
  // An empty text would be found everywhere.
  return written === '' ? [] : [...new Set([written, decodeURIComponent(written)])];
}

function readRoutes(file: string): ModelRoute[] {
  const table = parseTable(file);
  const routes = Object.entries(table).map(([model, route]) => ({
    model,
    baseUrl: route.base_url,
    apiKey: route.api_key ?? NO_KEY,
    isScripted: route.scripted ?? false,
  }));
  // First match wins: exact ids before prefixes, long prefixes before short ones.
  const weight = ({ model }: ModelRoute): number =>
    model.endsWith('*') ? model.length : Number.MAX_SAFE_INTEGER;
  return routes.toSorted((left, right) => weight(right) - weight(left));
}

function parseTable(file: string): z.output<typeof routesFile> {
  try {
    return routesFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const reason = issue ? `${issue.path.join('.')}: ${issue.message}` : (error as Error).message;
    throw new ConfigError(`HOLDFAST_MODEL_ROUTES: ${file} cannot be used: ${reason}.`);
  }
}
