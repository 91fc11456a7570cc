// The one place that speaks to a model: the official SDK against whichever endpoint serves the
// model id, the packages for Amazon Bedrock and Google Cloud loaded only where a route needs them.
// Retries are off here; Temporal owns them, so that a restart does not forget them.

import Anthropic from '@anthropic-ai/sdk';
import { MODEL_REQUEST_MS } from '../../protocol/limits.ts';
import {
  type BedrockEndpoint,
  EndpointPackageError,
  findRoute,
  type ModelEndpoint,
  type ModelRoute,
  upstreamModel,
  type VertexEndpoint,
} from './routes.ts';

export type ModelRequest = Omit<Anthropic.MessageCreateParamsStreaming, 'stream'>;
export type ModelStreamEvent = Anthropic.RawMessageStreamEvent;
export type ModelMessage = Anthropic.Message;

export interface ModelClient {
  /** Opens a stream; rejects with a ModelFailure-convertible SDK error (see failures.ts) */
  stream(
    request: ModelRequest,
    options: { signal: AbortSignal; attempt: number },
  ): ReturnType<Anthropic['messages']['stream']>;
}

/** What all three clients have. */
interface MessagesClient {
  messages: Pick<Anthropic['messages'], 'stream'>;
}

// Its log would show what of a broken stream it could not read, which is conversation.
const OPTIONS = { maxRetries: 0, timeout: MODEL_REQUEST_MS, logLevel: 'off' } as const;
const FAST_MODE_BETA = 'fast-mode-2026-02-01';

/**
 * A client for every endpoint, made once; connections are kept alive between calls. Rejects with an
 * EndpointPackageError when a route needs a package that is not installed.
 */
export async function createModelClient(routes: readonly ModelRoute[]): Promise<ModelClient> {
  const clients = new Map<ModelEndpoint, MessagesClient>();
  for (const { endpoint } of routes) {
    if (!clients.has(endpoint)) clients.set(endpoint, await clientFor(endpoint));
  }
  return {
    stream(request, { signal, attempt }) {
      const route = findRoute(routes, request.model);
      const headers = {
        ...(route.isScripted ? { 'x-holdfast-attempt': String(attempt) } : {}),
        // sdk 1.11.0: MessageCreateParams.speed: some models require it.
        ...(request.speed === 'fast' ? { 'anthropic-beta': FAST_MODE_BETA } : {}),
      };
      const model = upstreamModel(route, request.model);
      const client = clients.get(route.endpoint)!;
      return client.messages.stream({ ...request, model }, { signal, headers });
    },
  };
}

async function clientFor(endpoint: ModelEndpoint): Promise<MessagesClient> {
  if (endpoint.type === 'bedrock') return bedrockClient(endpoint);
  if (endpoint.type === 'vertex') return vertexClient(endpoint);
  const { apiKey, baseUrl } = endpoint;
  return new Anthropic({ ...OPTIONS, apiKey, authToken: null, baseURL: baseUrl });
}

// Whatever the packages would read from the environment is given to them, null where there is none:
// settings are the file's, except for the clouds' own chains of credentials.

async function bedrockClient(endpoint: BedrockEndpoint): Promise<MessagesClient> {
  const { region, apiKey, credentials } = endpoint;
  const { AnthropicBedrock } = await installed('@anthropic-ai/bedrock-sdk', () => {
    return import('@anthropic-ai/bedrock-sdk');
  });
  const options = {
    ...OPTIONS,
    apiKey,
    awsRegion: region,
    baseURL: endpoint.baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`,
  };
  if (credentials === null) return new AnthropicBedrock(options);
  return new AnthropicBedrock({
    ...options,
    awsAccessKey: credentials.accessKeyId,
    awsSecretKey: credentials.secretKey,
    awsSessionToken: credentials.sessionToken,
  });
}

async function vertexClient(endpoint: VertexEndpoint): Promise<MessagesClient> {
  const { region, project, baseUrl } = endpoint;
  const { AnthropicVertex } = await installed('@anthropic-ai/vertex-sdk', () => {
    return import('@anthropic-ai/vertex-sdk');
  });
  return new AnthropicVertex({ ...OPTIONS, region, projectId: project, baseURL: baseUrl });
}

async function installed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new EndpointPackageError(
      `A model is served by an endpoint that needs ${name}, which is not installed: ` +
        `run \`npm install\` with optional packages.`,
    );
  }
}

/** A stream that said nothing for too long and was cut for it. */
export class ModelSilenceError extends Error {
  override readonly name = 'ModelSilenceError';
}

/** What an SDK error says; status 0 stands for a failed connection. */
export interface ModelErrorDescription {
  status: number;
  message: string;
  retryAfterMs: number | undefined;
  /** longer than the model's window, or larger than the endpoint takes: shorter, it would pass */
  isOverflow: boolean;
  /** the endpoint does not know the model */
  isModelNotFound: boolean;
}

/** What an SDK error says, without its text of ours. */
export function describeModelError(error: unknown): ModelErrorDescription {
  const kind = { isOverflow: false, isModelNotFound: false };
  if (error instanceof Anthropic.APIConnectionError) {
    const message = 'the model endpoint cannot be reached';
    return { status: 0, message, retryAfterMs: undefined, ...kind };
  }
  if (error instanceof Anthropic.APIError) {
    const body = error.error as { error?: { message?: unknown; type?: unknown } } | undefined;
    const detail = body?.error?.message;
    const type = String(body?.error?.type);
    const message =
      typeof detail === 'string' ? detail : `the model endpoint answered ${error.status}`;
    return {
      // An error event inside a stream has no status of its own, only a type.
      status: error.status ?? STATUS_OF_TYPE[type] ?? 500,
      message,
      retryAfterMs: retryAfterMs(error.headers),
      isOverflow:
        error.status === 413 || (type === 'invalid_request_error' && PROMPT_TOO_LONG.test(message)),
      // docs: api/errors. The route is there, so it is the model that was not found.
      isModelNotFound: type === 'not_found_error',
    };
  }
  const isSilent = error instanceof ModelSilenceError;
  const message = isSilent ? error.message : 'the model stream broke off';
  return { status: 0, message, retryAfterMs: undefined, ...kind };
}

/** Whether a reply ended because the window was full. sdk 1.11.0: StopReason. */
export function isOverflowReply({ stop_reason: reason }: Pick<ModelMessage, 'stop_reason'>) {
  return reason === 'model_context_window_exceeded';
}

/**
 * The one error told by its text: a prompt over the window has the type of any invalid request and
 * no code of its own. It reads `prompt is too long: 208310 tokens > 200000 maximum`.
 */
const PROMPT_TOO_LONG = /^prompt is too long: \d+ tokens > \d+ maximum/;

const STATUS_OF_TYPE: Record<string, number> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  overloaded_error: 529,
};

function retryAfterMs(headers: Headers | undefined): number | undefined {
  const text = headers?.get('retry-after');
  if (text === null || text === undefined) return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
