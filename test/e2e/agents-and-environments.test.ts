// Agents with their versions, and environments, on the running server. docs:
// managed-agents/agent-setup and managed-agents/environments.

import type Anthropic from '@anthropic-ai/sdk';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { MODEL, newClient } from '../helpers/scene.ts';

let client: Anthropic;

beforeAll(() => {
  client = newClient(inject('server'));
});

const newAgent = () => client.beta.agents.create({ name: 'an agent', model: MODEL });

describe('an agent', () => {
  it('is at version 1 with its defaults filled in', async () => {
    const agent = await client.beta.agents.create({
      name: 'with tools',
      model: MODEL,
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    expect(agent).toMatchObject({
      type: 'agent',
      version: 1,
      model: { id: MODEL, speed: 'standard', effort: { type: expect.any(String) } },
      description: null,
      system: null,
      skills: [],
      mcp_servers: [],
      multiagent: null,
      metadata: {},
      archived_at: null,
      tools: [
        {
          type: 'agent_toolset_20260401',
          default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
        },
      ],
    });
  });

  it('gets a version with every change, and each stays readable', async () => {
    const { id } = await newAgent();
    const second = await client.beta.agents.update(id, { system: 'Be brief.' });
    const third = await client.beta.agents.update(id, { system: null, metadata: { a: 'b' } });
    expect([second.version, third.version]).toEqual([2, 3]);
    expect((await client.beta.agents.retrieve(id, { version: 2 })).system).toBe('Be brief.');
    expect((await client.beta.agents.retrieve(id)).system).toBeNull();
    const versions = [];
    for await (const version of client.beta.agents.versions.list(id)) versions.push(version);
    expect(new Set(versions.map(({ version }) => version))).toEqual(new Set([1, 2, 3]));
    expect(versions).toHaveLength(3);
  });

  it('keeps its version when an update changes nothing', async () => {
    const { id } = await newAgent();
    const same = await client.beta.agents.update(id, { name: 'an agent' });
    expect(same.version).toBe(1);
  });

  it('refuses an update of another version than its newest', async () => {
    const { id } = await newAgent();
    await client.beta.agents.update(id, { version: 1, system: 'One.' });
    for (const body of [
      { version: 1, system: 'Two.' },
      { version: 1, system: 'One.' },
    ]) {
      await expect(client.beta.agents.update(id, body)).rejects.toMatchObject({
        status: 409,
        type: 'conflict_error',
      });
    }
    expect((await client.beta.agents.retrieve(id)).system).toBe('One.');
  });

  it('of two updates at once of one version, one wins', async () => {
    const { id } = await newAgent();
    const updates = ['One.', 'Two.', 'Three.'].map((system) =>
      client.beta.agents.update(id, { version: 1, system }),
    );
    const ends = await Promise.allSettled(updates);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await client.beta.agents.retrieve(id)).version).toBe(2);
  });

  it('that is archived is read-only, out of the list and not for new sessions', async () => {
    const { id } = await newAgent();
    const archived = await client.beta.agents.archive(id);
    expect(archived.archived_at).not.toBeNull();
    await expect(client.beta.agents.update(id, { name: 'x' })).rejects.toMatchObject({
      status: 400,
    });
    const environment = await client.beta.environments.create({ name: `for ${id}` });
    const create = client.beta.sessions.create({ agent: id, environment_id: environment.id });
    await expect(create).rejects.toMatchObject({ status: 400 });
    const listed: string[] = [];
    for await (const agent of client.beta.agents.list()) listed.push(agent.id);
    expect(listed).not.toContain(id);
    const all: string[] = [];
    for await (const agent of client.beta.agents.list({ include_archived: true }))
      all.push(agent.id);
    expect(all).toContain(id);
  });

  it('that needs what is not there yet is refused by the name of the field', async () => {
    const create = (fields: object) =>
      client.beta.agents.create({ name: 'x', model: MODEL, ...fields } as never);
    for (const [fields, name] of [
      [{ skills: [{ type: 'anthropic', skill_id: 'pdf' }] }, 'skills'],
      [{ multiagent: { type: 'multiagent_20261001' } }, 'multiagent'],
    ] as const) {
      await expect(create(fields)).rejects.toMatchObject({
        status: 400,
        message: expect.stringMatching(new RegExp(`${name}.*not supported yet`)),
      });
    }
  });
});

describe('an environment', () => {
  it('has a name of its own', async () => {
    const name = `unique ${Date.now()}`;
    await client.beta.environments.create({ name });
    await expect(client.beta.environments.create({ name })).rejects.toMatchObject({
      status: 409,
      type: 'conflict_error',
    });
  });

  it('keeps what an update leaves out', async () => {
    const created = await client.beta.environments.create({
      name: `kept ${Date.now()}`,
      description: 'first',
      config: { type: 'cloud', networking: { type: 'limited' } },
    });
    const updated = await client.beta.environments.update(created.id, { description: 'second' });
    expect(updated).toMatchObject({
      name: created.name,
      description: 'second',
      config: { networking: { type: 'limited' } },
    });
    expect(await client.beta.environments.retrieve(created.id)).toEqual(updated);
  });

  it('that is archived takes no new sessions and no updates', async () => {
    const { id } = await client.beta.environments.create({ name: `archived ${Date.now()}` });
    await client.beta.environments.archive(id);
    const { id: agent } = await newAgent();
    const create = client.beta.sessions.create({ agent, environment_id: id });
    await expect(create).rejects.toMatchObject({ status: 400 });
    await expect(client.beta.environments.update(id, { description: 'x' })).rejects.toMatchObject({
      status: 400,
      errorCode: 'environment_archived',
    });
  });

  it('can be deleted', async () => {
    const { id } = await client.beta.environments.create({ name: `deleted ${Date.now()}` });
    expect(await client.beta.environments.delete(id)).toMatchObject({ id });
    await expect(client.beta.environments.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });
});
