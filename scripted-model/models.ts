// The model list of the scripted model: one entry, and any other id is answered for as well,
// because an agent made for a real model has to run here unchanged.

import type Anthropic from '@anthropic-ai/sdk';
import { SCRIPTED_WINDOW_TOKENS } from '../protocol/limits.ts';

const SCRIPTED_MODEL_ID = 'scripted-model';

/**
 * Beginnings of the ids of models from before system messages among the messages: they came with
 * Claude Opus 4.8. docs: build-with-claude/mid-conversation-system-messages.
 */
const WITHOUT_SYSTEM_ROLE = [
  'claude-3',
  'claude-haiku-4',
  'claude-sonnet-4',
  'claude-opus-4-0',
  'claude-opus-4-1',
  'claude-opus-4-2',
  'claude-opus-4-5',
  'claude-opus-4-6',
  'claude-opus-4-7',
  'claude-mythos-preview',
];

/** Says whether a model takes messages of the role `system`; one that is not Claude does. */
export function hasSystemRole(id: string): boolean {
  return !WITHOUT_SYSTEM_ROLE.some((start) => id.startsWith(start));
}

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
    max_input_tokens: SCRIPTED_WINDOW_TOKENS,
    max_tokens: 128_000,
    retires_at: null,
  };
}

/** The first and only page of `GET /v1/models`. */
export function modelPage(): object {
  const data = [modelInfo(SCRIPTED_MODEL_ID)];
  return { data, first_id: SCRIPTED_MODEL_ID, last_id: SCRIPTED_MODEL_ID, has_more: false };
}
