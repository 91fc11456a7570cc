// The only reader of process.env: turns it into the settings the server runs with (the table of all
// variables is settings.ts). Promise: the result is complete, frozen and free of contradictions, or
// one sentence says which variable is wrong. Secrets live in a second object that cannot be
// printed.
import { inspect } from 'node:util';
import { resolve } from 'node:path';
import type { z } from 'zod';
import type { RateLimits } from '../api/rate-limit.ts';
import { renderSettings, SETTINGS } from './settings.ts';

type Settings = typeof SETTINGS;
type Values = { [Name in keyof Settings]: z.output<Settings[Name]['schema']> };

/** What the server runs with; safe to log. */
export interface Config {
  readonly host: string;
  /** 0 is any free port */
  readonly port: number;
  readonly dataDir: string;
  /** of one key, in one process */
  readonly rateLimits: Readonly<RateLimits>;
  /** null: as the program sees fit */
  readonly auditLog: boolean | null;
  readonly log: { readonly level: string; readonly format: 'auto' | 'pretty' | 'json' };
  readonly temporal: {
    /** null: embedded */
    readonly address: string | null;
    readonly namespace: string;
    readonly tls: boolean;
    readonly embeddedPort: number;
    readonly embeddedUiPort: number;
    readonly previews: boolean;
  };
  /** true: PostgreSQL below the data directory */
  readonly embeddedDatabase: boolean;
  readonly model: {
    readonly baseUrl: string | null;
    /** null: none is named */
    readonly modelsFile: string | null;
    readonly attemptsMax: number;
    readonly silenceMs: number;
    readonly scriptedDelayMs: number;
  };
  readonly web: {
    /** null: no provider is set */
    readonly search: 'searxng' | 'brave' | 'upstream' | null;
    readonly searxngUrl: string | null;
    readonly braveBaseUrl: string;
    readonly searchModel: string;
    readonly privateHosts: readonly string[];
  };
  readonly workerRoles: 'all' | 'workflows';
  readonly sandbox: {
    readonly dockerSocket: string | null;
    readonly image: string | null;
    readonly memoryMb: number;
    readonly cpus: number;
    readonly pids: number;
    readonly pauseMs: number;
    readonly stopMs: number;
  };
  readonly continueAsNewEvents: number | null;
  readonly pausePoint: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;
type SecretName =
  | 'apiKey'
  | 'databaseUrl'
  | 'temporalApiKey'
  | 'modelApiKey'
  | 'anthropicApiKey'
  | 'braveApiKey';

/** The settings that must never reach a log: printing or serialising it shows only its name. */
export class Secrets {
  readonly #values: Readonly<Partial<Record<SecretName, string>>>;
  readonly #variables: Environment;

  constructor(values: Partial<Record<SecretName, string>>, variables: Environment = {}) {
    this.#values = Object.freeze({ ...values });
    this.#variables = Object.freeze({ ...variables });
  }

  /** The secret, or null when it is not set. */
  get(name: SecretName): string | null {
    return this.#values[name] ?? null;
  }

  /** The value of a variable that the file of models names, or null when it is not set. */
  variable(name: string): string | null {
    const value = this.#variables[name]?.trim();
    return value === undefined || value === '' ? null : value;
  }

  toJSON(): string {
    return '[secrets]';
  }

  toString(): string {
    return '[secrets]';
  }

