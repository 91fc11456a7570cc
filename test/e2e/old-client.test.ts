// The whole story through a client of the old generation, as it is on npm: `x-api-key`,
// `anthropic-version: 2023-06-01`, `?beta=true`. Nothing is changed but the base URL and the key.

import AnthropicOld from 'anthropic-sdk-0-86';
import type * as OldEvents from 'anthropic-sdk-0-86/resources/beta/sessions/events';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { conformingFetch } from '../helpers/conformance.ts';
import { MODEL } from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';

type OldEvent = OldEvents.BetaManagedAgentsStreamSessionEvents;

let client: AnthropicOld;
let agentId: string;
let environmentId: string;

beforeAll(async () => {
  const { url: baseURL, apiKey } = inject('server');
  client = new AnthropicOld({ baseURL, apiKey, fetch: conformingFetch, maxRetries: 0 });
  const agent = await client.beta.agents.create({
    name: 'for an old client',
    model: MODEL,
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  agentId = agent.id;
  const environment = await client.beta.environments.create({
    name: `for ${agentId}`,
    config: { type: 'cloud', networking: { type: 'unrestricted' } },
  });
  environmentId = environment.id;
});

const text = (words: string) => ({
  events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text: words }] }],
});

async function untilIdle(stream: AsyncIterable<OldEvent>): Promise<OldEvent[]> {
  const events: OldEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    if (event.type === 'session.status_idle') break;
  }
  return events;
}

const newSession = () =>
  client.beta.sessions.create({ agent: agentId, environment_id: environmentId, title: 'Old' });

describe('a client of SDK 0.86.1', () => {
  it('opens the stream, sends a message and sees the whole turn', async () => {
    const { id } = await newSession();
    const stream = await client.beta.sessions.events.stream(id);
    await client.beta.sessions.events.send(id, text('# think\n$ echo one\n= Done.'));
    const events = await untilIdle(stream);
    const types = events.map(({ type }) => type);
    expect(types).toContain('agent.thinking');
    expect(types).toContain('agent.tool_use');
    expect(types).toContain('agent.tool_result');
    expect(types.at(-1)).toBe('session.status_idle');
    expect(events.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    const listed: string[] = [];
    for await (const event of client.beta.sessions.events.list(id)) listed.push(event.type);
    expect(listed.toSorted()).toEqual(types.map(String).toSorted());
    await client.beta.sessions.delete(id);
  });

  it('sends first and sees the whole turn all the same, 20 times', async () => {
    const agent = await client.beta.agents.create({ name: 'without tools', model: MODEL });
    for (let repeat = 0; repeat < 20; repeat += 1) {
      const { id } = await client.beta.sessions.create({
        agent: agent.id,
        environment_id: environmentId,
      });
      await client.beta.sessions.events.send(id, text('= Hello.'));
      const events = await untilIdle(await client.beta.sessions.events.stream(id));
      expect(events.map(({ type }) => String(type))).toContain('user.message');
      expect(events.map(({ type }) => String(type))).toContain('agent.message');
      await client.beta.sessions.delete(id);
    }
  });

  it('steers, interrupts, and goes on', async () => {
    const { id } = await newSession();
    const stream = await client.beta.sessions.events.stream(id);
    await client.beta.sessions.events.send(id, text('# wait 600000'));
    const seen: OldEvent[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === 'span.model_request_start' && seen.length < 6) {
        await client.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
        await client.beta.sessions.events.send(id, text('= Redirected.'));
      }
      if (event.type === 'agent.message') break;
    }
    expect(seen.map(({ type }) => String(type))).toContain('user.interrupt');
    await until('the session is idle', async () => {
      return (await client.beta.sessions.retrieve(id)).status === 'idle';
    });
    await client.beta.sessions.archive(id);
  });

  it('updates, lists, pages, archives and deletes', async () => {
    const { id } = await newSession();
    const updated = await client.beta.sessions.update(id, { title: 'Renamed' });
    expect(updated.title).toBe('Renamed');
    const ids: string[] = [];
    for await (const session of client.beta.sessions.list({ agent_id: agentId, limit: 1 })) {
      ids.push(session.id);
    }
    expect(ids).toContain(id);
    expect(new Set(ids).size).toBe(ids.length);
    expect((await client.beta.sessions.archive(id)).status).toBe('terminated');
    const { id: other } = await newSession();
    expect(await client.beta.sessions.delete(other)).toMatchObject({ id: other });
    const agent = await client.beta.agents.update(agentId, { version: 1, description: 'Known.' });
    expect(agent.version).toBe(2);
    const versions: number[] = [];
    for await (const each of client.beta.agents.versions.list(agentId)) versions.push(each.version);
    expect(new Set(versions)).toEqual(new Set([1, 2]));
  });

  it('gets its own error classes', async () => {
    const missing = 'sesn_01aaaaaaaaaaaaaaaaaaaaaa';
    await expect(client.beta.sessions.retrieve(missing)).rejects.toBeInstanceOf(
      AnthropicOld.NotFoundError,
    );
    const { url: baseURL } = inject('server');
    const stranger = new AnthropicOld({ baseURL, apiKey: 'wrong', maxRetries: 0 });
    await expect(stranger.beta.sessions.list()).rejects.toBeInstanceOf(
      AnthropicOld.AuthenticationError,
    );
  });
});
