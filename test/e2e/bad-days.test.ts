// PostgreSQL, Temporal or Docker away while sessions run: the health check says which, what can be
// served is served, nothing that was accepted is lost, and the work goes on when they are back.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuntimeRecord } from '../../main/data-directory.ts';
import { closeEach } from '../helpers/close-each.ts';
import { startMcpServer } from '../helpers/mcp-server.ts';
import { type Outage, startDockerSocket, startEmbedded } from '../helpers/outages.ts';
import { docker } from '../helpers/sandbox.ts';
import { ofType, resultsOf, Scene, stopReasonOf, type Talk, typesOf } from '../helpers/scene.ts';
import { startServer, type TestServer } from '../helpers/server.ts';
import { until } from '../helpers/until.ts';

let postgres: Awaited<ReturnType<typeof startEmbedded>>;
let temporal: Awaited<ReturnType<typeof startEmbedded>>;
let engine: Awaited<ReturnType<typeof startDockerSocket>>;
let server: TestServer;
let scene: Scene;
let connection: Connection;
let workflows: Client;

beforeAll(async () => {
  [postgres, temporal, engine] = await Promise.all([
    startEmbedded(['--no-temporal']),
    startEmbedded(),
    startDockerSocket(),
  ]);
  server = await startServer({
    HOLDFAST_DATABASE_URL: postgres.databaseUrl,
    HOLDFAST_TEMPORAL_ADDRESS: temporal.address,
    HOLDFAST_TEMPORAL_PORT: '',
    HOLDFAST_TEMPORAL_UI_PORT: '',
    HOLDFAST_DOCKER_SOCKET: engine.path,
  });
  scene = await Scene.open(server, {
    networking: { type: 'limited', allow_mcp_servers: true },
  });
  connection = await Connection.connect({ address: temporal.address });
  workflows = new Client({ connection });
});

afterAll(async () => {
  await closeEach(scene, connection, server, postgres, temporal, engine);
});

/** Parts that the health check says are not well. */
async function illParts(): Promise<string[]> {
  const answer = await fetch(`${server.url}/healthz`);
  const { ok, parts } = (await answer.json()) as { ok: boolean; parts: Record<string, string> };
  expect(answer.status).toBe(ok ? 200 : 503);
  return Object.keys(parts).filter((name) => parts[name] !== 'ok');
}

/** Pids of what runs beside the server. */
function readChildren(): (number | null)[] {
  const runtime = readFileSync(join(server.dataDir, 'runtime.json'), 'utf8');
  const { children } = JSON.parse(runtime) as RuntimeRecord;
  return Object.values(children).map(({ pid }) => pid);
}

/** Takes a part away until `work` is done, and sees the health check name it, and nothing else. */
async function without(outage: Outage, name: string, work: () => Promise<void>): Promise<void> {
  await outage.begin();
  try {
    await until(`the health check names ${name}`, async () => (await illParts()).includes(name));
    expect(await illParts()).toEqual([name]);
    await work();
  } finally {
    await outage.end();
  }
  await until('all is well again', async () => (await illParts()).length === 0);
}

/** A command that ends when a file is there, which only this function's answer makes. */
async function runningCommand(talk: Talk): Promise<() => Promise<unknown>> {
  const isThere = () =>
    docker('exec', `holdfast-${talk.id}`, 'test', '-e', '/workspace/begun').then(
      () => true,
      () => false,
    );
  await talk.say(
    '$ echo x >> ran; touch begun; until [ -e go ]; do sleep 0.1; done; echo went\n$ wc -l < ran',
  );
  await until('the command runs', isThere);
  return () => docker('exec', `holdfast-${talk.id}`, 'touch', '/workspace/go');
}

/** One result a call, each span closed once, one idle: what an undisturbed turn looks like. */
async function expectOneWholeTurn(talk: Talk): Promise<void> {
  const events = await talk.history();
  const count = (type: string) => typesOf(events).filter((each) => each === type).length;
  expect(count('session.status_idle')).toBe(1);
  expect(count('agent.tool_result')).toBe(count('agent.tool_use'));
  expect(count('span.model_request_end')).toBe(count('span.model_request_start'));
  expect(resultsOf(events as never)).toEqual(['went', '1']);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  expect(stopReasonOf(events as never)).toBe('end_turn');
}

/** The answer to a send is written before its workflow is started. */
function notYet(error: unknown): undefined {
  if (!(error instanceof WorkflowNotFoundError)) throw error;
}

/** Whether some activity of the session has been tried so often, as Temporal knows. */
async function isAttempted(talk: Talk, times: number): Promise<boolean> {
  const description = await workflows.workflow.getHandle(talk.id).describe().catch(notYet);
  const pending = description?.raw.pendingActivities ?? [];
  return pending.some(({ attempt }) => (attempt ?? 0) >= times);
}

const isIdle = (talk: Talk) => async () => (await talk.status().catch(() => '')) === 'idle';

