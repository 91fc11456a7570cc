// The model list of the scripted model: one entry, and any other id is answered for as well,
// because an agent made for a real model has to run here unchanged.

import type Anthropic from '@anthropic-ai/sdk';

const SCRIPTED_MODEL_ID = 'scripted-model';

/** Describes a model by id; every id exists here. sdk 1.11.0: ModelInfo. */
export function modelInfo(id: string): Anthropic.ModelInfo {
  return {
    id,
    type: 'model',
    display_name: id === SCRIPTED_MODEL_ID ? 'Scripted model' : `Scripted model, asked as ${id}`,
    created_at: '2026-11-21T00:00:00Z',
    capabilities: null,
    deprecated_at: null,
    lifecycle: 'active',
    line: null,
    max_input_tokens: 1_000_000,
    max_tokens: 128_000,
    retires_at: null,
  };
}

/** The first and only page of `GET /v1/models`. */
export function modelPage(): object {
  const data = [modelInfo(SCRIPTED_MODEL_ID)];
  return { data, first_id: SCRIPTED_MODEL_ID, last_id: SCRIPTED_MODEL_ID, has_more: false };
}
