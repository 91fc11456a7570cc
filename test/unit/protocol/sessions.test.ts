// What a session can be created and updated with.
// docs: managed-agents/sessions; behaviour.md 5.

import { describe, expect, test } from 'vitest';
import { parseBody } from '../../../protocol/parse.ts';
import { createSessionRequest, updateSessionRequest } from '../../../protocol/sessions.ts';

const REQUIRED = { agent: 'agent_1', environment_id: 'env_1' };
const create = (extra: object) => parseBody(createSessionRequest, { ...REQUIRED, ...extra });
const MESSAGE = { type: 'user.message', content: [{ type: 'text', text: 'hi' }] };
const OUTCOME = {
  type: 'user.define_outcome',
  description: 'd',
  rubric: { type: 'text', content: 'r' },
};

describe('create', () => {
  test.each([
    {},
    { title: null },
    { title: '' },
    { agent: { type: 'agent', id: 'agent_1' } },
    { agent: { type: 'agent', id: 'agent_1', version: 2 } },
    { agent: { type: 'agent_with_overrides', id: 'agent_1', system: null, tools: [] } },
    { initial_events: [] },
    { initial_events: [MESSAGE, OUTCOME] },
    { initial_events: Array(50).fill(MESSAGE) },
    { resources: [{ type: 'github_repository', url: 'https://github.com/a/b' }] },
    { budget: { type: 'limit', max_list_cost: { amount: '2500', currency: 'USD' } } },
  ])('%j parses, and comes out as it went in', (extra) => {
    expect(create(extra)).toEqual({ ...REQUIRED, ...extra });
  });

  test.each([
    [{ title: 'x'.repeat(501) }, /^title: expected at most 500 characters/],
    [
      { agent: { type: 'agent', id: 'agent_1', version: 0 } },
      /^agent\.version: expected at least 1/,
    ],
    [{ initial_events: Array(51).fill(MESSAGE) }, /^initial_events: expected at most 50 entries/],
    [{ initial_events: [{ type: 'user.interrupt' }] }, /^initial_events\.0\.type: /],
    [{ initial_events: [OUTCOME, OUTCOME] }, /^initial_events\.1: .*at most one/],
    [
      { initial_events: [{ ...OUTCOME, rubric: undefined }] },
      /^initial_events\.0\.rubric: required/,
    ],
    [
      { resources: [{ type: 'github_repository', url: 'https://github.com/a/b.git' }] },
      /^resources\.0\.url: /,
    ],
    [
      { resources: [{ type: 'github_repository', url: 'https://gitlab.com/a/b' }] },
      /^resources\.0\.url: /,
    ],
    [
      { budget: { type: 'limit', max_list_cost: { amount: '0', currency: 'USD' } } },
      /^budget\.max_list_cost\.amount: /,
    ],
    [
      { budget: { type: 'limit', max_list_cost: { amount: '1.5', currency: 'USD' } } },
      /^budget\.max_list_cost\.amount: /,
    ],
    [
      { budget: { type: 'limit', max_list_cost: { amount: '5', currency: 'EUR' } } },
      /^budget\.max_list_cost\.currency: /,
    ],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])) },
      /^metadata: expected at most 16 pairs/,
    ],
    [{ metadata: { ['k'.repeat(65)]: '' } }, /^metadata: expected keys/],
  ])('%# is a 400: %s', (extra, message) => {
    expect(() => create(extra)).toThrow(message);
  });

  test('a hundred file documents in all are the most', () => {
    const block = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
    const message = (count: number) => ({
      type: 'user.message',
      content: Array(count).fill(block),
    });
    expect(() => create({ initial_events: [message(60), message(40)] })).not.toThrow();
    expect(() => create({ initial_events: [message(60), message(41)] })).toThrow(
      /^initial_events: expected at most 100 documents/,
    );
  });
});

describe('update', () => {
  test.each([{}, { title: null }, { title: 't' }, { metadata: { a: null } }, { metadata: null }])(
    '%j parses',
    (request) => {
      expect(parseBody(updateSessionRequest, request)).toEqual(request);
    },
  );

  test('a title cannot be empty, only null', () => {
    expect(() => parseBody(updateSessionRequest, { title: '' })).toThrow(/^title: /);
  });

  test('an agent of its own is no field of a session', () => {
    expect(() => parseBody(updateSessionRequest, { agent: { system: 's' } })).toThrow(
      'agent.system: unknown field',
    );
  });
});
