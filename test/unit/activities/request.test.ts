// The request of a model call: what of an agent reaches the model, and what is left out because the
// model would refuse it.

import { expect, test } from 'vitest';
import { modelRequest } from '../../../activities/model/request.ts';
import { THINKING_BUDGET_TOKENS_MIN } from '../../../protocol/limits.ts';
import { createModelCatalog, modelEntry } from '../../../protocol/models/model-catalog.ts';
import { PUBLIC_CATALOG, PUBLIC_MODELS } from '../../../protocol/models/public-models.ts';
import type { ModelCatalog } from '../../../protocol/models/model-catalog.ts';
import { agentFromCreate, createAgentRequest } from '../../../protocol/agents.ts';
import { parseBody } from '../../../protocol/parse.ts';
import type { SessionAgent } from '../../../protocol/sessions.ts';

function requestFor(model: unknown, models?: ModelCatalog) {
  const { multiagent: _, ...fields } = agentFromCreate(
    parseBody(createAgentRequest, { name: 'a', model }),
  );
  const agent: SessionAgent = {
    id: 'agent_1',
    type: 'agent',
    version: 1,
    multiagent: null,
    ...fields,
  };
  const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hello' }] }];
  return modelRequest(agent, messages, models);
}

test.each([
  ['claude-opus-5-5', 'low'],
  ['claude-opus-5-5', 'medium'],
  ['claude-opus-5-5', 'max'],
  ['claude-sonnet-4-6', 'max'],
  ['claude-opus-4-5-20251101', 'low'],
])('%s is asked for the effort %s that its agent names', (id, effort) => {
  expect(requestFor({ id, effort }).output_config).toEqual({ effort });
});

test('effort goes with thinking, whichever kind the model has', () => {
  expect(requestFor({ id: 'claude-opus-5-5', effort: 'xhigh' }).thinking).toEqual({
    type: 'adaptive',
  });
  expect(requestFor({ id: 'claude-opus-4-5', effort: 'low' }).thinking).toMatchObject({
    type: 'enabled',
  });
});

test.each([
  'claude-opus-5-5',
  'claude-haiku-5-5',
  'claude-sonnet-5-5',
  'claude-opus-4-5',
  'claude-haiku-4-5',
  'some-model',
])('%s is sent no effort when its agent names none', (id) => {
  expect(requestFor(id)).not.toHaveProperty('output_config');
});

test('only models of which it is known are asked to think', () => {
  expect(requestFor('claude-haiku-4-5').thinking).toMatchObject({ budget_tokens: 8_000 });
  expect(requestFor('claude-sonnet-4-6').thinking).toEqual({ type: 'adaptive' });
  expect(requestFor('claude-of-next-year').thinking).toEqual({ type: 'adaptive' });
  expect(requestFor('llama-9')).not.toHaveProperty('thinking');
});

test.each(PUBLIC_MODELS.map(({ id }) => id))('%s is asked to think in a way it takes', (id) => {
  const { thinkingTypes, efforts, outputTokensMax } = PUBLIC_CATALOG.find(id)!;
  for (const effort of [undefined, ...efforts]) {
    const { thinking, max_tokens: max, output_config: config } = requestFor({ id, effort });
    expect(thinkingTypes).toContain(thinking!.type);
    expect(max).toBeLessThanOrEqual(outputTokensMax ?? Infinity);
    if (thinking!.type === 'enabled') {
      expect(thinking!.budget_tokens).toBeGreaterThanOrEqual(THINKING_BUDGET_TOKENS_MIN);
      expect(thinking!.budget_tokens).toBeLessThan(max);
    }
    expect(config).toEqual(effort === undefined ? undefined : { effort });
  }
});

test('a model is asked for no more output than it has, and thinks in a part of that', () => {
  const known = (outputTokensMax: number) =>
    createModelCatalog([modelEntry({ id: 'small', outputTokensMax, thinking: 'budget' })]);
  expect(requestFor('small', known(4_096))).toMatchObject({
    max_tokens: 4_096,
    thinking: { budget_tokens: 2_048 },
  });
  expect(requestFor('small', known(2_000))).not.toHaveProperty('thinking');
  expect(requestFor('small', known(500_000))).toMatchObject({ max_tokens: 32_000 });
});

test('a model without prompt caching is sent no marks for it', () => {
  const models = createModelCatalog([modelEntry({ id: 'plain', hasPromptCaching: false })]);
  expect(JSON.stringify(requestFor('plain', models))).not.toContain('cache_control');
  expect(JSON.stringify(requestFor('other', models))).toContain('cache_control');
});
