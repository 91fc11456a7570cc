// Sessions that wait for their clients (requires_action), killed while they wait and while they are
// answered: the wait has no limit of time, an answer is taken once, and what was allowed runs once.

import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import Anthropic from '@anthropic-ai/sdk';
import { conformingFetch } from '../helpers/conformance.ts';
import { byDepth } from '../helpers/depth.ts';
import {
  confirmation,
  customResult,
  message,
  MODEL,
  ofType,
  type SessionEvent,
  textOf,
  typesOf,
} from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';
import { diceOf } from './dice.ts';
import { addRow } from './kill-table.ts';
import { killBeside, startWholeServer, untilHealthy, type WholeServer } from './whole-server.ts';

const STORY = [
  '$& echo allowed >> log',
  '@&write {"file_path":"/workspace/denied","content":"x"}',
  '@&write {"file_path":"/workspace/asked","content":"x"}',
  '@&look_up {"what":"a"}',
  '',
  '$ echo after >> log; cat log; ls',
].join('\n');
/** a server that is being restarted answers late */
const SEND_RETRIES = 12;
const IDLE_MS = 120_000;

let whole: WholeServer;
let client: Anthropic;
let create: () => Promise<string>;

beforeAll(async () => {
  whole = await startWholeServer();
  const { url, apiKey } = whole.server;
  client = new Anthropic({
    baseURL: url,
    apiKey,
    fetch: conformingFetch,
    maxRetries: SEND_RETRIES,
  });
  const agent = await client.beta.agents.create({
    name: 'an agent that asks',
    model: MODEL,
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
      {
        type: 'custom',
        name: 'look_up',
        description: 'Looks something up.',
        input_schema: { type: 'object' },
      },
    ],
  });
  const environment = await client.beta.environments.create({
    name: `for ${agent.id}`,
    config: { type: 'cloud', networking: { type: 'limited' } },
  });
  create = async () => {
    const initial_events = [message(STORY)];
    const fields = { agent: agent.id, environment_id: environment.id, initial_events };
    return (await client.beta.sessions.create(fields)).id;
  };
});

afterAll(async () => {
  await whole?.server.close();
});

async function history(id: string): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for await (const event of client.beta.sessions.events.list(id)) all.push(event);
  return all;
}

async function untilIdle(id: string, reason: string): Promise<SessionEvent[]> {
  let events: SessionEvent[] = [];
  const isSo = async (): Promise<boolean> => {
    events = await history(id);
    const last = ofType(events, 'session.status_idle').at(-1);
    return last?.stop_reason.type === reason && events.at(-1)?.type === 'session.status_idle';
  };
  await until(`session ${id} is idle: ${reason}`, isSo, { timeoutMs: IDLE_MS });
  return events;
}

interface Asked {
  denied: string;
  asked: string;
  custom: string;
}

function askedOf(events: SessionEvent[]): Asked {
  const [denied, asked] = ofType(events, 'agent.tool_use').filter(({ name }) => name === 'write');
  const [custom] = ofType(events, 'agent.custom_tool_use');
  return { denied: denied!.id, asked: asked!.id, custom: custom!.id };
}

/** One result for each call, the denied one unrun, each allowed command once. */
function expectWhole(events: SessionEvent[], calls: Asked): void {
  const results = ofType(events, 'agent.tool_result');
  const uses = ofType(events, 'agent.tool_use').map(({ id }) => id);
  expect(new Set(results.map((event) => event.tool_use_id))).toEqual(new Set(uses));
  expect(results).toHaveLength(uses.length);
  expect(ofType(events, 'user.custom_tool_result')).toHaveLength(1);
  const denied = results.find((event) => event.tool_use_id === calls.denied)!;
  expect(denied.is_error).toBe(true);
  expect(textOf(results.at(-1)!).split('\n')).toEqual(['allowed', 'after', 'asked', 'log']);
  expect(ofType(events, 'session.error')).toEqual([]);
  expect(typesOf(events).filter((type) => type === 'agent.message')).toHaveLength(1);
}

const KILLS: [string, () => Promise<unknown>][] = [
  ['the server', () => whole.server.end('SIGKILL').then(() => whole.server.start())],
  ['PostgreSQL', async () => killBeside(whole.server, 'postgres')],
  ['Temporal', async () => killBeside(whole.server, 'temporal')],
  [
    'everything at once',
    async () => {
      killBeside(whole.server, 'postgres');
      killBeside(whole.server, 'temporal');
      await whole.server.end('SIGKILL');
      await whole.server.start();
    },
  ],
];

/** Kills, waits for what `then` expects, and notes a row of the table. */
async function noted(what: string, when: string, then: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  let isFailed = true;
  try {
    await then();
    isFailed = false;
  } finally {
    addRow(inject('chaos').rowsFile, {
      file: 'parked.test.ts',
      what,
      when,
      cut: 0,
      sessions: 1,
      downMs: null,
      recoveryMs: null,
      endMs: performance.now() - begun,
      result: isFailed ? 'FAILED' : 'every answer taken once',
      isFailed,
    });
  }
}

describe('a session that waits', () => {
  it('survives the kill of each part and of all, and is answered afterwards', async () => {
    const id = await create();
    const calls = askedOf(await untilIdle(id, 'requires_action'));
    for (const [what, kill] of KILLS) {
      await noted(what, 'while a session waits', async () => {
        await kill();
        await untilHealthy(whole.server);
        expect((await client.beta.sessions.retrieve(id)).status).toBe('idle');
      });
    }
    const { events } = client.beta.sessions;
    await events.send(id, { events: [confirmation(calls.denied, 'deny')] });
    await events.send(id, { events: [customResult(calls.custom, 'found')] });
    await events.send(id, { events: [confirmation(calls.asked, 'allow')] });
    expectWhole(await untilIdle(id, 'end_turn'), calls);
  });

  it.each(KILLS)('takes its answers once when %s is killed as they come', async (what, kill) => {
    for (let number = 0; number < byDepth(1, 4); number += 1) {
      const dice = diceOf(`answers, ${what} ${number}`);
      const id = await create();
      const calls = askedOf(await untilIdle(id, 'requires_action'));
      await noted(what, 'while a session is answered', async () => {
        const { events } = client.beta.sessions;
        await events.send(id, { events: [customResult(calls.custom, 'found')] });
        await events.send(id, {
          events: [confirmation(calls.denied, 'deny'), confirmation(calls.asked, 'allow')],
        });
        await pause(dice.between(0, 400));
        await kill();
        await untilHealthy(whole.server);
        expectWhole(await untilIdle(id, 'end_turn'), calls);
      });
      const again = { events: [confirmation(calls.asked, 'allow')] };
      await expect(client.beta.sessions.events.send(id, again)).rejects.toMatchObject({
        status: 400,
      });
    }
  });
});
