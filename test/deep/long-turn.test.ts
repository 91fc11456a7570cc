// One turn of a thousand commands: it ends as it should, every command has run once and in order,
// and no run of its workflow comes near the limits that end a naive loop on Temporal.

import { createHash } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Scene, type SessionEvent, type Talk } from '../helpers/scene.ts';
import { startServer, type TestServer } from '../helpers/server.ts';

const CALLS = 1000;
const HISTORY_EVENTS_MAX = 2500;
const HISTORY_BYTES_MAX = 1024 * 1024;
/** What a thousand rounds may take on a busy machine before they count as hanging. */
const TURN_MS = 15 * 60_000;

let server: TestServer;
let scene: Scene;
let talk: Talk;
let events: SessionEvent[];

beforeAll(async () => {
  server = await startServer();
  scene = await Scene.open(server);
  talk = await scene.newTalk();
  const commands = Array.from({ length: CALLS }, (_, index) => `$ echo ${index} >> f`);
  const stream = await talk.client.beta.sessions.events.stream(talk.id);
  await talk.say([...commands, '$ md5sum f', '= done'].join('\n'));
  for await (const event of stream) if (event.type === 'session.status_idle') break;
  events = await talk.history();
}, TURN_MS);

afterAll(async () => {
  await scene?.close();
  await server?.close();
});

test('a turn of a thousand tool calls ends with end_turn', () => {
  const last = events.at(-1);
  expect(last).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
  expect(events.filter((event) => event.type === 'agent.tool_use')).toHaveLength(CALLS + 1);
  expect(events.filter((event) => event.type === 'session.error')).toEqual([]);
});

test('each of its commands has run once, in order', () => {
  const results = events.filter((event) => event.type === 'agent.tool_result');
  expect(results).toHaveLength(CALLS + 1);
  const written = Array.from({ length: CALLS }, (_, index) => `${index}\n`).join('');
  const digest = createHash('md5').update(written).digest('hex');
  expect(JSON.stringify(results.at(-1)?.content)).toContain(digest);
});

test('no run of its workflow is large: it continues as new inside the turn', async () => {
  const connection = await Connection.connect({ address: server.temporalAddress });
  const client = new Client({ connection });
  const sizes: { events: number; bytes: number }[] = [];
  const runs = client.workflow.list({ query: `WorkflowId = '${talk.id}'` });
  for await (const { runId } of runs) {
    const history = await client.workflow.getHandle(talk.id, runId).fetchHistory();
    const bytes = proto.temporal.api.history.v1.History.encode(history).finish().length;
    sizes.push({ events: history.events?.length ?? 0, bytes });
  }
  await connection.close();
  console.log('runs of the workflow', JSON.stringify(sizes));
  expect(sizes.length).toBeGreaterThan(1);
  for (const size of sizes) {
    expect(size.events).toBeLessThan(HISTORY_EVENTS_MAX);
    expect(size.bytes).toBeLessThan(HISTORY_BYTES_MAX);
  }
});
