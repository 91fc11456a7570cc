// What the official clients of both generations put on the wire is what our shapes read: the real
// clients write the requests, only the network is cut off. Recorded requests of the hosted service
// too.

import { readFileSync } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import OldAnthropic from 'anthropic-sdk-0-86';
import { describe, expect, test } from 'vitest';
import type * as z from 'zod';
import {
  createAgentRequest,
  listAgentsQuery,
  listAgentVersionsQuery,
  updateAgentRequest,
} from '../../../protocol/agents.ts';
import { createEnvironmentRequest, listEnvironmentsQuery } from '../../../protocol/environments.ts';
import { listEventsQuery, sendEventsRequest, streamEventsQuery } from '../../../protocol/events.ts';
import { parseBody, parseQuery, type QueryRecord } from '../../../protocol/parse.ts';
import { createSessionRequest, listSessionsQuery } from '../../../protocol/sessions.ts';
import { listThreadsQuery } from '../../../protocol/threads.ts';

interface Sent {
  query: QueryRecord;
  body: unknown;
}

function recorder() {
  const sent: Sent[] = [];
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const { searchParams } = new URL(url instanceof Request ? url.url : url);
    const query: Record<string, string[] | string> = {};
    for (const key of new Set(searchParams.keys())) {
      const values = searchParams.getAll(key);
      query[key] = values.length === 1 ? (values[0] ?? '') : values;
    }
    const body = typeof init?.body === 'string' ? init.body : 'null';
    sent.push({ query, body: JSON.parse(body) });
    const answer = JSON.stringify({ data: [], next_page: null });
    return new Response(answer, { headers: { 'content-type': 'application/json' } });
  };
  const options = { baseURL: 'http://localhost', apiKey: 'x', fetch, maxRetries: 0 };
  const last = () => {
    const request = sent.at(-1);
    if (request === undefined) throw new Error('nothing was sent');
    return request;
  };
  return {
    client: new Anthropic(options).beta,
    old: new OldAnthropic(options).beta,
    query: <T extends z.ZodType>(schema: T) => parseQuery(schema, last().query),
    body: <T extends z.ZodType>(schema: T) => parseBody(schema, last().body),
  };
}

const RANGE = {
  'created_at[gte]': '2026-01-01T00:00:00Z',
  'created_at[lte]': '2026-01-02T00:00:00Z',
};
const FOLDED = { gte: RANGE['created_at[gte]'], lte: RANGE['created_at[lte]'] };
const TOOLS = [
  { type: 'agent_toolset_20260401' as const, configs: [{ name: 'bash' as const, enabled: true }] },
];

describe('queries', () => {
  for (const generation of ['client', 'old'] as const) {
    test(`the ${generation} lists agents, versions, environments and sessions`, async () => {
      const wire = recorder();
      const beta = wire[generation];
      await beta.agents.list({ ...RANGE, include_archived: true, limit: 5, page: 'abc' });
      const agents = { created_at: FOLDED, include_archived: true, limit: 5, page: 'abc' };
      expect(wire.query(listAgentsQuery)).toEqual(agents);
      await beta.agents.versions.list('agent_1', { limit: 5, page: null });
      expect(wire.query(listAgentVersionsQuery)).toEqual({ limit: 5 });
      await beta.environments.list({ include_archived: false });
      expect(wire.query(listEnvironmentsQuery)).toMatchObject({
        include_archived: false,
        limit: 20,
      });
      const query = { ...RANGE, agent_id: 'agent_1', agent_version: 2, order: 'asc' as const };
      await beta.sessions.list(query);
      expect(wire.query(listSessionsQuery)).toEqual({
        created_at: FOLDED,
        agent_id: 'agent_1',
        agent_version: 2,
        order: 'asc',
        include_archived: false,
        limit: 20,
      });
      await beta.sessions.events.list('sesn_1', { order: 'desc', limit: 1000 });
      expect(wire.query(listEventsQuery)).toMatchObject({ order: 'desc', limit: 1000 });
    });
  }

  test('the client’s lists of one and of several values are read', async () => {
    const wire = recorder();
    await wire.client.sessions.list({ statuses: ['idle'] });
    expect(wire.query(listSessionsQuery).statuses).toEqual(['idle']);
    await wire.client.sessions.threads.list('sesn_1', { statuses: ['idle', 'running'] });
    expect(wire.query(listThreadsQuery).statuses).toEqual(['idle', 'running']);
    await wire.client.sessions.events.list('sesn_1', {
      types: ['user.message', 'agent.tool_use'],
      'created_at[gt]': RANGE['created_at[gte]'],
    });
    const events = wire.query(listEventsQuery);
    expect(events.types).toEqual(['user.message', 'agent.tool_use']);
    expect(events.created_at).toEqual({ gt: FOLDED.gte });
    const stream = await wire.client.sessions.events.stream('sesn_1', {
      event_deltas: ['agent.message', 'agent.thinking'],
    });
    stream.controller.abort();
    expect(wire.query(streamEventsQuery).event_deltas).toEqual(['agent.message', 'agent.thinking']);
  });
});

describe('bodies', () => {
  for (const generation of ['client', 'old'] as const) {
    test(`the ${generation} creates and sends`, async () => {
      const wire = recorder();
      const beta = wire[generation];
      await beta.agents.create({
        name: 'a',
        model: 'claude-x',
        tools: TOOLS,
        metadata: { a: 'b' },
      });
      expect(wire.body(createAgentRequest)).toMatchObject({ name: 'a', tools: TOOLS });
      await beta.agents.update('agent_1', { version: 1, system: null, metadata: { a: null } });
      expect(wire.body(updateAgentRequest)).toEqual({
        version: 1,
        system: null,
        metadata: { a: null },
      });
      const config = { type: 'cloud' as const, networking: { type: 'unrestricted' as const } };
      await beta.environments.create({ name: 'e', config });
      expect(wire.body(createEnvironmentRequest)).toEqual({ name: 'e', config });
      await beta.sessions.create({ agent: 'agent_1', environment_id: 'env_1', title: 't' });
      expect(wire.body(createSessionRequest)).toMatchObject({ title: 't' });
      const events = [
        { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hi' }] },
        { type: 'user.interrupt' as const },
      ];
      await beta.sessions.events.send('sesn_1', { events });
      expect(wire.body(sendEventsRequest)).toEqual({ events });
    });
  }
});

describe('recordings of the hosted service', () => {
  const schemas: Record<string, z.ZodType> = {
    '/v1/environments': createEnvironmentRequest,
    '/v1/agents': createAgentRequest,
    '/v1/sessions': createSessionRequest,
    '/v1/sessions/{id}/events': sendEventsRequest,
  };
  const file = new URL('../../recordings/live_managed_agents_full_cycle.jsonl', import.meta.url);
  const requests = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { method: string; path: string; request: unknown })
    .filter(({ request }) => request !== null)
    .map((each) => ({ ...each, route: each.path.replace(/sesn_\w+/, '{id}') }));

  test.each(requests)('$method $route', ({ route, request }) => {
    const schema = schemas[route];
    if (schema === undefined) throw new Error(`no shape for ${route}`);
    expect(parseBody(schema, request)).toEqual(request);
  });

  test('each kind of request is among them', () => {
    expect(new Set(requests.map(({ route }) => route))).toEqual(new Set(Object.keys(schemas)));
  });
});
