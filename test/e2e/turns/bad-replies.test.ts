// Replies that no later request may hold as they came, and endpoints that answer no reply at all: a
// call id given twice, half a tool input, thinking and nothing else, a model that is not there. The
// turn ends as documented and the conversation goes on; the scripted model checks every request as
// strictly as upstream. docs: managed-agents/events-and-streaming; behaviour 6.5 and 6.8.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { thinkingSignature } from '../../../scripted-model/blocks.ts';
import { closeEach } from '../../helpers/close-each.ts';
import { IDLE, RESCHEDULED, RUNNING, SPAN } from '../../helpers/event-orders.ts';
import {
  type ModelBlock,
  type ModelProxy,
  type ModelRequest,
  startModelProxy,
  userTexts,
} from '../../helpers/model-proxy.ts';
import type { RawBlock } from '../../helpers/raw-reply.ts';
import {
  MODEL,
  ofType,
  previewsIn,
  resultsOf,
  Scene,
  stopReasonOf,
  type StreamEvent,
  textOf,
  typesOf,
} from '../../helpers/scene.ts';
import { startServer, type TestServer } from '../../helpers/server.ts';

const MODEL_KEY = 'sk-model-secret-of-the-test';
/** Long for a scripted model on a busy machine, short for a test. `ms` */
const SILENCE_MS = 4_000;

let proxy: ModelProxy;
let server: TestServer;
let scene: Scene;
beforeAll(async () => {
  proxy = await startModelProxy();
  server = await startServer({
    HOLDFAST_MODEL_BASE_URL: proxy.url,
    HOLDFAST_MODEL_API_KEY: MODEL_KEY,
    HOLDFAST_MODEL_ATTEMPTS: '2',
    HOLDFAST_MODEL_SILENCE_MS: String(SILENCE_MS),
  });
  scene = await Scene.open(server, {
    agent: {
      tools: [
        { type: 'agent_toolset_20260401' },
        {
          type: 'custom',
          name: 'ask_me',
          description: 'Asks.',
          input_schema: { type: 'object', properties: {} },
        },
      ],
    },
  });
});
afterAll(async () => {
  await closeEach(scene, server, proxy);
});

/** Turn whose first replies are these; the scripted model, which checks all, answers the rest. */
async function turnOf(
  marker: string,
  ...replies: { blocks: RawBlock[]; stopReason?: string }[]
): Promise<{ events: StreamEvent[]; requests: ModelRequest[] }> {
  const talk = await scene.newTalk();
  const tape = await talk.tape({ event_deltas: ['agent.message', 'agent.thinking'] });
  for (const reply of replies) proxy.failures.push({ kind: 'reply', ...reply });
  await talk.say(marker);
  const events = await tape.untilIdle();
  await talk.say('= Still here.');
  const next = (await tape.untilIdle(2)).slice(events.length);
  expect(ofType(next, 'session.error')).toEqual([]);
  expect(textOf(...ofType(next, 'agent.message'))).toContain('Still here.');
  const requests = proxy.requests.filter((each) => userTexts(each)[0]?.includes(marker));
  return { events, requests };
}

const assistantIn = ({ messages }: ModelRequest): ModelBlock[] =>
  messages.flatMap(({ role, content }) =>
    role === 'assistant' && typeof content !== 'string' ? content : [],
  );
const bash = (id: string, command: string): RawBlock => ({
  type: 'tool_use',
  id,
  name: 'bash',
  json: JSON.stringify({ command }),
});
const text = (...deltas: string[]): RawBlock => ({ type: 'text', deltas });
const thinking = (said: string): RawBlock => ({
  type: 'thinking',
  thinking: said,
  signature: thinkingSignature(said),
});

