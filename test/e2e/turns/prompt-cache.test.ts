// What the provider's prompt cache serves of each request, by the counts that the model reports:
// whatever comes between two requests of a session, the second reads all that the first held. The
// scripted model caches as documented (build-with-claude/prompt-caching) and outlives the server
// here, so that a conversation rebuilt from the log has to be the same to the byte.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeEach } from '../../helpers/close-each.ts';
import { type ModelProxy, startModelProxy } from '../../helpers/model-proxy.ts';
import { ofType, Scene, stopReasonOf, type SessionEvent, type Talk } from '../../helpers/scene.ts';
import { startServer, type TestServer } from '../../helpers/server.ts';

/** about 2,500 tokens, as an agent's instructions have */
const SYSTEM = 'You work carefully and say what you did. '.repeat(250);
const SHARE_MIN = 0.9;
/** counts are rounded up at the ends of prefixes */
const ROUNDING = 2;

let proxy: ModelProxy;
let server: TestServer;
let scene: Scene;

beforeAll(async () => {
  proxy = await startModelProxy();
  server = await startServer({ HOLDFAST_MODEL_BASE_URL: proxy.url });
  // Its window is 200,000 tokens: 160,000 are compacted.
  scene = await Scene.open(server, { agent: { model: 'claude-haiku-4-5', system: SYSTEM } });
});

afterAll(async () => {
  await closeEach(scene, server, proxy);
});

interface Served {
  /** tokens of the whole prompt, and of it those read from the cache */
  total: number;
  read: number;
}

/** Every request of a session, oldest first; one that was interrupted has reported nothing. */
async function servedOf(talk: Talk): Promise<Served[]> {
  const history: SessionEvent[] = await talk.history();
  return ofType(history, 'span.model_request_end')
    .map(({ model_usage: usage }) => ({
      read: usage.cache_read_input_tokens,
      total: usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
    }))
    .filter(({ total }) => total > 0);
}

/** Each request reads at least what the one before it held. */
function expectReread(requests: readonly Served[]): void {
  for (const [index, { read }] of requests.entries()) {
    const before = requests[index - 1]?.total ?? 0;
    expect(read, `request ${index}`).toBeGreaterThanOrEqual(before - ROUNDING);
  }
}

/** That, and from the third on more than nine tenths of itself. */
function expectServed(requests: readonly Served[]): void {
  expectReread(requests);
  for (const [index, { read, total }] of requests.entries()) {
    if (index > 1) expect(read / total, `request ${index}`).toBeGreaterThan(SHARE_MIN);
  }
}

const echoes = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `$ echo ${from + index}`);

describe('a request reads what the one before it held', () => {
  it('in a turn of 30 rounds, and in the next turn', async () => {
    const talk = await scene.newTalk();
    await talk.turn(echoes(30).join('\n'));
    await talk.turn(echoes(3).join('\n'));
    const requests = await servedOf(talk);
    expect(requests).toHaveLength(31 + 4);
    expectServed(requests);
  });

  it('after more parallel calls than a breakpoint looks back over', async () => {
    const talk = await scene.newTalk();
    const calls = Array.from({ length: 25 }, (_, index) => `$& echo ${index}`).join('\n');
    await talk.turn(`# think\n${calls}\n\n${echoes(2).join('\n')}\n\n$& echo a\n$& echo b`);
    const requests = await servedOf(talk);
    expect(requests).toHaveLength(5);
    // 25 calls and their results are a large part of the request that has them first.
    expectReread(requests);
    expectServed(requests.slice(1));
  });

  it('when messages came while the turn was running', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say([...echoes(3), '$ sleep 0.3', ...echoes(3, 3)].join('\n'));
    await tape.untilType('agent.tool_result', 2);
    await talk.say('first thing', 'second thing', '$ echo steered');
    await tape.untilIdle();
    const requests = await servedOf(talk);
    expect(requests).toHaveLength(9);
    expectServed(requests);
  });

  it('after an interrupt of a command, and of the model', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape({ event_deltas: ['agent.message'] });
    await talk.say([...echoes(3), '$ sleep 600'].join('\n'));
    await tape.untilType('agent.tool_use', 4);
    await talk.interrupt();
    await tape.untilIdle();
    await talk.say(`${echoes(2).join('\n')}\n# tokens 2000 20`);
    await tape.untilType('event_delta');
    await talk.interrupt();
    await tape.untilIdle(2);
    await talk.say(echoes(2).join('\n'));
    expect(stopReasonOf(await tape.untilIdle(3))).toBe('end_turn');
    const requests = await servedOf(talk);
    expect(requests.length).toBeGreaterThanOrEqual(8);
    expectServed(requests);
  });

  it('across a restart of the server, and its death in the middle of a turn', async () => {
    const talk = await scene.newTalk();
    await talk.turn(`# think\n${echoes(4).join('\n')}`);
    await server.end();
    await server.start();
    const tape = await talk.tape();
    await talk.say([...echoes(2), '$ sleep 1', ...echoes(3)].join('\n'));
    await tape.untilType('agent.tool_use', 3);
    await server.end('SIGKILL');
    await server.start();
    const after = await talk.tape({}, { 'last-event-id': '0' });
    expect(stopReasonOf(await after.untilIdle(2))).toBe('end_turn');
    const requests = await servedOf(talk);
    expect(requests.length).toBeGreaterThanOrEqual(12);
    expectServed(requests);
  });

  it('when all of it is to be summarised', async () => {
    const talk = await scene.newTalk();
    await talk.turn([...echoes(3), '# usage input=170000 output=100', ...echoes(3)].join('\n'));
    const history = await talk.history();
    expect(ofType(history, 'agent.thread_context_compacted')).toHaveLength(1);
    const requests = await servedOf(talk);
    // The fourth reports numbers of the script's own; behind it stands the summary's.
    const [, , third, , summary] = requests;
    expect(summary!.read).toBeGreaterThanOrEqual(third!.total - ROUNDING);
    expect(summary!.read / summary!.total).toBeGreaterThan(SHARE_MIN);
    // A new conversation from there on, behind the same instructions.
    expectServed(requests.slice(6));
  });
});
