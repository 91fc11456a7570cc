// What a session does when its model does not answer as it should: retried as documented, then an
// error event and idle with retries_exhausted, and the next message is accepted. docs:
// managed-agents/events-and-streaming; behaviour 6.5 and 6.8.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { closeEach } from '../helpers/close-each.ts';
import { IDLE, RESCHEDULED, RUNNING, SPAN } from '../helpers/event-orders.ts';
import {
  type ModelProxy,
  type ModelRequest,
  startModelProxy,
  userTexts,
} from '../helpers/model-proxy.ts';
import {
  ofType,
  resultsOf,
  Scene,
  stopReasonOf,
  type StreamEvent,
  textOf,
  typesOf,
} from '../helpers/scene.ts';
import { startServer, type TestServer } from '../helpers/server.ts';

const ANSWER = ['span.model_request_start', 'agent.message', 'span.model_request_end', ...IDLE];

const errorsOf = (events: readonly StreamEvent[]) =>
  ofType(events, 'session.error').map(({ error }) => ({
    type: error.type,
    retry: error.retry_status.type,
  }));

describe('a model request that fails', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(inject('server'));
  });
  afterAll(async () => {
    await scene.close();
  });

  it.each([
    ['429 with retry-after', '# fail 429 1', 'model_rate_limited_error'],
    ['529', '# fail 529 1', 'model_overloaded_error'],
    ['500', '# fail 500 1', 'model_request_failed_error'],
    ['a cut connection', '# fail 0 1', 'model_request_failed_error'],
  ])('with %s is announced, rescheduled and tried again', async (_name, failing, type) => {
    const talk = await scene.newTalk();
    const events = await talk.turn(`${failing}\n= Here I am.`);
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      ...SPAN,
      'session.error',
      ...RESCHEDULED,
      ...RUNNING,
      ...ANSWER,
    ]);
    expect(errorsOf(events)).toEqual([{ type, retry: 'retrying' }]);
    const [failed] = ofType(events, 'span.model_request_end');
    expect(failed).toMatchObject({ is_error: true });
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('in mid-stream leaves nothing of what it had said', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('= Half a sentence\n# fail 0 1\n= and the other half.');
    expect(errorsOf(events)).toEqual([{ type: 'model_request_failed_error', retry: 'retrying' }]);
    expect(ofType(events, 'agent.message')).toHaveLength(1);
    const said = textOf(...ofType(events, 'agent.message'));
    expect(said.match(/Half a sentence/g)).toHaveLength(1);
    expect(said).toContain('and the other half.');
  });

  it('with 400 is not tried again, and the session accepts the next message', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# fail 400 1\n= never said');
    expect(typesOf(events)).toEqual([
      'user.message',
      ...RUNNING,
      ...SPAN,
      'session.error',
      ...IDLE,
    ]);
    expect(errorsOf(events)).toEqual([{ type: 'model_request_failed_error', retry: 'exhausted' }]);
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(stopReasonOf(await talk.turn('= Better.'))).toBe('end_turn');
  });

  it('after a tool ran is tried again without running the tool again', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$ echo x >> f; wc -l < f\n# fail 529 1\n$ wc -l < f');
    expect(resultsOf(events)).toEqual(['1', '1']);
    expect(errorsOf(events)).toHaveLength(1);
  });

  it('can be followed by messages that wait for the next attempt', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await talk.say('# fail 529 1 2\n= One.');
    await tape.untilType('session.status_rescheduled');
    await talk.say('= Two.');
    const events = await tape.untilIdle();
    const said = textOf(...ofType(events, 'agent.message'));
    expect(said).toContain('Two.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('a refusal ends the turn with refusal and its details', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('# refuse');
    expect(stopReasonOf(events)).toBe('refusal');
    const [idle] = ofType(events, 'session.status_idle');
    expect(idle).toHaveProperty('stop_details.type', 'refusal');
    expect(stopReasonOf(await talk.turn('= Something else.'))).toBe('end_turn');
  });

  it('an answer cut by max_tokens is kept as far as it goes and ends the turn', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('= As far as this\n# max_tokens');
    expect(textOf(...ofType(events, 'agent.message'))).toContain('As far as this');
    expect(stopReasonOf(events)).toBe('end_turn');
    expect(stopReasonOf(await talk.turn('= And on.'))).toBe('end_turn');
  });
});

