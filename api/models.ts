// Models: list and retrieve. Named are only those that this server has somewhere to send, out of
// the table that everything asks (protocol/models/model-catalog.ts).
// docs: api/models. These routes need no beta header and mind none.

import type { BetaModelInfo } from '@anthropic-ai/sdk/resources/beta/models';
import { ApiError } from '../protocol/errors.ts';
import { ERROR_ECHO_CHARS_MAX } from '../protocol/limits.ts';
import { listModelsQuery, type ModelEntry } from '../protocol/models/model-catalog.ts';
import { parseQuery } from '../protocol/parse.ts';
import { type ApiRequest, queryOf } from './request.ts';

/** GET /v1/models */
export async function listModels(request: ApiRequest) {
  const query = parseQuery(listModelsQuery, queryOf(request));
  const { after_id: after, before_id: before, limit } = query;
  if (after !== undefined && before !== undefined) {
    throw new ApiError('invalid_request_error', 'before_id: expected none beside after_id');
  }
  // sdk 1.11.0: ModelListParams.lifecycle: retired ones only when they are asked for.
  const stages = query.lifecycle ?? ['active', 'deprecated'];
  const listed = request.deps.models.list();
  const isWanted = (entry: ModelEntry) => stages.includes(entry.lifecycle.stage);
  const placeOf = (name: 'after_id' | 'before_id', id: string) => {
    const place = listed.findIndex((entry) => entry.id === id);
    if (place >= 0) return place;
    throw new ApiError('invalid_request_error', `${name}: expected the id of a model of this list`);
  };
  // A page backwards is the one that ends where the list before `before_id` ends.
  const end = before === undefined ? listed.length : placeOf('before_id', before);
  const start = after === undefined ? 0 : placeOf('after_id', after) + 1;
  const rest = listed.slice(start, end).filter(isWanted);
  const page = before === undefined ? rest.slice(0, limit) : rest.slice(-limit);
  return {
    data: page.map(modelInfo),
    has_more: rest.length > page.length,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}

/** GET /v1/models/{model_id}, also by an alias of the model. */
export async function retrieveModel(request: ApiRequest) {
  const id = request.context.req.param('model_id') ?? '';
  const entry = request.deps.models.findListed(id);
  if (entry !== undefined) return modelInfo(entry);
  throw new ApiError(
    'not_found_error',
    `Model \`${id.slice(0, ERROR_ECHO_CHARS_MAX)}\` was not found.`,
  );
}

/**
 * A model as answers show it. Clients of today send the same request for `models` and
 * `beta.models`, so the answer is the larger of the two types: sdk 1.11.0: BetaModelInfo.
 */
function modelInfo(entry: ModelEntry): BetaModelInfo {
  return {
    id: entry.id,
    type: 'model',
    display_name: entry.displayName,
    created_at: entry.createdAt,
    line: entry.line,
    lifecycle: entry.lifecycle.stage,
    deprecated_at: entry.lifecycle.deprecatedAt,
    retires_at: entry.lifecycle.retiresAt,
    max_input_tokens: entry.contextWindowTokens,
    max_tokens: entry.outputTokensMax,
    capabilities: entry.capabilities,
    // This server has no Messages API to fall back on; what the endpoint would accept is not known.
    allowed_fallback_models: null,
  };
}
