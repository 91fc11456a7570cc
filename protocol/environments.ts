// Environments on the wire: requests, responses, and the pure rules of creating and updating one. A
// stored config is always complete; a request names only what differs.

import * as z from 'zod';
import type {
  BetaCloudConfig,
  BetaEnvironment,
  BetaLimitedNetwork,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { ApiError } from './errors.ts';
import { flagParam, mergeMetadata, metadata, metadataPatch, textOf, timestamp } from './fields.ts';
import {
  ALLOWED_HOSTS_MAX,
  ENVIRONMENT_DESCRIPTION_CHARS_MAX,
  ENVIRONMENT_PAGE_ENTRIES_MAX,
  HOST_CHARS_MAX,
  NAME_CHARS_MAX,
  PACKAGE_CHARS_MAX,
  PACKAGES_MAX,
  PAGE_ENTRIES_DEFAULT,
} from './field-limits.ts';
import { limitParam, pageParam } from './page.ts';

/** sdk 1.11.0: BetaEnvironment. */
export type Environment = BetaEnvironment;
export type EnvironmentConfig = Environment['config'];
/** What a client can say about an environment; the store adds id and times. */
export type EnvironmentFields = Pick<
  Environment,
  'name' | 'description' | 'metadata' | 'config'
> & {
  scope: 'organization' | 'account';
};

/** Package managers, in the order in which they run. docs: managed-agents/environments. */
export const PACKAGE_MANAGERS = ['apt', 'cargo', 'gem', 'go', 'npm', 'pip'] as const;

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

const HOST = /^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i;
const host = z
  .string()
  .refine(
    (value) => value.length <= HOST_CHARS_MAX && HOST.test(value),
    'expected a host name or *. and a host name, without scheme, port and path',
  );
const packageList = z.array(textOf(PACKAGE_CHARS_MAX, 1)).max(PACKAGES_MAX).nullable().optional();

const unrestricted = z.strictObject({ type: z.literal('unrestricted') });
const selfHosted = z.strictObject({ type: z.literal('self_hosted') });

const configRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cloud'),
    networking: z
      .discriminatedUnion('type', [
        unrestricted,
        z.strictObject({
          type: z.literal('limited'),
          allowed_hosts: z.array(host).max(ALLOWED_HOSTS_MAX).nullable().optional(),
          allow_mcp_servers: z.boolean().nullable().optional(),
          allow_package_managers: z.boolean().nullable().optional(),
        }),
      ])
      .nullable()
      .optional(),
    packages: z
      .strictObject({
        type: z.literal('packages').optional(),
        apt: packageList,
        cargo: packageList,
        gem: packageList,
        go: packageList,
        npm: packageList,
        pip: packageList,
      })
      .nullable()
      .optional(),
  }),
  selfHosted,
]);
type ConfigRequest = z.infer<typeof configRequest>;
type CloudRequest = Extract<ConfigRequest, { type: 'cloud' }>;

const name = textOf(NAME_CHARS_MAX, 1);
const description = textOf(ENVIRONMENT_DESCRIPTION_CHARS_MAX);
// sdk 1.11.0: an API organization knows only `organization`, `account` is rejected.
const scope = z
  .enum(['organization', 'account'])
  .refine((value): boolean => value === 'organization', 'expected "organization"');

export const createEnvironmentRequest = z.strictObject({
  name,
  description: description.nullable().optional(),
  config: configRequest.nullable().optional(),
  metadata: metadata.optional(),
  scope: scope.nullable().optional(),
});
export type CreateEnvironmentRequest = z.infer<typeof createEnvironmentRequest>;

export const updateEnvironmentRequest = z.strictObject({
  name: name.nullable().optional(),
  description: description.nullable().optional(),
  config: configRequest.nullable().optional(),
  metadata: metadataPatch.optional(),
  scope: scope.nullable().optional(),
});
export type UpdateEnvironmentRequest = z.infer<typeof updateEnvironmentRequest>;

export const listEnvironmentsQuery = z.strictObject({
  include_archived: flagParam,
  limit: limitParam(PAGE_ENTRIES_DEFAULT, ENVIRONMENT_PAGE_ENTRIES_MAX),
  page: pageParam,
});

// ── Responses ────────────────────────────────────────────────────────────────────────────────────

const names = z.array(z.string());