describe('a server that is told to stop', () => {
  it('ends with 0, leaves the command running, and goes on when it is started again', async () => {
    const talk = await scene.newTalk();
    const go = await runningCommand(talk);
    expect(await server.end('SIGTERM')).toBe(0);
    await go();
    await server.start();
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    await expectOneWholeTurn(talk);
  });

  it('lets a call of an MCP server end, whose answer nobody else could have', async () => {
    const mcp = await startMcpServer();
    const agent = {
      type: 'agent_with_overrides' as const,
      id: scene.agentId,
      mcp_servers: [{ type: 'url' as const, name: 'helper', url: mcp.url }],
      tools: [
        {
          type: 'mcp_toolset' as const,
          mcp_server_name: 'helper',
          default_config: { permission_policy: { type: 'always_allow' as const } },
        },
      ],
    };
    const talk = await scene.newTalk({ agent });
    await talk.say('@slow {"ms":1500}');
    await until('the MCP server has the call', () => mcp.calls.get('slow') === 1);
    expect(await server.end('SIGTERM')).toBe(0);
    await server.start();
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    const results = ofType((await talk.history()) as never, 'agent.mcp_tool_result');
    expect(results).toMatchObject([{ is_error: false }]);
    expect(mcp.calls.get('slow')).toBe(1);
    await mcp.close();
  });

  it('ends in time, and all beside it, though a client holds a silent connection', async () => {
    const children = readChildren();
    expect(children.length).toBeGreaterThan(0);
    const { hostname, port } = new URL(server.url);
    const silent = connect(Number(port), hostname);
    await once(silent, 'connect');
    const closed = once(silent, 'close');
    expect(await server.end('SIGTERM')).toBe(0);
    await closed;
    expect(server.lines().some((line) => line.includes('leaving the rest'))).toBe(false);
    expect(children.filter((pid) => existsSync(`/proc/${pid}/exe`))).toEqual([]);
    await server.start();
  });

  it('ends the streams of its readers, who resume where they were', async () => {
    const talk = await scene.newTalk();
    await talk.turn('= One.');
    const tape = await talk.tape();
    const over = tape.over;
    expect(await server.end('SIGTERM')).toBe(0);
    await over;
    await server.start();
    const events = await talk.turn('= Two.');
    expect(typesOf(events)[0]).toBe('user.message');
    expect(stopReasonOf(events)).toBe('end_turn');
  });
});

describe('while PostgreSQL is away', () => {
  it('requests are refused as to be tried again, and a running command goes on', async () => {
    const talk = await scene.newTalk();
    const go = await runningCommand(talk);
    await without(postgres, 'database', async () => {
      await expect(talk.status()).rejects.toMatchObject({ status: 503 });
      await expect(talk.say('lost?')).rejects.toMatchObject({ status: 503 });
      await go();
    });
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    await expectOneWholeTurn(talk);
    expect(stopReasonOf(await talk.turn('= As before.'))).toBe('end_turn');
  });

  it('a command that ended meanwhile keeps its result, however long it is away', async () => {
    const talk = await scene.newTalk();
    const go = await runningCommand(talk);
    await without(postgres, 'database', async () => {
      await go();
      await until('the sixth attempt waits', () => isAttempted(talk, 6), { timeoutMs: 60_000 });
    });
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    await expectOneWholeTurn(talk);
  });

  it('an open stream waits for it and carries the rest of the turn, each event once', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const go = await runningCommand(talk);
    await without(postgres, 'database', async () => void (await go()));
    const events = await tape.untilIdle();
    const ids = (of: readonly object[]) => of.map((event) => (event as { id: string }).id);
    expect(ids(events)).toEqual(ids(await talk.history()));
    expect(tape.isOpen).toBe(true);
  });

  it('the stream of an idle session waits as well', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await without(postgres, 'database', async () => {});
    await talk.say('= Hello.');
    expect(typesOf(await tape.untilIdle())).toContain('agent.message');
  });
});

describe('while Temporal is away', () => {
  it('sessions are created, messages accepted, histories read; work is done later', async () => {
    const earlier = await scene.newTalk();
    await earlier.turn('= Hello.');
    let later: Talk | undefined;
    await without(temporal, 'temporal', async () => {
      later = await scene.newTalk();
      const [echo] = await later.say('$ echo late');
      expect(echo).toMatchObject({ type: 'user.message' });
      await earlier.say('= Hello again.');
      expect(typesOf(await earlier.history())).toContain('agent.message');
      expect(typesOf(await later.history())).toEqual(['user.message']);
    });
    for (const talk of [earlier, later!]) {
      await until('its answer is there', async () => {
        const events = await talk.history();
        return events.at(-1)!.type === 'session.status_idle' && (await isIdle(talk)());
      });
    }
    expect(resultsOf((await later!.history()) as never)).toEqual(['late']);
    const said = ofType((await earlier.history()) as never, 'agent.message');
    expect(said).toHaveLength(2);
  });

  it('a running command goes on, and its turn when Temporal is back', async () => {
    const talk = await scene.newTalk();
    const go = await runningCommand(talk);
    await without(temporal, 'temporal', async () => {
      await go();
    });
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    await expectOneWholeTurn(talk);
  });
});

describe('while Docker is away', () => {
  it('a session that needs a new container waits for it, however long it is away', async () => {
    const talk = await scene.newTalk();
    await without(engine, 'sandbox', async () => {
      await talk.say('$ echo at last');
      await until('the sixth attempt waits', () => isAttempted(talk, 6), { timeoutMs: 60_000 });
    });
    await until('the turn is over', isIdle(talk), { timeoutMs: 90_000 });
    expect(resultsOf((await talk.history()) as never)).toEqual(['at last']);
  });

  it('an interrupt does not wait for it', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await without(engine, 'sandbox', async () => {
      await talk.say('$ echo never');
      await tape.untilType('agent.tool_use');
      await talk.interrupt();
      const events = await tape.untilIdle();
      expect(stopReasonOf(events)).toBe('end_turn');
      expect(ofType(events, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
    });
    expect(resultsOf(await talk.turn('$ echo now'))).toEqual(['now']);
  });

  it('a container that runs goes on working', async () => {
    const talk = await scene.newTalk();
    const go = await runningCommand(talk);
    await without(engine, 'sandbox', async () => {
      await go();
      await until('the turn is over', isIdle(talk));
    });
    await expectOneWholeTurn(talk);
  });
});
