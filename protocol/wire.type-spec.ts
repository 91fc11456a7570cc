// Fails to compile when our shapes and the SDK's types part; it has no run time. Every shape is
// held for identity, key by key and optionality included, so that a field the SDK gains, loses or
// makes nullable shows here by name, in requests as in responses.

import type * as z from 'zod';
import type * as oldAgents from 'anthropic-sdk-0-86/resources/beta/agents/agents';
import type * as oldEnvironments from 'anthropic-sdk-0-86/resources/beta/environments';
import type * as oldEvents from 'anthropic-sdk-0-86/resources/beta/sessions/events';
import type * as oldSessions from 'anthropic-sdk-0-86/resources/beta/sessions/sessions';
import type * as sdkAgents from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type * as sdkVersions from '@anthropic-ai/sdk/resources/beta/agents/versions';
import type * as sdkEnvironments from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type * as sdkEvents from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type * as sdkModels from '@anthropic-ai/sdk/resources/beta/models';
import type * as sdkSessions from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type * as sdkThreadEvents from '@anthropic-ai/sdk/resources/beta/sessions/threads/events';
import type * as sdkThreads from '@anthropic-ai/sdk/resources/beta/sessions/threads/threads';
import type * as sdkMessages from '@anthropic-ai/sdk/resources/messages/messages';
import type { ErrorType } from '@anthropic-ai/sdk/resources/shared';
import type * as agents from './agents.ts';
import type * as environments from './environments.ts';
import type { ApiErrorType } from './errors.ts';
import type * as events from './events.ts';
import type * as models from './models/model-catalog.ts';
import type * as sessions from './sessions.ts';
import type * as threads from './threads.ts';

// ── The comparison ───────────────────────────────────────────────────────────────────────────────

/** The same type with aliases, interfaces, `readonly` and `string & {}` written out. */
type Plain<T> = T extends string
  ? string extends T
    ? string
    : T
  : T extends readonly (infer Entry)[]
    ? Plain<Entry>[]
    : T extends object
      ? { -readonly [K in keyof T]: Plain<T[K]> }
      : T;

type Identical<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `true`, or the names of the fields at which the two part. */
type Same<Ours, Theirs> =
  Identical<Plain<Ours>, Plain<Theirs>> extends true
    ? true
    : PartedFields<Plain<Ours>, Plain<Theirs>>;
type PartedFields<Ours, Theirs> = {
  [K in keyof Ours | keyof Theirs]: K extends keyof Ours & keyof Theirs
    ? Identical<Pick<Ours, K>, Pick<Theirs, K>> extends true
      ? never
      : K
    : K;
}[keyof Ours | keyof Theirs];

/** Compares two unions member by member; names the `type` of each member that parts. */
type SameByType<Ours extends { type: string }, Theirs extends { type: string }> = {
  [T in Ours['type'] | Theirs['type']]: Same<
    Extract<Ours, { type: T }>,
    Extract<Theirs, { type: T }>
  > extends true
    ? never
    : T;
}[Ours['type'] | Theirs['type']];

/** Params of an SDK call without what travels in headers and in the path. */
type Sent<T> = Omit<T, 'betas' | 'workspace_id' | 'session_id'>;
/** Query names as the SDK types them, brackets folded as `parseQuery` does. */
type Folded<K> = K extends `created_at[${string}]` ? 'created_at' : K;
type Bounds<K> = K extends `created_at[${infer Bound}]` ? Bound : never;

/** Compiles only for `true` and for `never`: everything else is what has parted. */
declare function holds<_Verdict extends true>(): void;
declare function noneOf<_Parted extends never>(): void;
declare function accepts<_Wider, _Narrower extends _Wider>(): void;

type Out<T extends z.ZodType> = z.output<T>;
type In<T extends z.ZodType> = z.input<T>;

// ── Responses ────────────────────────────────────────────────────────────────────────────────────

holds<Same<Out<typeof agents.agentShape>, sdkAgents.BetaManagedAgentsAgent>>();
holds<Same<Out<typeof environments.environmentShape>, sdkEnvironments.BetaEnvironment>>();
holds<Same<Out<typeof sessions.sessionShape>, sdkSessions.BetaManagedAgentsSession>>();
holds<Same<Out<typeof threads.threadShape>, sdkThreads.BetaManagedAgentsSessionThread>>();

type OurStreamEvent = Out<typeof events.streamEventShape>;
noneOf<SameByType<OurStreamEvent, sdkEvents.BetaManagedAgentsStreamSessionEvents>>();
noneOf<SameByType<OurStreamEvent, sdkThreads.BetaManagedAgentsStreamSessionThreadEvents>>();
noneOf<
  SameByType<
    Exclude<OurStreamEvent, { type: 'event_start' | 'event_delta' }>,
    sdkEvents.BetaManagedAgentsSessionEvent
  >
>();

/** Ours on top of the SDK's: the type of 413 is documented, yet not in its union. */
holds<Same<ApiErrorType, ErrorType | 'request_too_large'>>();

// ── Request bodies ───────────────────────────────────────────────────────────────────────────────

type AgentCreate = Sent<sdkAgents.AgentCreateParams>;
type AgentUpdate = Sent<sdkAgents.AgentUpdateParams>;
type EnvironmentCreate = Sent<sdkEnvironments.EnvironmentCreateParams>;
type EnvironmentUpdate = Sent<sdkEnvironments.EnvironmentUpdateParams>;
type SessionCreate = Sent<sdkSessions.SessionCreateParams>;
type SessionUpdate = Sent<sdkSessions.SessionUpdateParams>;
type EventSend = Sent<sdkEvents.EventSendParams>;

