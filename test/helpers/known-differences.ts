// The written list of how our answers may differ from the recordings of the hosted service, each
// with its cause. The recordings are of May 2026 and the contract is the SDK of November 2026, so
// most rows are members that have come or gone since. A row that no longer applies fails the test
// that plays them, and so does a recording that is left out although the server has its routes.

export interface KnownDifference {
  /** the routes it applies to, as `POST /v1/sessions/{id}` */
  route: RegExp;
  /** the member, as `agent.model.effort` or `data[0].processed_at`; empty for the whole body */
  path: RegExp;
  /** `added`: we have it, they had not; `missing`: the reverse; `value`, `type`: both, not equal */
  what: 'added' | 'missing' | 'value' | 'type';
  cause: string;
}

/** Recordings that are not played, each with the reason; the server has no such route. */
export const NOT_PLAYED: Readonly<Record<string, string>> = {
  live_files_upload_retrieve_delete: 'not yet: files',
  live_memory_stores_lifecycle: 'not yet: memory stores',
  live_messages_create_minimal: 'never: the Messages API is what this server calls, not serves',
  live_messages_create_stream: 'never: the Messages API is what this server calls, not serves',
  live_skills_list: 'not yet: skills',
};

const ANY = /./;
const MODELS = /^GET \/v1\/models(\/|$)/;
const SESSION = / \/v1\/sessions(\/\{id\}(\/archive)?)?$/;
const ENVIRONMENT = / \/v1\/environments/;
const EVENTS = / \/v1\/sessions\/\{id\}\/events$/;

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    route: ANY,
    path: /(^|\.)execution_identity$/,
    what: 'added',
    cause: 'agents carry it since (sdk 1.11.0: BetaManagedAgentsAgent)',
  },
  {
    route: ANY,
    path: /(^|\.)model\.effort$/,
    what: 'added',
    cause: 'always present in answers since (sdk 1.11.0: BetaManagedAgentsModelConfig)',
  },
  {
    route: MODELS,
    path: /(^|\.)(line|lifecycle|deprecated_at|retires_at|allowed_fallback_models)$/,
    what: 'added',
    cause: 'new since (sdk 1.11.0: BetaModelInfo)',
  },
  {
    route: MODELS,
    path: /(^|\.)(effort\.xhigh|types\.(between_tools|disabled)|compaction|server_tools)$/,
    what: 'added',
    cause: 'new since (sdk 1.11.0: BetaModelCapabilities)',
  },
  {
    route: /^GET \/v1\/models$/,
    path: /^(data\[\d+\]\..*|first_id|last_id)$/,
    what: 'value',
    cause: 'models have come and gone since, so each place of the list holds another',
  },
  {
    route: /^GET \/v1\/models$/,
    path: /^data$/,
    what: 'added',
    cause: 'there are more models since',
  },
  {
    route: ENVIRONMENT,
    path: /^config\.(environment|init_script)$/,
    what: 'missing',
    cause: 'gone from the contract (sdk 1.11.0: BetaCloudConfig)',
  },
  {
    route: ENVIRONMENT,
    path: /^state$/,
    what: 'missing',
    cause: 'gone from the contract; archived_at says it (sdk 1.11.0: BetaEnvironment)',
  },
  {
    route: ENVIRONMENT,
    path: /^description$/,
    what: 'type',
    cause: 'was "" when never given; null is stored as null since (sdk 1.11.0: BetaEnvironment)',
  },
  {
    route: SESSION,
    path: /^(budget|deployment_id)$/,
    what: 'added',
    cause: 'new since (sdk 1.11.0: BetaManagedAgentsSession)',
  },
  {
    route: SESSION,
    path: /^usage\./,
    what: 'added',
    cause: 'new counters since (sdk 1.11.0: BetaManagedAgentsSessionUsage)',
  },
  {
    route: SESSION,
    path: /^usage\.cache_creation$/,
    what: 'type',
    cause: 'null before the first model call there; the counters of it here',
  },
  {
    route: / \/v1\/sessions\/\{id\}\/archive$/,
    path: /^(stats|usage)\./,
    what: 'value',
    cause: 'the recorded session was archived before its turn began; ours has run it by then',
  },
  {
    route: EVENTS,
    path: /^data\[\d+\]\.processed_at$/,
    what: 'added',
    cause: 'theirs was read while the message was queued, ours when the turn is over',
  },
  {
    route: /^GET \/v1\/sessions\/\{id\}\/events$/,
    path: /^data$/,
    what: 'added',
    cause: 'theirs was read before the turn had begun, ours when it is over',
  },
  {
    route: / \/v1\/sessions\/\{id\}\/events$/,
    path: /^(next_page)$/,
    what: 'added',
    cause: 'list answers say null at the end (docs: api/overview, pagination); theirs left it out',
  },
];

// Headers of the hosted service's own infrastructure: no client reads them, so we do not send them.
export const UNJUDGED_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-security-policy',
  'date',
  'server',
  'server-timing',
  'strict-transport-security',
  'transfer-encoding',
  'vary',
  'x-envoy-upstream-service-time',
  'x-robots-tag',
]);
