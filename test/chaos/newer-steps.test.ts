// The steps that no container journals, killed in their middle: a conversation that is compacted, a
// call that is judged, a page that is fetched, a tool of an MCP server, a pause for the budget, a
// client's result. What may be repeated is; what may not is never made twice, and the model hears
// of it.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { byDepth } from '../helpers/depth.ts';
import { startMcpServer, type TestMcpServer } from '../helpers/mcp-server.ts';
import {
  customResult,
  message,
  ofType,
  type SessionEvent,
  stopReasonOf,
  textOf,
  waitingOf,
} from '../helpers/scene.ts';
import { until } from '../helpers/until.ts';
import { diceOf } from './dice.ts';
import { addRow } from './kill-table.ts';
import { after, prove } from './proof.ts';
import { plainLog } from './same-log.ts';
import { Stage, type Story } from './stage.ts';
import { startWholeServer, type WholeServer } from './whole-server.ts';

/** time to the first token: long enough to be hit, for a summary and a verdict too */
const MODEL_DELAY_MS = 150;
const PAGE_MS = 2_500;
const CALL_MS = 4_000;
const IDLE_MS = 120_000;
/** 100,000 tokens read and 20,000 written by claude-sonnet-4-6: 60 cents a reply */
const SIXTY_CENTS = '# usage input=100000 output=20000';

let whole: WholeServer;
let web: Server;
let site: string;
let mcp: TestMcpServer;
const stages = new Map<'small' | 'judged' | 'web' | 'mcp' | 'clients', Stage>();

beforeAll(async () => {
  web = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    setTimeout(() => response.end('<html><body><p>Slow news.</p></body></html>'), PAGE_MS);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  mcp = await startMcpServer();
  whole = await startWholeServer({
    HOLDFAST_SCRIPTED_DELAY_MS: String(MODEL_DELAY_MS),
    HOLDFAST_WEB_PRIVATE_HOSTS: '127.0.0.1',
  });
  const { place } = whole.stage;
  const toolset = { type: 'agent_toolset_20260401' as const };
  const auto = { permission_policy: { type: 'auto' as const } };
  const allow = { permission_policy: { type: 'always_allow' as const } };
  const helper = { type: 'url' as const, name: 'helper', url: mcp.url };
  const mcpTools = {
    type: 'mcp_toolset' as const,
    mcp_server_name: 'helper',
    default_config: allow,
  };
  const lookUp = {
    type: 'custom' as const,
    name: 'look_up',
    description: 'Looks something up.',
    input_schema: { type: 'object' as const },
  };
  stages.set('small', await Stage.open(place, { agent: { model: 'claude-haiku-4-5' } }));
  const judged = { tools: [{ ...toolset, default_config: auto }] };
  stages.set('judged', await Stage.open(place, { agent: judged }));
  stages.set('web', whole.stage);
  stages.set(
    'mcp',
    await Stage.open(place, {
      agent: { mcp_servers: [helper], tools: [toolset, mcpTools] },
      networking: { type: 'limited', allow_mcp_servers: true },
    }),
  );
  const clients = { model: 'claude-sonnet-4-6', tools: [toolset, lookUp] };
  stages.set('clients', await Stage.open(place, { agent: clients }));
});

afterAll(async () => {
  await whole?.server.close();
  await mcp?.close();
  web?.closeAllConnections();
  web?.close();
});

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const killed = {
  what: 'all-in-one',
  kill: () => whole.server.end('SIGKILL'),
  recover: () => whole.server.start(),
  may: { cutRequests: 1 },
};

const compacted: Story = {
  name: 'a conversation that is compacted',
  turns: ['$ echo one >> f\n# usage input=170000 output=100\n$ echo two >> f\n\n$ cat f\n= Done.'],
};

describe.each(numbers(byDepth(2, 8)))('while a conversation is compacted, kill %i', (number) => {
  it('it is compacted once, and the turn goes on with the summary', async () => {
    const dice = diceOf(`compaction ${number}`);
    await prove(stages.get('small')!, {
      ...killed,
      stories: [compacted, compacted],
      async moment(cast) {
        // The third request is the one for the summary.
        const delayMs = dice.between(0, MODEL_DELAY_MS + 50);
        const when = { type: 'span.model_request_start' as const, count: 3, delayMs };
        return `while compacting, ${await after(cast, when)}`;
      },
    });
  });
});