accepts<In<typeof agents.createAgentRequest>, Plain<AgentCreate>>();
holds<Same<Out<typeof agents.createAgentRequest>, AgentCreate>>();
accepts<In<typeof agents.updateAgentRequest>, Plain<AgentUpdate>>();
holds<Same<Out<typeof agents.updateAgentRequest>, AgentUpdate>>();
accepts<In<typeof environments.createEnvironmentRequest>, Plain<EnvironmentCreate>>();
holds<Same<Out<typeof environments.createEnvironmentRequest>, EnvironmentCreate>>();
accepts<In<typeof environments.updateEnvironmentRequest>, Plain<EnvironmentUpdate>>();
holds<Same<Out<typeof environments.updateEnvironmentRequest>, EnvironmentUpdate>>();
accepts<In<typeof sessions.createSessionRequest>, Plain<SessionCreate>>();
holds<Same<Out<typeof sessions.createSessionRequest>, SessionCreate>>();
accepts<In<typeof sessions.updateSessionRequest>, Plain<SessionUpdate>>();
holds<Same<Out<typeof sessions.updateSessionRequest>, SessionUpdate>>();
accepts<In<typeof events.sendEventsRequest>, Plain<EventSend>>();
holds<Same<Out<typeof events.sendEventsRequest>, EventSend>>();
noneOf<SameByType<Out<typeof events.clientEventShape>, sdkEvents.BetaManagedAgentsEventParams>>();

// ── Request bodies of the old generation (SDK 0.86.1) ────────────────────────────────────────────

accepts<In<typeof agents.createAgentRequest>, Plain<Sent<oldAgents.AgentCreateParams>>>();
accepts<In<typeof agents.updateAgentRequest>, Plain<Sent<oldAgents.AgentUpdateParams>>>();
accepts<
  In<typeof environments.createEnvironmentRequest>,
  Plain<Sent<oldEnvironments.EnvironmentCreateParams>>
>();
accepts<
  In<typeof environments.updateEnvironmentRequest>,
  Plain<Sent<oldEnvironments.EnvironmentUpdateParams>>
>();
accepts<In<typeof sessions.createSessionRequest>, Plain<Sent<oldSessions.SessionCreateParams>>>();
accepts<In<typeof sessions.updateSessionRequest>, Plain<Sent<oldSessions.SessionUpdateParams>>>();
accepts<In<typeof events.sendEventsRequest>, Plain<Sent<oldEvents.EventSendParams>>>();

// ── Queries: the names, and the values of the closed lists ───────────────────────────────────────

type QueryNames<T extends z.ZodType> = keyof Out<T>;
type SdkNames<T> = Folded<keyof Sent<T>>;
type CreatedAt<T extends z.ZodType<{ created_at?: unknown }>> = keyof NonNullable<
  Out<T>['created_at']
>;

holds<
  Same<QueryNames<typeof agents.retrieveAgentQuery>, SdkNames<sdkAgents.AgentRetrieveParams>>
>();
holds<Same<QueryNames<typeof agents.listAgentsQuery>, SdkNames<sdkAgents.AgentListParams>>>();
holds<Same<CreatedAt<typeof agents.listAgentsQuery>, Bounds<keyof sdkAgents.AgentListParams>>>();
holds<
  Same<QueryNames<typeof agents.listAgentVersionsQuery>, SdkNames<sdkVersions.VersionListParams>>
>();
holds<
  Same<
    QueryNames<typeof environments.listEnvironmentsQuery>,
    SdkNames<sdkEnvironments.EnvironmentListParams>
  >
>();
holds<Same<QueryNames<typeof models.listModelsQuery>, SdkNames<sdkModels.ModelListParams>>>();
holds<Same<models.Effort, NonNullable<sdkMessages.OutputConfig['effort']>>>();
holds<Same<models.ThinkingType, keyof sdkModels.BetaThinkingTypes>>();
holds<Same<models.ModelEntry['line'], sdkModels.BetaModelLine | null>>();
holds<
  Same<QueryNames<typeof sessions.listSessionsQuery>, SdkNames<sdkSessions.SessionListParams>>
>();
holds<
  Same<CreatedAt<typeof sessions.listSessionsQuery>, Bounds<keyof sdkSessions.SessionListParams>>
>();
holds<Same<QueryNames<typeof threads.listThreadsQuery>, SdkNames<sdkThreads.ThreadListParams>>>();
holds<Same<QueryNames<typeof events.listEventsQuery>, SdkNames<sdkEvents.EventListParams>>>();
holds<Same<CreatedAt<typeof events.listEventsQuery>, Bounds<keyof sdkEvents.EventListParams>>>();
/** A thread's history takes a part of the same names. */
noneOf<
  Exclude<SdkNames<sdkThreadEvents.EventListParams>, QueryNames<typeof events.listEventsQuery>>
>();
/** `after_seq` is our extension. */
holds<
  Same<
    QueryNames<typeof events.streamEventsQuery>,
    SdkNames<sdkEvents.EventStreamParams> | 'after_seq'
  >
>();
holds<
  Same<
    NonNullable<Out<typeof events.listEventsQuery>['types']>[number],
    sdkEvents.BetaManagedAgentsSessionEventType
  >
>();
holds<
  Same<
    NonNullable<Out<typeof events.streamEventsQuery>['event_deltas']>[number],
    sdkSessions.BetaManagedAgentsDeltaType
  >
>();
holds<
  Same<
    NonNullable<Out<typeof threads.listThreadsQuery>['statuses']>[number],
    sdkThreads.BetaManagedAgentsSessionThreadStatus
  >
>();
