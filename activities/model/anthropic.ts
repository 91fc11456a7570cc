// The one place that speaks to a model: the official SDK against whichever Messages endpoint serves
// the model id. Retries are off here; Temporal owns them, so that a restart does not forget them.

import Anthropic from '@anthropic-ai/sdk';
import { MODEL_REQUEST_MS } from '../../protocol/limits.ts';
import { findRoute, type ModelRoute } from './routes.ts';

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

/** A client for every route, made once; connections are kept alive between calls. */
export function createModelClient(routes: readonly ModelRoute[]): ModelClient {
  const clients = new Map<ModelRoute, Anthropic>(
    routes.map((route) => [
      route,
      new Anthropic({
        apiKey: route.apiKey,
        authToken: null,
        baseURL: route.baseUrl,
        maxRetries: 0,
        timeout: MODEL_REQUEST_MS,
      }),
    ]),
  );
  return {
    stream(request, { signal, attempt }) {
      const route = findRoute(routes, request.model);
      const headers = route.isScripted ? { 'x-holdfast-attempt': String(attempt) } : {};
      return clients.get(route)!.messages.stream(request, { signal, headers });
    },
  };
}

/** What an SDK error says, without its text of ours: status 0 stands for a failed connection. */
export function describeModelError(error: unknown): {
  status: number;
  message: string;
  retryAfterMs: number | undefined;
} {
  if (error instanceof Anthropic.APIConnectionError) {
    return { status: 0, message: 'the model endpoint cannot be reached', retryAfterMs: undefined };
  }
  if (error instanceof Anthropic.APIError) {
    const body = error.error as { error?: { message?: unknown; type?: unknown } } | undefined;
    const detail = body?.error?.message;
    return {
      // An error event inside a stream has no status of its own, only a type.
      status: error.status ?? STATUS_OF_TYPE[String(body?.error?.type)] ?? 500,
      message: typeof detail === 'string' ? detail : `the model endpoint answered ${error.status}`,
      retryAfterMs: retryAfterMs(error.headers),
    };
  }
  return { status: 0, message: 'the model stream broke off', retryAfterMs: undefined };
}

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