const judged: Story = {
  name: 'calls that are judged',
  turns: ['$& echo a >> f\n$& sudo rm -rf /workspace\n\n$ cat f'],
};

describe.each(numbers(byDepth(2, 8)))('while calls are judged, kill %i', (number) => {
  it('each is judged for good once, and what is allowed runs once', async () => {
    const dice = diceOf(`judge ${number}`);
    await prove(stages.get('judged')!, {
      ...killed,
      stories: [judged, judged],
      async moment(cast) {
        const delayMs = dice.between(MODEL_DELAY_MS, 2 * MODEL_DELAY_MS);
        const when = { type: 'span.model_request_start' as const, count: 1, delayMs };
        return `while judging, ${await after(cast, when)}`;
      },
    });
  });
});

describe.each(numbers(byDepth(1, 6)))('while a page is fetched, kill %i', (number) => {
  it('it is fetched again and answers the call', async () => {
    const dice = diceOf(`web_fetch ${number}`);
    const fetched: Story = {
      name: 'a slow page',
      turns: [`@web_fetch ${JSON.stringify({ url: `${site}/news` })}\n= Read.`],
    };
    await prove(stages.get('web')!, {
      ...killed,
      stories: [fetched, fetched],
      async moment(cast) {
        const delayMs = dice.between(100, PAGE_MS - 200);
        const when = { type: 'agent.tool_use' as const, count: 1, delayMs };
        return `while fetching, ${await after(cast, when)}`;
      },
    });
  });
});

// ── Stories with answers of clients, or that a kill may change ───────────────────────────────────

async function history(stage: Stage, id: string): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for await (const event of stage.client.beta.sessions.events.list(id)) all.push(event);
  return all;
}

async function untilIdle(stage: Stage, id: string, reason: string): Promise<SessionEvent[]> {
  const isSo = async () => {
    const events = await history(stage, id);
    const isIdle = events.at(-1)?.type === 'session.status_idle';
    return isIdle && stopReasonOf(events) === reason && events;
  };
  return until(`session ${id} is idle: ${reason}`, isSo, { timeoutMs: IDLE_MS });
}

async function untilThere(stage: Stage, id: string, type: SessionEvent['type']): Promise<void> {
  const isThere = async () => (await history(stage, id)).some((event) => event.type === type);
  await until(`session ${id} has ${type}`, isThere, { timeoutMs: IDLE_MS });
}

/** Kills after a while, starts again, waits for what `then` expects, and notes a row. */
async function noted(when: string, delayMs: number, then: () => Promise<void>): Promise<void> {
  await pause(delayMs);
  const begun = performance.now();
  let isFailed = true;
  let downMs: number | null = null;
  try {
    await killed.kill();
    await killed.recover();
    downMs = performance.now() - begun;
    await then();
    isFailed = false;
  } finally {
    addRow(inject('chaos').rowsFile, {
      file: 'newer-steps.test.ts',
      what: killed.what,
      when: `${when}, ${delayMs} ms`,
      cut: 1,
      sessions: 1,
      downMs,
      recoveryMs: null,
      endMs: performance.now() - begun,
      result: isFailed ? 'FAILED' : 'every event once',
      isFailed,
    });
  }
}

/** Each event once, each call with one result. */
function expectWhole(events: readonly SessionEvent[]): void {
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  const uses = [
    ...ofType(events, 'agent.tool_use'),
    ...ofType(events, 'agent.mcp_tool_use'),
    ...ofType(events, 'agent.custom_tool_use'),
  ];
  const answered = [
    ...ofType(events, 'agent.tool_result').map((event) => event.tool_use_id),
    ...ofType(events, 'agent.mcp_tool_result').map((event) => event.mcp_tool_use_id),
    ...ofType(events, 'user.custom_tool_result').map((event) => event.custom_tool_use_id),
  ];
  expect(answered.toSorted()).toEqual(uses.map(({ id }) => id).toSorted());
}