describe('a reply with', () => {
  it('ids that earlier replies had runs every call once', async () => {
    const { events, requests } = await turnOf(
      'MARKER-IDS',
      { blocks: [bash('call_0', 'echo one')] },
      { blocks: [bash('call_0', 'echo two'), bash('call_0', 'echo three')] },
      { blocks: [bash('', 'echo four'), bash('a b:c', 'echo five')] },
    );
    expect(resultsOf(events).toSorted()).toEqual(['five', 'four', 'one', 'three', 'two']);
    const ids = assistantIn(requests.at(-1)!).flatMap(({ type, id }) =>
      type === 'tool_use' ? [id as string] : [],
    );
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/);
  });

  it.each([
    ['a list', 'bash', '["ls"]'],
    ['a text', 'bash', '"ls"'],
    ['null', 'ask_me', 'null'],
    ['cut in the middle', 'bash', '{"command": "echo half > half", "restart": fal'],
  ])('a tool input that is %s answers the call with an error', async (_name, name, json) => {
    const { events, requests } = await turnOf(`MARKER-INPUT ${json}`, {
      blocks: [{ type: 'tool_use', id: 'toolu_1', name, json }],
    });
    const isCustom = name === 'ask_me';
    const use = isCustom ? 'agent.custom_tool_use' : 'agent.tool_use';
    const result = isCustom ? 'user.custom_tool_result' : 'agent.tool_result';
    expect(ofType(events, use)).toMatchObject([{ input: {} }]);
    expect(ofType(events, result)).toMatchObject([{ is_error: true }]);
    expect(textOf(ofType(events, result)[0] as never)).toContain('JSON object');
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(assistantIn(requests.at(-1)!)[0]).toMatchObject({ type: 'tool_use', input: {} });
  });

  it.each(['no such tool', 'functions.bash', '', 'ünïcode', 'x'.repeat(200), 'a\0b'])(
    'a tool name that no request may hold (%j) is answered and goes on',
    async (name) => {
      const { events, requests } = await turnOf(
        `MARKER-NAME ${name.slice(0, 9).replace('\0', '')}`,
        {
          blocks: [{ type: 'tool_use', id: 'toolu_1', name, json: '{}' }],
        },
      );
      expect(ofType(events, 'agent.tool_use')).toHaveLength(1);
      expect(ofType(events, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
      expect(stopReasonOf(events)).toBe('end_turn');
      const [use] = assistantIn(requests.at(-1)!);
      expect(use!['name']).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
    },
  );

  it('blank texts among others says the others, and previews are of the same', async () => {
    const { events, requests } = await turnOf('MARKER-BLANK', {
      stopReason: 'end_turn',
      blocks: [
        text(' ', '\n'),
        { type: 'redacted_thinking', data: 'c2VjcmV0' },
        text('  \n', ' Hello', ' you.'),
        text('\t'),
        text('\n\n', 'And more.'),
        text(''),
      ],
    });
    const [message] = ofType(events, 'agent.message');
    expect(message!.content).toEqual([
      { type: 'text', text: '  \n Hello you.' },
      { type: 'text', text: '\n\nAnd more.' },
    ]);
    const shown = previewsIn(events);
    expect([...shown.keys()]).toEqual([
      ...ofType(events, 'agent.thinking').map(({ id }) => id),
      message!.id,
    ]);
    expect(shown.get(message!.id)!.content).toEqual(message!.content);
    expect(assistantIn(requests.at(-1)!).map(({ type }) => type)).toEqual([
      'redacted_thinking',
      'text',
      'text',
    ]);
  });

  it.each(['max_tokens', 'end_turn', 'pause_turn'])(
    'thinking alone (%s) is shown and not sent back',
    async (stopReason) => {
      const { events, requests } = await turnOf(`MARKER-THINKING ${stopReason}`, {
        stopReason,
        blocks: [thinking('On second thoughts'), { type: 'redacted_thinking', data: 'c2VjcmV0' }],
      });
      expect(ofType(events, 'agent.thinking')).toHaveLength(2);
      expect([...previewsIn(events).keys()]).toEqual(
        ofType(events, 'agent.thinking').map(({ id }) => id),
      );
      expect(stopReasonOf(events)).toBe('end_turn');
      expect(assistantIn(requests.at(-1)!)).toEqual([]);
    },
  );

  it('thinking before calls gets all of it back as it was, redacted or not', async () => {
    const before = [thinking('First.'), { type: 'redacted_thinking', data: 'c2VjcmV0' } as const];
    const { requests } = await turnOf('MARKER-SIGNED', {
      blocks: [...before, bash('toolu_1', 'echo one')],
    });
    expect(assistantIn(requests.at(-1)!).slice(0, 2)).toEqual(before);
  });

  it('a call cut by max_tokens makes none of it', async () => {
    const { events, requests } = await turnOf('MARKER-CUT', {
      stopReason: 'max_tokens',
      blocks: [
        thinking('I shall write.'),
        { type: 'tool_use', id: 'toolu_1', name: 'bash', json: '{"command": "touch' },
      ],
    });
    expect(typesOf(events).filter((type) => type !== 'event_start')).toEqual([
      'user.message',
      ...RUNNING,
      'span.model_request_start',
      'agent.thinking',
      'span.model_request_end',
      ...IDLE,
    ]);
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(assistantIn(requests.at(-1)!)).toEqual([]);
  });

  it('pause_turn and no tool of the provider in it is the end of the turn', async () => {
    const { events } = await turnOf('MARKER-PAUSE', {
      stopReason: 'pause_turn',
      blocks: [text('A moment.')],
    });
    expect(textOf(...ofType(events, 'agent.message'))).toBe('A moment.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });
});

describe('an endpoint that', () => {
  const errorsOf = (events: readonly StreamEvent[]) =>
    ofType(events, 'session.error').map(({ error }) => error);
  const failWith = (status: number, type: string, message: string) =>
    proxy.failures.push({
      kind: 'status',
      status,
      body: { type: 'error', error: { type, message } },
    });

  it('does not know the model is not asked again, and the error says what to do', async () => {
    const talk = await scene.newTalk();
    failWith(404, 'not_found_error', `model: ${MODEL}`);
    const events = await talk.turn('hello');
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      ...SPAN,
      'session.error',
      ...IDLE,
    ]);
    const [error] = errorsOf(events);
    expect(error).toMatchObject({
      type: 'model_request_failed_error',
      retry_status: { type: 'exhausted' },
    });
    expect(error!.message).toContain(`has no model ${MODEL}`);
    expect(error!.message).toContain('give the agent another model');
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(stopReasonOf(await talk.turn('= Found.'))).toBe('end_turn');
  });

  it('refuses the key is told of in words of ours, since its own may quote the key', async () => {
    const talk = await scene.newTalk();
    failWith(401, 'authentication_error', 'invalid x-api-key sk-model-sec*** of the test');
    const events = await talk.turn('hello');
    const [error] = errorsOf(events);
    expect(error!.message).toContain("refuses this server's key");
    expect(error!.message).not.toContain('sk-model');
    expect(error!.retry_status.type).toBe('exhausted');
    expect(server.lines().join('\n')).not.toContain('sk-model');
  });

  it('takes no request so large gets a smaller one: the conversation is compacted', async () => {
    const talk = await scene.newTalk();
    await talk.turn('$ echo one');
    proxy.failures.push({ kind: 'status', status: 413, body: '<html>too large</html>' });
    const events = await talk.turn('$ echo two');
    expect(ofType(events, 'agent.thread_context_compacted')).toHaveLength(1);
    expect(resultsOf(events)).toEqual(['two']);
    expect(errorsOf(events)).toEqual([]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('takes not even the summary ends the turn, and the next message starts anew', async () => {
    const talk = await scene.newTalk();
    for (let times = 0; times < 3; times += 1) {
      proxy.failures.push({ kind: 'status', status: 413 });
    }
    const events = await talk.turn(`= never said ${'x'.repeat(10_000)}`);
    expect(errorsOf(events)).toMatchObject([
      { type: 'model_request_failed_error', retry_status: { type: 'exhausted' } },
    ]);
    expect(errorsOf(events)[0]!.message).toContain('not even shortened');
    expect(proxy.failures).toEqual([]);
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(stopReasonOf(await talk.turn('= Short.'))).toBe('end_turn');
  });

  it('is overloaded for good ends the turn in order, and what waited is read', async () => {
    const talk = await scene.newTalk();
    const gate = Promise.withResolvers<void>();
    proxy.failures.push({ kind: 'status', status: 529 });
    proxy.failures.push({ kind: 'status', status: 529, after: gate.promise });
    const tape = await talk.tape();
    await talk.say('first');
    await tape.untilType('span.model_request_start', 2);
    const [queued] = await talk.say('= never said');
    gate.resolve();
    const events = await tape.untilIdle();
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      ...SPAN,
      'session.error',
      ...RESCHEDULED,
      ...RUNNING,
      'span.model_request_start',
      'user.message',
      'span.model_request_end',
      'session.error',
      ...IDLE,
    ]);
    expect(errorsOf(events).map(({ type, retry_status: retry }) => [type, retry.type])).toEqual([
      ['model_overloaded_error', 'retrying'],
      ['model_overloaded_error', 'exhausted'],
    ]);
    const flushed = (await talk.history()).find(({ id }) => id === queued!.id);
    expect(Date.parse(flushed!.processed_at!)).not.toBeNaN();
    const next = await talk.turn('= Anew.');
    expect(ofType(next, 'session.status_running')).toHaveLength(1);
    expect(textOf(...ofType(next, 'agent.message'))).toContain('Anew.');
  });

  it('says nothing, or nothing more, is asked again and then given up', async () => {
    const talk = await scene.newTalk();
    const never = new Promise<never>(() => {});
    proxy.failures.push({ kind: 'status', status: 200, after: never });
    const tape = await talk.tape({ event_deltas: ['agent.message'] });
    await talk.say('= Half\n# stall 60000\n= never said');
    const events = await tape.untilIdle();
    expect(
      errorsOf(events).map(({ message, retry_status: retry }) => [message, retry.type]),
    ).toEqual(
      ['retrying', 'exhausted'].map((retry) => [
        `the model endpoint said nothing for ${SILENCE_MS / 1000} seconds`,
        retry,
      ]),
    );
    expect([...previewsIn(events).values()].map((shown) => textOf(shown))).toEqual(['Half']);
    expect(typesOf(events)).not.toContain('agent.message');
    expect(stopReasonOf(events)).toBe('retries_exhausted');
  });

  it('streams garbage is not quoted in the log of the server', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# garbage');
    expect(errorsOf(events).map(({ retry_status: retry }) => retry.type)).toEqual([
      'retrying',
      'exhausted',
    ]);
    const unread = server.lines().filter((line) => !line.startsWith('{'));
    expect(unread.join('\n')).not.toMatch(/parse|chunk|event:/i);
  });
});