export const environmentShape = z.strictObject({
  id: z.string(),
  type: z.literal('environment'),
  name: z.string(),
  description: z.string().nullable(),
  config: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('cloud'),
      networking: z.discriminatedUnion('type', [
        unrestricted,
        z.strictObject({
          type: z.literal('limited'),
          allowed_hosts: names,
          allow_mcp_servers: z.boolean(),
          allow_package_managers: z.boolean(),
        }),
      ]),
      packages: z.strictObject({
        type: z.literal('packages').optional(),
        apt: names,
        cargo: names,
        gem: names,
        go: names,
        npm: names,
        pip: names,
      }),
    }),
    selfHosted,
  ]),
  metadata: z.record(z.string(), z.string()),
  scope: z.enum(['organization', 'account']).optional(),
  created_at: timestamp,
  updated_at: timestamp,
  archived_at: timestamp.nullable(),
});

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

const NO_PACKAGES: BetaCloudConfig['packages'] = {
  type: 'packages',
  apt: [],
  cargo: [],
  gem: [],
  go: [],
  npm: [],
  pip: [],
};
const CLOUD_DEFAULT: BetaCloudConfig = {
  type: 'cloud',
  networking: { type: 'unrestricted' },
  packages: NO_PACKAGES,
};
const LIMITED_DEFAULT: BetaLimitedNetwork = {
  type: 'limited',
  allowed_hosts: [],
  allow_mcp_servers: false,
  allow_package_managers: false,
};

/** Fills the defaults of a new environment. Throws 400 when its config contradicts itself. */
export function environmentFromCreate(request: CreateEnvironmentRequest): EnvironmentFields {
  return {
    name: request.name,
    description: request.description ?? null,
    config: environmentConfig(request.config),
    metadata: request.metadata ?? {},
    scope: 'organization',
  };
}

/**
 * Applies an update: an omitted field stays, inside `config` too; a null description clears, an
 * empty one is kept as empty; metadata is merged by key, null and empty delete. Throws 400, with
 * `invalid_config_type_change` when `config.type` is another. sdk 1.11.0: EnvironmentUpdateParams.
 */
export function environmentAfterUpdate(
  current: EnvironmentFields,
  request: UpdateEnvironmentRequest,
): EnvironmentFields {
  const { description: words } = request;
  return {
    name: request.name ?? current.name,
    description: words === undefined ? current.description : words,
    config: environmentConfig(request.config, current.config),
    metadata: mergeMetadata(current.metadata, request.metadata, { emptyDeletes: true }),
    scope: current.scope,
  };
}

/**
 * Resolves `config`: what a request leaves out or gives as null is `current`'s, else the default.
 */
export function environmentConfig(
  request: ConfigRequest | null | undefined,
  current?: EnvironmentConfig,
): EnvironmentConfig {
  if (request == null) return current ?? CLOUD_DEFAULT;
  if (current !== undefined && request.type !== current.type) {
    const message = `config.type: expected "${current.type}", it cannot change after creation`;
    throw new ApiError('invalid_request_error', message, {
      error_code: 'invalid_config_type_change',
    });
  }
  if (request.type === 'self_hosted') return request;
  return cloudConfig(request, current?.type === 'cloud' ? current : CLOUD_DEFAULT);
}

function cloudConfig(request: CloudRequest, current: BetaCloudConfig): BetaCloudConfig {
  const networking = resolvedNetworking(request.networking, current.networking);
  const packages = { ...current.packages };
  for (const manager of PACKAGE_MANAGERS) {
    packages[manager] = request.packages?.[manager] ?? packages[manager];
  }
  const wanted = PACKAGE_MANAGERS.some((manager) => packages[manager].length > 0);
  if (wanted && networking.type === 'limited' && !networking.allow_package_managers) {
    // docs: managed-agents/environments: naming the registry in allowed_hosts is not enough.
    const message = 'config.packages: expected networking.allow_package_managers to be true';
    throw new ApiError('invalid_request_error', message);
  }
  return { type: 'cloud', networking, packages };
}

function resolvedNetworking(
  request: CloudRequest['networking'],
  current: BetaCloudConfig['networking'],
): BetaCloudConfig['networking'] {
  if (request == null) return current;
  if (request.type === 'unrestricted') return request;
  const base = current.type === 'limited' ? current : LIMITED_DEFAULT;
  return {
    type: 'limited',
    allowed_hosts: request.allowed_hosts ?? base.allowed_hosts,
    allow_mcp_servers: request.allow_mcp_servers ?? base.allow_mcp_servers,
    allow_package_managers: request.allow_package_managers ?? base.allow_package_managers,
  };
}
