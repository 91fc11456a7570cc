// The request of a model call: what of an agent reaches the model, and what is left out because the
// model would refuse it.

import { expect, test } from 'vitest';
import { modelRequest } from '../../../activities/model/request.ts';
import { agentFromCreate, createAgentRequest } from '../../../protocol/agents.ts';
import { parseBody } from '../../../protocol/parse.ts';
import type { SessionAgent } from '../../../protocol/sessions.ts';

function requestFor(model: unknown) {
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
  return modelRequest(agent, [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }]);
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
