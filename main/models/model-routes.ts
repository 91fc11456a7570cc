// Which endpoint answers for which model id, and what is known of the models, out of the settings:
// the operator's file, then one catch-all: the configured endpoint, Anthropic's, or the scripted
// model where no key is set.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ModelEndpoint, ModelRoute } from '../../activities/model/routes.ts';
import {
  createModelCatalog,
  isMatch,
  isPattern,
  patternWeight,
  withRules,
} from '../../protocol/models/model-catalog.ts';
import type { ModelCatalog } from '../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG, PUBLIC_MODELS } from '../../protocol/models/public-models.ts';
import { API_KEY_PREFIX } from '../../store/keys.ts';
import { ConfigError } from '../config.ts';
import type { Config, Secrets } from '../config.ts';
import { readModelFile } from './model-file.ts';
import type { FileEntry } from './model-file.ts';

const ANTHROPIC_URL = 'https://api.anthropic.com';
/** for an endpoint that asks for none: the SDK insists on sending one */
const NO_KEY = 'none';
/** beside the data directory, where no setting names another */
const MODEL_FILE = 'holdfast.models.json';

/** A route of the file; a process that calls no models does without its keys. */
interface FileRoute extends ModelRoute {
  /** the sentence about a variable that is not set, if one is not */
  missing: string | null;
}

export interface ModelChoice {
  /** where everything goes that the file does not name; null: to the scripted model */
  upstream: { baseUrl: string; apiKey: string } | null;
  /** the file's endpoints, most specific first */
  routes: readonly FileRoute[];
  /** what is known of the models, and which of them a list names */
  models: ModelCatalog;
}

/**
 * Reads the choice from the settings; throws ConfigError for a file that cannot be used. A key of
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
  const { baseUrl } = config.model;
  const upstream =
    apiKey === null && baseUrl === null
      ? null
      : { baseUrl: baseUrl ?? ANTHROPIC_URL, apiKey: apiKey ?? NO_KEY };
  const file = modelFile(config);
  const entries = file === null ? [] : readModelFile(file);
  const routes = routesOf(entries, secrets);
  const named = new Set(entries.flatMap(({ rule }) => rule.models));
  const servesAll = upstream === null || isAnthropic(upstream.baseUrl);
  const isListed = (modelId: string): boolean => {
    if (named.has(modelId)) return true;
    const route = routes.find(({ model }) => isMatch(model, modelId));
    return route === undefined ? servesAll : servesPublicModels(route);
  };
  const rules = entries.map(({ rule }) => rule);
  const models = createModelCatalog(withRules(PUBLIC_MODELS, rules, isListed));
  return { upstream, routes, models };
}

/**
 * The whole table for the model client; `scriptedUrl` is needed where there is no upstream. Throws
 * ConfigError when a variable is not set that the file names.
 */
export function modelRoutes(choice: ModelChoice, scriptedUrl: string | null): ModelRoute[] {
  const missing = choice.routes.find((route) => route.missing !== null)?.missing;
  if (missing != null) throw new ConfigError(missing);
  const { upstream } = choice;
  const baseUrl = upstream?.baseUrl ?? scriptedUrl;
  if (baseUrl === null) return [...choice.routes];
  const endpoint = { type: 'messages', baseUrl, apiKey: upstream?.apiKey ?? NO_KEY } as const;
  const rest = { model: '*', endpoint, upstreamModel: null, isScripted: upstream === null };
  return [...choice.routes, rest];
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
    ...choice.routes.flatMap((route) => keysOf(route.endpoint)),
  ];
  const real = known.filter((secret): secret is string => secret !== null && secret !== NO_KEY);
  return [...new Set(real)];
}

/** The password in a URL as it is written there and, where that differs, as it is meant. */
function passwordsOf(url: string | null): string[] {
  const written = url === null ? '' : new URL(url).password;
  // An empty text would be found everywhere.
  return written === '' ? [] : [...new Set([written, decodeURIComponent(written)])];
}

function keysOf(endpoint: ModelEndpoint): (string | null)[] {
  if (endpoint.type === 'messages') return [endpoint.apiKey];
  if (endpoint.type === 'vertex') return [];
  const { apiKey, credentials } = endpoint;
  return [apiKey, credentials?.secretKey ?? null, credentials?.sessionToken ?? null];
}

/** The file that the settings name, else the one beside the data directory, if it is there. */
function modelFile(config: Config): string | null {
  if (config.model.modelsFile !== null) return config.model.modelsFile;
  const beside = join(dirname(config.dataDir), MODEL_FILE);
  return existsSync(beside) ? beside : null;
}

function routesOf(entries: readonly FileEntry[], secrets: Secrets): FileRoute[] {
  const named = new Set(entries.flatMap(({ rule }) => rule.models));
  const routes = entries.flatMap((entry) => {
    if (entry.endpoint === null) return [];
    const { endpoint, missing } = endpointOf(entry, secrets);
    const { upstreamModel, isScripted } = entry;
    const models = entry.rule.models.flatMap((model) => withOtherNames(model, named));
    return models.map((model) => ({ model, endpoint, upstreamModel, isScripted, missing }));
  });
  // First match wins: exact ids before patterns, long patterns before short ones.
  return routes.toSorted((left, right) => patternWeight(right.model) - patternWeight(left.model));
}

/** An id with the other names of its model, unless the file says something else of those. */
function withOtherNames(model: string, named: ReadonlySet<string>): string[] {
  const known = isPattern(model) ? undefined : PUBLIC_CATALOG.findListed(model);
  const others = known === undefined ? [] : [known.id, ...known.aliases];
  return [model, ...others.filter((name) => !named.has(name))];
}

function endpointOf(
  { endpoint, placeOf }: FileEntry,
  secrets: Secrets,
): { endpoint: ModelEndpoint; missing: string | null } {
  const missing: string[] = [];
  const fields = Object.entries(endpoint!) as [string, string][];
  const keyOf = (field: string): string | null => {
    const variable = fields.find(([name]) => name === field)?.[1];
    if (variable === undefined) return null;
    const key = secrets.variable(variable);
    if (key === null) missing.push(`${placeOf(field)}: the variable ${variable} is not set.`);
    return key;
  };
  const resolved = withKeys(endpoint!, keyOf);
  return { endpoint: resolved, missing: missing[0] ?? null };
}

function withKeys(
  endpoint: NonNullable<FileEntry['endpoint']>,
  keyOf: (field: string) => string | null,
): ModelEndpoint {
  if (endpoint.type === 'messages') {
    const apiKey = keyOf('api_key_env') ?? NO_KEY;
    return { type: 'messages', baseUrl: endpoint.base_url, apiKey };
  }
  const { region, base_url: baseUrl = null } = endpoint;
  if (endpoint.type === 'vertex') {
    return { type: 'vertex', region, project: endpoint.project, baseUrl };
  }
  const accessKeyId = keyOf('access_key_id_env');
  const secretKey = keyOf('secret_access_key_env');
  const sessionToken = keyOf('session_token_env');
  const isComplete = accessKeyId !== null && secretKey !== null;
  const credentials = isComplete ? { accessKeyId, secretKey, sessionToken } : null;
  return { type: 'bedrock', region, baseUrl, apiKey: keyOf('api_key_env'), credentials };
}

/** Whether everything of the public table can be sent there. */
function servesPublicModels({ endpoint, isScripted: scripted }: ModelRoute): boolean {
  return scripted || (endpoint.type === 'messages' && isAnthropic(endpoint.baseUrl));
}

function isAnthropic(baseUrl: string): boolean {
  return new URL(baseUrl).host === new URL(ANTHROPIC_URL).host;
}
