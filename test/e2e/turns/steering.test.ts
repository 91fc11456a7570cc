// Messages sent while a turn runs: each is read by the next model call, once, in order. What the
// model read is seen in its requests. docs: managed-agents/events-and-streaming; behaviour 6.3.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeEach } from '../../helpers/close-each.ts';
import {
  type ModelProxy,
  type ModelRequest,
  startModelProxy,
  userTexts,
} from '../../helpers/model-proxy.ts';
import { docker } from '../../helpers/sandbox.ts';
import { ofType, Scene, type StreamEvent, typesOf } from '../../helpers/scene.ts';
import { startServer, type TestServer } from '../../helpers/server.ts';
import { until } from '../../helpers/until.ts';

let proxy: ModelProxy;
let server: TestServer;
let scene: Scene;

beforeAll(async () => {
  proxy = await startModelProxy();
  server = await startServer({ HOLDFAST_MODEL_BASE_URL: proxy.url });
  scene = await Scene.open(server);
});

afterAll(async () => {
  await closeEach(scene, server, proxy);
});

const ROUNDS = 20;
const MESSAGES = 12;
const program = (marker: string): string =>
  [marker, ...Array.from({ length: ROUNDS }, (_, index) => `$ sleep 0.05; echo ${index}`)].join(
    '\n',
  );

/** The requests of one conversation, found by a word of its first message. */
const requestsWith = (marker: string): ModelRequest[] =>
  proxy.requests.filter((request) => userTexts(request)[0]?.includes(marker));

describe(`${MESSAGES} messages during a turn of ${ROUNDS} rounds`, () => {
  let stream: StreamEvent[];
  let requests: ModelRequest[];
  /** for each message: how many model requests had begun when its send was answered */
  const begunBefore: number[] = [];
  const steered = Array.from({ length: MESSAGES }, (_, index) => `steering message ${index}`);
  let history: StreamEvent[];

  beforeAll(async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say(program('MARKER-STEER'));
    for (const [index, text] of steered.entries()) {
      await tape.untilType('agent.tool_result', index + 1);
      await talk.say(text);
      begunBefore.push(requestsWith('MARKER-STEER').length);
    }
    stream = await tape.untilIdle();
    requests = requestsWith('MARKER-STEER');
    history = (await talk.history()) as StreamEvent[];
  });

  it('are each in the log once, in the order they were sent', () => {
    for (const events of [stream, history]) {
      const texts = ofType(events, 'user.message').map(({ content }) =>
        content.map((block) => ('text' in block ? block.text : '')).join(''),
      );
      expect(texts.slice(1)).toEqual(steered);
    }
  });

  it('make no turn of their own', () => {
    expect(ofType(stream, 'session.status_running')).toHaveLength(1);
    expect(ofType(stream, 'session.status_idle')).toHaveLength(1);
    expect(ofType(stream, 'agent.tool_use')).toHaveLength(ROUNDS);
  });

  it('reach the model in order, each once', () => {
    const last = userTexts(requests.at(-1)!);
    expect(last.filter((text) => text.startsWith('steering message'))).toEqual(steered);
  });

  it('none waits past the next model call', () => {
    for (const [index, text] of steered.entries()) {
      const first = requests.findIndex((request) => userTexts(request).includes(text));
      // The request that had begun by then may or may not have it; the one after it does.
      expect(first).toBeGreaterThan(-1);
      expect(first).toBeLessThanOrEqual(begunBefore[index]!);
    }
  });

  it('stand in the history after the tool results that they waited for', () => {
    const pending = new Set<string>();
    for (const event of history) {
      if (event.type === 'agent.tool_use') pending.add(event.id);
      if (event.type === 'agent.tool_result') pending.delete(event.tool_use_id);
      if (event.type === 'user.message') expect([...pending]).toEqual([]);
    }
    const times = history.map((event) =>
      Date.parse((event as { processed_at: string }).processed_at),
    );
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  });

  it('leave every earlier message of each request as it was: the prompt cache holds', () => {
    const withoutMarks = (request: ModelRequest) =>
      JSON.parse(
        JSON.stringify(request.messages, (key, value: unknown) =>
          key === 'cache_control' ? undefined : value,
        ),
      ) as ModelRequest['messages'];
    for (const [index, request] of requests.slice(1).entries()) {
      const before = withoutMarks(requests[index]!);
      expect(withoutMarks(request).slice(0, before.length)).toEqual(before);
    }
  });
});

describe('a message', () => {
  it('while a command runs lands right after its result', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('MARKER-COMMAND\n$ until [ -e /workspace/go ]; do sleep 0.05; done; echo went');
    await tape.untilType('agent.tool_use');
    await talk.say('= I was steered.');
    // The command waits for a file that only another process can make.
    await until('the file is there', () =>
      docker('exec', `holdfast-${talk.id}`, 'touch', '/workspace/go').then(
        () => true,
        () => false,
      ),
    );
    const events = await tape.untilIdle();
    expect(ofType(events, 'span.model_request_start')).toHaveLength(2);
    const last = requestsWith('MARKER-COMMAND').at(-1)!.messages.at(-1)!;
    const blocks = last.content as { type: string; text?: string }[];
    expect(blocks.map(({ type }) => type)).toEqual(['tool_result', 'text']);
    expect(blocks[1]!.text).toBe('= I was steered.');
  });

  it('while the model streams is answered in the same turn, by one more call', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape({ event_deltas: ['agent.message'] });
    await talk.say('MARKER-STREAM\n# tokens 60 10');
    await tape.untilType('event_delta');
    await talk.say('= I was steered.');
    const events = await tape.untilIdle();
    expect(ofType(events, 'agent.message')).toHaveLength(2);
    expect(ofType(events, 'session.status_running')).toHaveLength(1);
    expect(requestsWith('MARKER-STREAM')).toHaveLength(2);
  });

  it('sent the moment the turn ends is answered, in this turn or the next', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    const repeats = 15;
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      const answered = () => typesOf(tape.events).filter((type) => type === 'agent.message').length;
      const before = answered();
      await talk.say(`= first ${repeat}`);
      await tape.until('the model has begun', () => answered() > before);
      await talk.say(`= second ${repeat}`);
      await tape.until('both were answered', () => answered() === before + 2);
    }
    await tape.until('the session is idle', (all) => all.at(-1)?.type === 'session.status_idle');
    expect(ofType(tape.events, 'session.status_running').length).toBe(
      ofType(tape.events, 'session.status_idle').length,
    );
  });
});
