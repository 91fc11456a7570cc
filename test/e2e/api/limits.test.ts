// Limits of one key, through the official client: what it is told when it asks for too much, and
// that its own retries get it through. The server here has small figures.

import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';
import { until } from '../../helpers/until.ts';

const CREATES = 60;
const STREAMS = 2;

let server: ApiServer;
let sessionId: string;

beforeAll(async () => {
  const rateLimits = { create: CREATES, streams: STREAMS, requests: 3 };
  server = await startApiServer({ rateLimits });
  sessionId = await server.insertSession('idle');
});

afterAll(() => server.close());

/** A client whose every answer is noted. */
function noting(options: { apiKey?: string; maxRetries?: number } = {}) {
  const answers: { status: number; retryAfter: string | null; headers: Headers }[] = [];
  const client = new Anthropic({
    baseURL: server.url,
    apiKey: server.key,
    ...options,
    fetch: async (...request) => {
      const response = await fetch(...request);
      const { status, headers } = response;
      answers.push({ status, headers, retryAfter: headers.get('retry-after') });
      return response;
    },
  });
  return { client, answers };
}

async function createAgents(client: Anthropic, count: number): Promise<void> {
  for (let made = 0; made < count; made += 1) {
    await client.beta.agents.create({ name: `agent ${made}`, model: 'claude-opus-5-5' });
  }
}

it('a request too many is a 429 as documented, and the client’s own retry waits', async () => {
  const { client, answers } = noting({ maxRetries: 0 });
  await createAgents(client, CREATES);
  // A second has given one token back.
  const refused = until('a create is refused', async () => {
    const outcome = client.beta.agents.create({ name: 'more', model: 'claude-opus-5-5' });
    const error = await outcome.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return error instanceof Anthropic.RateLimitError ? error : undefined;
  });
  const error = await refused;
  expect(error.error).toEqual({
    type: 'error',
    error: {
      type: 'rate_limit_error',
      message: 'This API key may make 60 create requests a minute. Try again in 1 s.',
    },
    request_id: error.headers!.get('request-id'),
  });
  const { headers, retryAfter } = answers.at(-1)!;
  expect(retryAfter).toBe('1');
  expect(headers.get('anthropic-workspace-id')).toBe(server.workspaceId);
  expect(headers.get('anthropic-organization-id')).toMatch(/^[0-9a-f-]{36}$/);

  const patient = noting();
  const startedAt = performance.now();
  await createAgents(patient.client, 2);
  expect(performance.now() - startedAt).toBeGreaterThan(900);
  const statuses = patient.answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  expect(statuses).toContain(429);
});

it('reads, and another key, go on meanwhile', async () => {
  const { client } = noting({ maxRetries: 0 });
  await client.beta.agents.list({ limit: 1 });
  await createAgents(noting({ apiKey: server.foreignKey, maxRetries: 0 }).client, 5);
});

it('a key has so many streams open; one that closes makes room', async () => {
  const { client } = noting({ maxRetries: 0 });
  const { events } = client.beta.sessions;
  const open = [await events.stream(sessionId), await events.stream(sessionId)];
  const refused = events.stream(sessionId);
  await expect(refused).rejects.toBeInstanceOf(Anthropic.RateLimitError);
  await expect(refused).rejects.toThrow('2 open streams at once');
  // A stream that was not to be opened takes no place either.
  await expect(events.stream('sesn_01unknown')).rejects.toThrow();
  open[0]!.controller.abort();
  const next = await until('a place is free', () =>
    events.stream(sessionId).catch(() => undefined),
  );
  for (const stream of [open[1]!, next]) stream.controller.abort();
});

it('a key has so many requests under way', async () => {
  const { client, answers } = noting({ maxRetries: 0 });
  // While the table is locked no request can end, so they are all under way at once.
  const outcomes = await server.sql.begin(async (tx) => {
    await tx`lock table agents in access exclusive mode`;
    const calls = Array.from({ length: 40 }, () => client.beta.agents.list({ limit: 1 }));
    const ended = Promise.allSettled(calls);
    await until('one is refused', () => answers.some(({ status }) => status === 429));
    return { ended };
  });
  const ends = await outcomes.ended;
  expect(ends.some(({ status }) => status === 'fulfilled')).toBe(true);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(new Set(refused.map(({ retryAfter }) => retryAfter))).toEqual(new Set(['1']));
  await client.beta.agents.list({ limit: 1 });
});
