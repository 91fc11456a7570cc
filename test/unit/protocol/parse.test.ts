// What a refused request is told: the first wrong field by its path, and what was expected there.
// For bodies and for queries.

import { describe, expect, test } from 'vitest';
import { createAgentRequest } from '../../../protocol/agents.ts';
import { ApiError } from '../../../protocol/errors.ts';
import { listEventsQuery, sendEventsRequest, streamEventsQuery } from '../../../protocol/events.ts';
import { JSON_DEPTH_MAX, JSON_VALUES_MAX } from '../../../protocol/limits.ts';
import { parseBody, parseQuery, type QueryRecord } from '../../../protocol/parse.ts';
import { createSessionRequest, listSessionsQuery } from '../../../protocol/sessions.ts';

function refusalOf(run: () => unknown): ApiError {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const AGENT = { name: 'n', model: 'm' };
const SESSION = { agent: 'agent_1', environment_id: 'env_1' };
const send = (...events: unknown[]) => ({ events });
const say = (...content: unknown[]) => send({ type: 'user.message', content });

describe('bodies', () => {
  test.each([
    [null, 'body: expected an object, got null'],
    [[], 'body: expected an object, got an array'],
    [{ model: 'm' }, 'name: required, expected a string'],
    [{ ...AGENT, name: 3 }, 'name: expected a string, got a number'],
    [{ ...AGENT, name: '' }, 'name: expected a text that is not empty'],
    [{ ...AGENT, name: 'x'.repeat(257) }, 'name: expected at most 256 characters'],
    [{ name: 'n' }, 'model: required, expected a string or an object'],
    [{ ...AGENT, model: {} }, 'model.id: required, expected a string'],
    [{ ...AGENT, model: { id: 'm', sped: 'fast' } }, 'model.sped: unknown field'],
    [{ ...AGENT, colour: 'red' }, 'colour: unknown field'],
    [{ ...AGENT, tools: 'all' }, 'tools: expected an array, got a string'],
    [
      { ...AGENT, tools: [{ type: 'toolset' }] },
      'tools.0.type: expected one of "agent_toolset_20260401", "mcp_toolset", "custom"',
    ],
    [{ ...AGENT, metadata: { a: 1 } }, 'metadata.a: expected a string, got a number'],
  ])('an agent %#: %s', (body, message) => {
    expect(refusalOf(() => parseBody(createAgentRequest, body)).message).toBe(message);
  });

  test.each([
    [{ agent: 'agent_1' }, 'environment_id: required, expected a string'],
    [{ ...SESSION, agent: 'env_1' }, 'agent: expected an id that begins with agent_'],
    [{ ...SESSION, agent: { type: 'agent' } }, 'agent.id: required, expected a string'],
    [
      { ...SESSION, agent: { type: 'bot', id: 'agent_1' } },
      'agent.type: expected one of "agent", "agent_with_overrides"',
    ],
    [
      { ...SESSION, agent: { type: 'agent', id: 'agent_1', model: 'm' } },
      'agent.model: unknown field',
    ],
    [{ ...SESSION, agent: 5 }, 'agent: expected a string or an object'],
    [{ ...SESSION, environment_id: 'x' }, 'environment_id: expected an id that begins with env_'],
  ])('a session %#: %s', (body, message) => {
    expect(refusalOf(() => parseBody(createSessionRequest, body)).message).toBe(message);
  });

  test.each([
    [send(), 'events: expected at least 1 entry'],
    [send({ type: 'user.message' }), 'events.0.content: required, expected an array'],
    [
      send({ type: 'user.message', content: 'hi' }),
      'events.0.content: expected an array, got a string',
    ],
    [
      say({ type: 'text', text: 'a' }, { type: 'text' }),
      'events.0.content.1.text: required, expected a string',
    ],
    [say({ type: 'text', text: 'a', note: 1 }), 'events.0.content.0.note: unknown field'],
  ])('a send %#: %s', (body, message) => {
    expect(refusalOf(() => parseBody(sendEventsRequest, body)).message).toBe(message);
  });

  test('a metadata refusal carries its documented code', () => {
    const body = { ...AGENT, metadata: { a: 'x'.repeat(513) } };
    const error = refusalOf(() => parseBody(createAgentRequest, body));
    expect(error.status).toBe(400);
    expect(error.details).toEqual({ error_code: 'invalid_metadata' });
  });

  test.each([
    ['a NUL', { ...AGENT, name: 'a\0b' }, /^name: .*NUL/],
    ['half a surrogate pair', { ...AGENT, system: '\uD83D' }, /^system: .*surrogates/],
    ['a NUL in a key', { ...AGENT, metadata: { 'a\0': 'x' } }, /^metadata: .*NUL/],
    ['__proto__', JSON.parse('{"name":"n","model":"m","metadata":{"__proto__":"x"}}'), /__proto__/],
  ])('%s is refused before it meets the database', (_, body, message) => {
    expect(refusalOf(() => parseBody(createAgentRequest, body)).message).toMatch(message);
  });

  test('nesting is bounded, however deep it is', () => {
    const nested = (levels: number) =>
      JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    const tool = (schema: object) => ({
      ...AGENT,
      tools: [{ type: 'custom', name: 't', description: 'd', input_schema: schema }],
    });
    const deep = tool({ type: 'object', properties: nested(100_000) });
    expect(refusalOf(() => parseBody(createAgentRequest, deep)).message).toMatch(/64 levels/);
    const fine = tool({ type: 'object', properties: nested(JSON_DEPTH_MAX - 6) });
    expect(() => parseBody(createAgentRequest, fine)).not.toThrow();
  });

  test('so is the number of values', () => {
    const body = { events: Array<number>(JSON_VALUES_MAX).fill(1) };
    const error = refusalOf(() => parseBody(sendEventsRequest, body));
    expect(error.message).toMatch(/^events\.\d+: expected at most 250000 values in all$/);
  });

  test('a very long key is not repeated in full', () => {
    const error = refusalOf(() =>
      parseBody(createAgentRequest, { ...AGENT, ['k'.repeat(9999)]: 1 }),
    );
    expect(error.message.length).toBeLessThan(120);
  });
});

describe('queries', () => {
  test('defaults are filled in and beta is ignored', () => {
    expect(parseQuery(listSessionsQuery, { beta: 'true' })).toEqual({
      include_archived: false,
      limit: 20,
      order: 'desc',
    });
  });

  test('both generations of list and range parameters are read', () => {
    const query = parseQuery(listSessionsQuery, {
      'statuses[]': ['idle', 'running'],
      'created_at[gte]': '2026-01-01T00:00:00Z',
      'created_at[lt]': '2026-01-02T00:00:00.123456+02:00',
      agent_version: '3',
      include_archived: 'true',
      page: '',
    });
    expect(query.statuses).toEqual(['idle', 'running']);
    expect(query.created_at).toEqual({
      gte: '2026-01-01T00:00:00Z',
      lt: '2026-01-02T00:00:00.123456+02:00',
    });
    expect(query.agent_version).toBe(3);
    expect(query.page).toBeUndefined();
    expect(parseQuery(listEventsQuery, { types: 'user.message' }).types).toEqual(['user.message']);
    expect(
      parseQuery(listEventsQuery, { types: ['user.message'], 'types[]': 'session.error' }).types,
    ).toEqual(['user.message', 'session.error']);
  });

  test.each<[QueryRecord, string]>([
    [{ colour: 'red' }, 'colour: unknown field'],
    [{ limit: '101' }, 'limit: expected a whole number from 1 to 100'],
    [{ limit: ['1', '2'] }, 'limit: expected a string, got an array'],
    [{ order: 'up' }, 'order: expected one of "asc", "desc"'],
    [{ 'created_at[eq]': '2026-01-01T00:00:00Z' }, 'created_at[eq]: unknown field'],
    [
      { 'statuses[]': 'asleep' },
      'statuses[]: expected one of "idle", "running", "rescheduling", "terminated"',
    ],
    [{ 'statuses[]': Array<string>(101).fill('idle') }, 'statuses: expected at most 100 entries'],
    [{ agent_version: '0' }, 'agent_version: expected a whole number from 1 up'],
    [{ include_archived: 'yes' }, 'include_archived: expected one of "true", "false"'],
    [{ agent_id: 'x'.repeat(2000) }, 'agent_id: expected at most 1024 characters without NUL'],
  ])('%j is a 400', (query, message) => {
    expect(refusalOf(() => parseQuery(listSessionsQuery, query)).message).toBe(message);
  });

  test.each(['2026-01-01', '2026-02-30T00:00:00Z', '2026-01-01T00:00:00', 'now', ''])(
    'created_at[gte]=%s is no RFC 3339 timestamp',
    (text) => {
      const error = refusalOf(() => parseQuery(listSessionsQuery, { 'created_at[gte]': text }));
      expect(error.message).toMatch(/^created_at\[gte\]: expected an RFC 3339 timestamp/);
    },
  );

  test('a stream takes previews of two types and our after_seq', () => {
    const query = { 'event_deltas[]': ['agent.message', 'agent.thinking'], after_seq: '0' };
    expect(parseQuery(streamEventsQuery, query)).toEqual({
      event_deltas: ['agent.message', 'agent.thinking'],
      after_seq: 0,
    });
    const error = refusalOf(() =>
      parseQuery(streamEventsQuery, { 'event_deltas[]': 'agent.tool_use' }),
    );
    expect(error.message).toBe('event_deltas[]: expected one of "agent.message", "agent.thinking"');
  });
});
