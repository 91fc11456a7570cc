// The steps of the TypeScript story that need a client from 1.0 on: event deltas, put together by
// the client's own accumulator, and the custom tool run by the client's own session tool runner.

import assert from 'node:assert/strict';
import type Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import {
  accumulateManagedAgentsEvent,
  type AccumulatedEvent,
} from '@anthropic-ai/sdk/lib/sessions/accumulate';
import type * as Events from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { message, tell, textOf } from './telling.ts';

const WORDS = 60;
/** the session may have ended for good by then, `ms` */
const IDLE_MS = 500;

export async function tellOfDeltas(client: Anthropic, sessionId: string): Promise<void> {
  const { events } = client.beta.sessions;
  const stream = await events.stream(sessionId, {
    event_deltas: ['agent.message', 'agent.thinking'],
  });
  await events.send(sessionId, { events: [message(`# think\n# tokens ${WORDS} 10`)] });
  const started: string[] = [];
  const previews: string[] = [];
  let snapshot: AccumulatedEvent | undefined;
  for await (const event of stream) {
    if (event.type === 'event_start') started.push(event.event.type);
    snapshot = accumulateManagedAgentsEvent(snapshot, event);
    if (event.type === 'event_delta') {
      assert.equal(event.event_id, snapshot!.id);
      previews.push(textOf(snapshot!));
    }
    if (event.type === 'session.status_idle') break;
  }
  const text = textOf(snapshot!);
  tell('deltas', {
    started,
    several: previews.length > 1,
    prefixes: previews.every((preview) => preview !== '' && text.startsWith(preview)),
    words: text.trim().split(/\s+/).length,
  });
}

export async function tellOfTheRunner(
  client: Anthropic,
  sessionId: string,
  answer: string,
): Promise<void> {
  const { events } = client.beta.sessions;
  const cities: string[] = [];
  const weather = betaTool({
    name: 'get_weather',
    description: 'Tells the weather of a city.',
    inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    run: ({ city }) => {
      cities.push(city);
      return answer;
    },
  });
  await events.send(sessionId, {
    events: [message('@get_weather {"city":"Oslo"}\n@get_weather {"city":"Rome"}')],
  });
  const calls: object[] = [];
  const runner = events.toolRunner(sessionId, { tools: [weather], maxIdleMs: IDLE_MS });
  for await (const { name, posted, isError } of runner) {
    calls.push({ name, posted, is_error: isError });
  }
  const history: Events.BetaManagedAgentsSessionEvent[] = [];
  for await (const event of events.list(sessionId)) history.push(event);
  const said = history.findLast((event) => event.type === 'agent.message');
  const idle = history.findLast((event) => event.type === 'session.status_idle');
  tell('tool runner', {
    calls,
    cities,
    model_read_it: textOf(said!).includes(answer),
    stop: idle?.stop_reason.type,
  });
}