  [inspect.custom](): string {
    return '[secrets]';
  }
}

/** A setting that is wrong; the message is one sentence that names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads every setting from `environment`; throws ConfigError for the first one that is wrong. */
export function readConfig(environment: Environment = process.env): {
  config: Config;
  secrets: Secrets;
} {
  refuseUnknown(environment);
  const values = parseSettings(environment);
  refuseContradictions(values);
  return { config: configOf(values), secrets: secretsOf(values, environment) };
}

/** The variables that child processes of ours need from this process, and none of its secrets. */
export function childEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The text of `.env.example`: every setting with its default, commented out. */
export function exampleEnvironment(): string {
  return renderSettings(SETTINGS);
}

function refuseUnknown(environment: Environment): void {
  const unknown = Object.keys(environment).find(
    (name) =>
      name.startsWith('HOLDFAST_') &&
      // Left to the tests, which tell each other things by them.
      !name.startsWith('HOLDFAST_TEST_') &&
      !Object.hasOwn(SETTINGS, name),
  );
  if (unknown !== undefined) {
    throw new ConfigError(`${unknown} is no setting of this server; .env.example lists them all.`);
  }
}

function parseSettings(environment: Environment): Values {
  const entries = Object.entries(SETTINGS).map(([name, { schema, fallback }]) => {
    // An empty variable counts as unset: compose files pass `${NAME:-}`.
    const given = environment[name]?.trim();
    const parsed = schema.safeParse(given === undefined || given === '' ? fallback : given);
    if (!parsed.success) {
      const expected = parsed.error.issues[0]?.message ?? 'another value';
      throw new ConfigError(`${name} must be ${expected}.`);
    }
    return [name, parsed.data];
  });
  return Object.fromEntries(entries) as Values;
}

function refuseContradictions(values: Values): void {
  if (values.HOLDFAST_TEMPORAL_ADDRESS !== undefined) {
    const embeddedOnly = ['HOLDFAST_TEMPORAL_PORT', 'HOLDFAST_TEMPORAL_UI_PORT'] as const;
    const set = embeddedOnly.find((name) => values[name] !== undefined);
    if (set !== undefined) {
      throw new ConfigError(
        `${set} is for the embedded Temporal, but HOLDFAST_TEMPORAL_ADDRESS names another: ` +
          'unset one of the two.',
      );
    }
  } else if (values.HOLDFAST_TEMPORAL_API_KEY !== undefined || values.HOLDFAST_TEMPORAL_TLS) {
    throw new ConfigError(
      'HOLDFAST_TEMPORAL_API_KEY and HOLDFAST_TEMPORAL_TLS need HOLDFAST_TEMPORAL_ADDRESS as well.',
    );
  }
  if (searchProvidersOf(values).length > 1) {
    throw new ConfigError(
      'HOLDFAST_SEARCH_URL, HOLDFAST_BRAVE_API_KEY and HOLDFAST_SEARCH each name a search ' +
        'provider: set one of them.',
    );
  }
  if (values.HOLDFAST_SANDBOX_STOP_MS < values.HOLDFAST_SANDBOX_PAUSE_MS) {
    throw new ConfigError('HOLDFAST_SANDBOX_STOP_MS must not be below HOLDFAST_SANDBOX_PAUSE_MS.');
  }
}

function searchProvidersOf(values: Values): ('searxng' | 'brave' | 'upstream')[] {
  return [
    ...(values.HOLDFAST_SEARCH_URL === undefined ? [] : ['searxng' as const]),
    ...(values.HOLDFAST_BRAVE_API_KEY === undefined ? [] : ['brave' as const]),
    ...(values.HOLDFAST_SEARCH === undefined ? [] : ['upstream' as const]),
  ];
}

const BRAVE_BASE_URL = 'https://api.search.brave.com';
const TEMPORAL_PORT_DEFAULT = 7_233;
const TEMPORAL_UI_PORT_DEFAULT = 8_233;

function configOf(values: Values): Config {
  const config: Config = {
    host: values.HOLDFAST_HOST,
    port: values.HOLDFAST_PORT,
    dataDir: resolve(values.HOLDFAST_DATA),
    rateLimits: values.HOLDFAST_RATE_LIMITS,
    auditLog: values.HOLDFAST_AUDIT_LOG ?? null,
    log: { level: values.HOLDFAST_LOG_LEVEL, format: values.HOLDFAST_LOG_FORMAT },
    temporal: {
      address: values.HOLDFAST_TEMPORAL_ADDRESS ?? null,
      namespace: values.HOLDFAST_TEMPORAL_NAMESPACE,
      tls: values.HOLDFAST_TEMPORAL_TLS || values.HOLDFAST_TEMPORAL_API_KEY !== undefined,
      embeddedPort: values.HOLDFAST_TEMPORAL_PORT ?? TEMPORAL_PORT_DEFAULT,
      embeddedUiPort: values.HOLDFAST_TEMPORAL_UI_PORT ?? TEMPORAL_UI_PORT_DEFAULT,
      previews: values.HOLDFAST_TEMPORAL_PREVIEWS,
    },
    embeddedDatabase: values.HOLDFAST_DATABASE_URL === undefined,
    model: {
      baseUrl: values.HOLDFAST_MODEL_BASE_URL ?? null,
      modelsFile: values.HOLDFAST_MODELS === undefined ? null : resolve(values.HOLDFAST_MODELS),
      attemptsMax: values.HOLDFAST_MODEL_ATTEMPTS,
      silenceMs: values.HOLDFAST_MODEL_SILENCE_MS,
      scriptedDelayMs: values.HOLDFAST_SCRIPTED_DELAY_MS,
    },
    web: {
      search: searchProvidersOf(values)[0] ?? null,
      searxngUrl: values.HOLDFAST_SEARCH_URL ?? null,
      braveBaseUrl: values.HOLDFAST_BRAVE_BASE_URL ?? BRAVE_BASE_URL,
      searchModel: values.HOLDFAST_SEARCH_MODEL,
      privateHosts: values.HOLDFAST_WEB_PRIVATE_HOSTS,
    },
    workerRoles: values.HOLDFAST_WORKER_ROLES,
    sandbox: {
      dockerSocket: values.HOLDFAST_DOCKER_SOCKET ?? null,
      image: values.HOLDFAST_SANDBOX_IMAGE ?? null,
      memoryMb: values.HOLDFAST_SANDBOX_MEMORY_MB,
      cpus: values.HOLDFAST_SANDBOX_CPUS,
      pids: values.HOLDFAST_SANDBOX_PIDS,
      pauseMs: values.HOLDFAST_SANDBOX_PAUSE_MS,
      stopMs: values.HOLDFAST_SANDBOX_STOP_MS,
    },
    continueAsNewEvents: values.HOLDFAST_CONTINUE_AS_NEW_EVENTS ?? null,
    pausePoint: values.HOLDFAST_TEST_PAUSE_AT ?? null,
  };
  for (const part of Object.values(config)) {
    if (typeof part === 'object' && part !== null) Object.freeze(part);
  }
  return Object.freeze(config);
}

function secretsOf(values: Values, environment: Environment): Secrets {
  const named: [SecretName, string | undefined][] = [
    ['apiKey', values.HOLDFAST_API_KEY],
    ['databaseUrl', values.HOLDFAST_DATABASE_URL],
    ['temporalApiKey', values.HOLDFAST_TEMPORAL_API_KEY],
    ['modelApiKey', values.HOLDFAST_MODEL_API_KEY],
    ['anthropicApiKey', values.ANTHROPIC_API_KEY],
    ['braveApiKey', values.HOLDFAST_BRAVE_API_KEY],
  ];
  const given = named.filter(([, value]) => value !== undefined);
  return new Secrets(Object.fromEntries(given), environment);
}

if (import.meta.main && process.argv.includes('--print-example')) {
  process.stdout.write(exampleEnvironment());
}