describe.each(numbers(byDepth(1, 6)))('while a tool of an MCP server runs, kill %i', (number) => {
  const begin = async (tool: string): Promise<string> => {
    const stage = stages.get('mcp')!;
    const before = mcp.calls.get(tool) ?? 0;
    const id = await stage.newSession({
      initial_events: [message(`@${tool} {"ms":${CALL_MS}}\n$ echo after`)],
    });
    await until(`the server has the call`, () => (mcp.calls.get(tool) ?? 0) > before);
    return id;
  };

  it('the call is not made twice, and the model reads that it may have been made', async () => {
    const stage = stages.get('mcp')!;
    const before = mcp.calls.get('slow') ?? 0;
    const id = await begin('slow');
    const delayMs = diceOf(`MCP ${number}`).between(0, CALL_MS - 500);
    await noted('in a call of an MCP server', delayMs, async () => {
      const events = await untilIdle(stage, id, 'end_turn');
      expectWhole(events);
      const [result] = ofType(events, 'agent.mcp_tool_result');
      expect(result).toMatchObject({ is_error: true });
      expect(textOf(result!)).toContain('may have been made');
      expect(textOf(ofType(events, 'agent.tool_result')[0]!)).toBe('after');
      expect(mcp.calls.get('slow')).toBe(before + 1);
    });
  });

  it('one that the server calls idempotent is made again and answers', async () => {
    const stage = stages.get('mcp')!;
    const id = await begin('count');
    const before = mcp.calls.get('count')!;
    const delayMs = diceOf(`MCP count ${number}`).between(0, CALL_MS - 500);
    await noted('in an idempotent call of an MCP server', delayMs, async () => {
      const events = await untilIdle(stage, id, 'end_turn');
      expectWhole(events);
      const [result] = ofType(events, 'agent.mcp_tool_result');
      expect(result).toMatchObject({ is_error: false });
      expect(textOf(result!)).toBe(String(before + 1));
      expect(mcp.calls.get('count')).toBe(before + 1);
    });
  });
});

/** A story that a client takes part in; `disturb` is where something is killed. */
type Dialogue = (stage: Stage, disturb: Disturb) => Promise<SessionEvent[]>;
type Place = 'before the pause' | 'the raise' | 'the result';
type Disturb = (place: Place, then: () => Promise<void>) => Promise<void>;

const paused: Dialogue = async (stage, disturb) => {
  const cap = (amount: string) => ({
    type: 'limit' as const,
    max_list_cost: { amount, currency: 'USD' as const },
  });
  const text = `${SIXTY_CENTS}\n$ echo one >> f\n\n$ cat f`;
  const id = await stage.newSession({ budget: cap('50'), initial_events: [message(text)] });
  await untilThere(stage, id, 'agent.tool_use');
  await disturb('before the pause', async () => {
    await untilIdle(stage, id, 'budget_reached');
  });
  const raised = stage.client.beta.sessions.update(id, { budget: cap('500') });
  await disturb('the raise', async () => {
    await raised;
    await untilIdle(stage, id, 'end_turn');
  });
  return history(stage, id);
};

const answered: Dialogue = async (stage, disturb) => {
  const text = '@look_up {}\n$ echo after';
  const id = await stage.newSession({ initial_events: [message(text)] });
  const [call] = waitingOf(await untilIdle(stage, id, 'requires_action'));
  const events = [customResult(call!, 'found')];
  const sent = stage.client.beta.sessions.events.send(id, { events });
  await disturb('the result', async () => {
    await sent;
    await untilIdle(stage, id, 'end_turn');
  });
  return history(stage, id);
};

const DIALOGUES: [string, Dialogue, Place, number][] = [
  ['a pause for the budget is committed', paused, 'before the pause', 700],
  ['a budget is raised at its pause', paused, 'the raise', 400],
  ['the result of a custom tool arrives', answered, 'the result', 400],
];
const calm = new Map<Dialogue, Promise<SessionEvent[]>>();

describe.each(DIALOGUES)('while %s', (what, dialogue, place, windowMs) => {
  it.each(numbers(byDepth(1, 8)))('the log is the undisturbed one, kill %i', async (number) => {
    const stage = stages.get('clients')!;
    const reference = calm.get(dialogue) ?? dialogue(stage, (_, then) => then());
    calm.set(dialogue, reference);
    const wanted = plainLog(await reference);
    const delayMs = diceOf(`${what} ${number}`).between(0, windowMs);
    const events = await dialogue(stage, (at, then) =>
      at === place ? noted(`while ${what}`, delayMs, then) : then(),
    );
    expectWhole(events);
    const found = plainLog(events);
    expect(found.lines).toEqual(wanted.lines);
    expect(found.traces.cutRequests).toBeLessThanOrEqual(1);
  });
});
