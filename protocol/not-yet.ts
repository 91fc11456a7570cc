// What is documented, typed and parsed, but not done by this server yet. Nothing is accepted and
// ignored: each line of these tables is a 400 that names the field, and goes when its work is done
// (with its row in docs/differences.md).

import type { BetaLimitedNetworkParams } from '@anthropic-ai/sdk/resources/beta/environments';
import type { CreateAgentRequest, UpdateAgentRequest } from './agents.ts';
import type { CreateEnvironmentRequest, UpdateEnvironmentRequest } from './environments.ts';
import type { ModelCatalog } from './models/model-catalog.ts';
import { effortOf, PUBLIC_CATALOG } from './models/public-models.ts';
import { ApiError } from './errors.ts';
import type { ClientEventParams } from './events.ts';
import type { CreateSessionRequest, UpdateSessionRequest } from './sessions.ts';

/** The fields of an agent, wherever a request has them. */
type AgentRequest = Partial<CreateAgentRequest> | UpdateAgentRequest;
type ModelObject = Exclude<CreateAgentRequest['model'], string>;
type EnvironmentRequest = CreateEnvironmentRequest | UpdateEnvironmentRequest;
type SessionRequest = CreateSessionRequest | UpdateSessionRequest;

type LimitedRequest = Omit<BetaLimitedNetworkParams, 'type'>;

/** A feature: its field, the test that a request uses it, and what it is called. */
type NotYet<T> = readonly [field: string, isUsed: (request: T) => boolean, feature: string];

const AGENT: readonly NotYet<AgentRequest>[] = [
  ['skills', ({ skills }) => isFilled(skills), 'skills'],
  ['multiagent', ({ multiagent }) => multiagent != null, 'multi-agent sessions'],
  ['execution_identity', (r) => r.execution_identity?.type === 'aws_role', 'AWS roles'],
];

const ENVIRONMENT: readonly NotYet<EnvironmentRequest>[] = [
  ['config.type', ({ config }) => config?.type === 'self_hosted', 'self-hosted environments'],
  ['config.packages', (request) => packagesOf(request).some(isFilled), 'packages'],
  ['config.networking.allowed_hosts', (r) => isFilled(limitedOf(r).allowed_hosts), 'allowed hosts'],
  [
    'config.networking.allow_package_managers',
    (request) => limitedOf(request).allow_package_managers === true,
    'exceptions from limited networking',
  ],
];

const SESSION: readonly NotYet<SessionRequest>[] = [
  [
    'resources',
    (request) => 'resources' in request && isFilled(request.resources),
    'files, repositories and memory stores',
  ],
  ['vault_ids', ({ vault_ids: vaults }) => isFilled(vaults), 'vaults'],
  // docs: managed-agents/session-operations: reserved, refused by the hosted service as well.
  ['vault_ids', (r) => !('environment_id' in r) && r.vault_ids !== undefined, 'vaults'],
];

const EVENT: readonly NotYet<ClientEventParams>[] = [
  ['type', ({ type }) => type === 'user.define_outcome', 'outcomes'],
  ['content', (event) => hasFileSource(event), 'files'],
];

/** Refuses what agents cannot have yet, in a create as in an update. Throws 400. */
export function refuseNotYetAgent(
  request: AgentRequest,
  { models = PUBLIC_CATALOG, within = '' }: { models?: ModelCatalog; within?: string } = {},
): void {
  refuse(AGENT, request, within);
  const isUnknown = (model: AgentRequest) => namesUnknownEffort(modelOf(model), models);
  refuse(
    [['model.effort', isUnknown, 'effort of a model of which nothing is known']],
    request,
    within,
  );
}

/** Refuses what environments cannot have yet, in a create as in an update. Throws 400. */
export function refuseNotYetEnvironment(request: EnvironmentRequest): void {
  refuse(ENVIRONMENT, request, '');
}

/** Refuses what sessions cannot have yet, in a create as in an update. Throws 400. */
export function refuseNotYetSession(
  request: SessionRequest,
  models: ModelCatalog = PUBLIC_CATALOG,
): void {
  refuse(SESSION, request, '');
  // Overrides and updates have the names of the agent's own fields.
  if (typeof request.agent === 'object') {
    refuseNotYetAgent(request.agent, { models, within: 'agent.' });
  }
  if ('initial_events' in request) refuseNotYetEvents(request.initial_events, 'initial_events');
}

/** Refuses events that no session can take yet. Throws 400. */
export function refuseNotYetEvents(
  events: readonly ClientEventParams[] | undefined,
  field = 'events',
): void {
  for (const [index, event] of (events ?? []).entries()) {
    refuse(EVENT, event, `${field}.${index}.`);
  }
}

function refuse<T>(table: readonly NotYet<T>[], request: T, prefix: string): void {
  for (const [field, isUsed, feature] of table) {
    if (!isUsed(request)) continue;
    const message = `${prefix}${field}: not supported yet by this server (${feature})`;
    throw new ApiError('invalid_request_error', message);
  }
}

function isFilled(list: readonly unknown[] | null | undefined): boolean {
  return list != null && list.length > 0;
}

function modelOf({ model }: AgentRequest): Partial<ModelObject> {
  return typeof model === 'object' ? model : {};
}

function namesUnknownEffort({ id, effort }: Partial<ModelObject>, models: ModelCatalog): boolean {
  return id !== undefined && effort != null && effortOf(id, models) === undefined;
}

function packagesOf({ config }: EnvironmentRequest) {
  if (config?.type !== 'cloud') return [];
  const { apt, cargo, gem, go, npm, pip } = config.packages ?? {};
  return [apt, cargo, gem, go, npm, pip];
}

function limitedOf({ config }: EnvironmentRequest): Partial<LimitedRequest> {
  const networking = config?.type === 'cloud' ? config.networking : undefined;
  return networking?.type === 'limited' ? networking : {};
}

function hasFileSource(event: ClientEventParams): boolean {
  const blocks = 'content' in event ? (event.content ?? []) : [];
  return blocks.some(
    (block) =>
      'source' in block && typeof block.source === 'object' && block.source.type === 'file',
  );
}