describe('an endpoint', () => {
  const ATTEMPTS = 3;
  let proxy: ModelProxy;
  let server: TestServer;
  let scene: Scene;
  beforeAll(async () => {
    proxy = await startModelProxy();
    server = await startServer({
      HOLDFAST_MODEL_BASE_URL: proxy.url,
      HOLDFAST_MODEL_API_KEY: 'sk-model-secret-of-the-test',
      HOLDFAST_MODEL_ATTEMPTS: String(ATTEMPTS),
    });
    scene = await Scene.open(server);
  });
  afterAll(async () => {
    await closeEach(scene, server, proxy);
  });

  const requestsWith = (marker: string): ModelRequest[] =>
    proxy.requests.filter((request) => userTexts(request)[0]?.includes(marker));

  it(`that fails ${ATTEMPTS} times exhausts the turn, and nothing waits afterwards`, async () => {
    const talk = await scene.newTalk();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      proxy.failures.push({ kind: 'status', status: 529 });
    }
    const tape = await talk.tape();
    await talk.say('MARKER-EXHAUSTED');
    await tape.untilType('session.status_rescheduled', ATTEMPTS - 1);
    const events = await tape.untilIdle();
    expect(errorsOf(events)).toEqual([
      ...Array.from({ length: ATTEMPTS - 1 }, () => ({
        type: 'model_overloaded_error',
        retry: 'retrying',
      })),
      { type: 'model_overloaded_error', retry: 'exhausted' },
    ]);
    expect(requestsWith('MARKER-EXHAUSTED')).toHaveLength(ATTEMPTS);
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(typesOf(events).slice(-3)).toEqual(IDLE);
    expect((await talk.history()).every((event) => event.processed_at != null)).toBe(true);
    expect(stopReasonOf(await talk.turn('= Back again.'))).toBe('end_turn');
  });

  it('that fails for good flushes what was queued meanwhile', async () => {
    const talk = await scene.newTalk();
    const gate = Promise.withResolvers<void>();
    proxy.failures.push({ kind: 'status', status: 400, after: gate.promise });
    const tape = await talk.tape();
    await talk.say('first');
    await tape.untilType('span.model_request_start');
    const [queued] = await talk.say('= never said');
    gate.resolve();
    const events = await tape.untilIdle();
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    const flushed = (await talk.history()).find(({ id }) => id === queued!.id);
    expect(Date.parse(flushed!.processed_at!)).not.toBeNaN();
    expect(await talk.status()).toBe('idle');
    expect(stopReasonOf(await talk.turn('= Next.'))).toBe('end_turn');
  });

  it('that is down is waited for, and the turn goes on when it is back', async () => {
    const talk = await scene.newTalk();
    const tape = await talk.tape();
    await proxy.down();
    await talk.say('= Back.');
    await tape.untilType('session.status_rescheduled');
    expect(await talk.status()).toBe('rescheduling');
    await proxy.up();
    const events = await tape.untilIdle();
    expect(textOf(...ofType(events, 'agent.message'))).toBe('Back.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('that stays down exhausts the turn', async () => {
    const talk = await scene.newTalk();
    await proxy.down();
    const events = await talk.turn('= never said');
    await proxy.up();
    expect(errorsOf(events).at(-1)).toEqual({
      type: 'model_request_failed_error',
      retry: 'exhausted',
    });
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    expect(stopReasonOf(await talk.turn('= Back.'))).toBe('end_turn');
  });

  it('whose stream is cut is asked again, and its half answer is nowhere', async () => {
    const talk = await scene.newTalk();
    proxy.failures.push({ kind: 'cut' });
    const events = await talk.turn('= Whole.');
    expect(errorsOf(events)).toEqual([{ type: 'model_request_failed_error', retry: 'retrying' }]);
    expect(textOf(...ofType(events, 'agent.message'))).toBe('Whole.');
  });

  it.each([
    [401, 'model_request_failed_error'],
    [402, 'billing_error'],
    [403, 'model_request_failed_error'],
    [404, 'model_request_failed_error'],
  ])('that answers %i is not asked again, and no secret is repeated', async (status, type) => {
    const talk = await scene.newTalk();
    const error = { type: 'api_error', message: 'bad key sk-model-secret-of-the-test' };
    proxy.failures.push({ kind: 'status', status, body: { type: 'error', error } });
    const events = await talk.turn('hello');
    expect(errorsOf(events)).toEqual([{ type, retry: 'exhausted' }]);
    expect(JSON.stringify(events)).not.toContain('sk-model-secret-of-the-test');
  });

  it('that answers what is no JSON is an error of the turn, not of the server', async () => {
    const talk = await scene.newTalk();
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      proxy.failures.push({ kind: 'status', status: 200, body: 'gibberish' });
    }
    const events = await talk.turn('hello');
    expect(errorsOf(events).at(-1)).toMatchObject({ retry: 'exhausted' });
    expect(stopReasonOf(await talk.turn('= Better.'))).toBe('end_turn');
  });

  it('gets its own thinking back, signed as it was, with the tool result', async () => {
    const talk = await scene.newTalk();
    await talk.turn('MARKER-THINKING\n# think about it\n$ echo one\n= Done.');
    const [, second] = requestsWith('MARKER-THINKING');
    const assistant = second!.messages.find(({ role }) => role === 'assistant')!;
    const blocks = assistant.content as { type: string; signature?: string }[];
    expect(blocks.map(({ type }) => type)).toEqual(['thinking', 'tool_use']);
    expect(blocks[0]!.signature).toMatch(/\S{8,}/);
  });

  it('gets it signed as it was also after the server was killed in between', async () => {
    const talk = await scene.newTalk();
    await talk.turn('MARKER-CRASH\n# think about it\n$ echo one');
    await server.end('SIGKILL');
    await server.start();
    expect(stopReasonOf(await talk.turn('= After.'))).toBe('end_turn');
    const signatures = requestsWith('MARKER-CRASH').map((request) =>
      request.messages
        .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
        .flatMap((block) => (block.type === 'thinking' ? [block.signature] : [])),
    );
    expect(signatures.at(-1)).toEqual(signatures[1]);
    expect(signatures[1]).toHaveLength(1);
  });
});
