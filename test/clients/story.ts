// The story of an application, told by the official TypeScript client to the server that
// ANTHROPIC_BASE_URL names: `node story.ts <package>`. The client is made without an argument.
// Prints one JSON line a step, as story.py and go/main.go do; whatever is not as documented throws.

import assert from 'node:assert/strict';
import type Anthropic from '@anthropic-ai/sdk';
import type * as NewEvents from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type Anthropic086 from 'anthropic-sdk-0-86';
import type * as OldEvents from 'anthropic-sdk-0-86/resources/beta/sessions/events';
import { message, tell, textOf } from './telling.ts';

type Client = Anthropic | Anthropic086;
type StreamEvent =
  | NewEvents.BetaManagedAgentsStreamSessionEvents
  | OldEvents.BetaManagedAgentsStreamSessionEvents;
/** what both generations can send */
type Sent = OldEvents.BetaManagedAgentsEventParams;

const MODEL = 'claude-sonnet-5-5';
const WEATHER = 'It rains.';

const PACKAGES = {
  '@anthropic-ai/sdk': async () => ({
    ...(await import('@anthropic-ai/sdk')),
    ...(await import('@anthropic-ai/sdk/version')),
  }),
  'anthropic-sdk-0-86': async () => ({
    ...(await import('anthropic-sdk-0-86')),
    ...(await import('anthropic-sdk-0-86/version')),
  }),
};

/** One session and its open stream, which is read as far as the story needs it. */
class Talk {
  readonly seen: StreamEvent[] = [];
  readonly #client: Client;
  readonly #id: string;
  readonly #events: AsyncIterator<StreamEvent>;

  constructor(client: Client, id: string, stream: AsyncIterable<StreamEvent>) {
    this.#client = client;
    this.#id = id;
    this.#events = stream[Symbol.asyncIterator]();
  }

  async send(...events: Sent[]): Promise<void> {
    const { data } = await this.#client.beta.sessions.events.send(this.#id, { events });
    assert.deepEqual(
      data?.map(({ type }) => type),
      events.map(({ type }) => type),
    );
  }

  async status(): Promise<string> {
    return (await this.#client.beta.sessions.retrieve(this.#id)).status;
  }

  /** What the stream carries up to the next event of this type. */
  async until(type: StreamEvent['type']): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    for (;;) {
      const { value, done } = await this.#events.next();
      assert(!done, `the stream ended before ${type}`);
      events.push(value);
      this.seen.push(value);
      if (value.type === type) return events;
    }
  }

  /** Whether the stream is over, all of it having been read. */
  async isOver(): Promise<boolean> {
    return (await this.#events.next()).done === true;
  }
}

function only<T extends StreamEvent['type']>(events: readonly StreamEvent[], type: T) {
  return events.filter((event): event is Extract<StreamEvent, { type: T }> => event.type === type);
}

/** Why the turn ended, and for which calls it waits. */
function idleOf(events: readonly StreamEvent[]): { stop: string; waiting: string[] } {
  const reason = only(events, 'session.status_idle').at(-1)!.stop_reason;
  return {
    stop: reason.type,
    waiting: reason.type === 'requires_action' ? reason.event_ids : [],
  };
}

async function create(client: Client, version: string) {
  const agent = await client.beta.agents.create({
    name: `told by ${version}`,
    model: MODEL,
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'bash', permission_policy: { type: 'always_ask' } }],
      },
      {
        type: 'custom',
        name: 'get_weather',
        description: 'Tells the weather of a city.',
        input_schema: { type: 'object', properties: { city: { type: 'string' } } },
      },
    ],
  });
  const environment = await client.beta.environments.create({
    name: `for ${agent.id}`,
    config: { type: 'cloud', networking: { type: 'limited' } },
  });
  const session = await client.beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    title: 'A story',
  });
  const toolset = agent.tools.find((tool) => tool.type === 'agent_toolset_20260401');
  tell('created', {
    version: agent.version,
    tools: agent.tools.map(({ type }) => type),
    bash: toolset?.configs.find(({ name }) => name === 'bash')?.permission_policy.type,
    environment: environment.config.type,
    status: session.status,
  });
  return { agentId: agent.id, environmentId: environment.id, sessionId: session.id };
}

async function tellOfATurn(talk: Talk): Promise<void> {
  await talk.send(message('= Hello.'));
  const events = await talk.until('session.status_idle');
  const [said] = only(events, 'agent.message');
  tell('turn', {
    types: events.map(({ type }) => type),
    text: textOf(said!),
    stop: idleOf(events).stop,
  });
}

async function tellOfConfirmations(talk: Talk): Promise<void> {
  await talk.send(message('$& echo allowed\n$& echo denied'));
  const asked = await talk.until('session.status_idle');
  const [first, second] = only(asked, 'agent.tool_use');
  assert.deepEqual(idleOf(asked).waiting, [first!.id, second!.id]);
  tell('asked', {
    permissions: [first!.evaluated_permission, second!.evaluated_permission],
    stop: idleOf(asked).stop,
  });
  await talk.send({ type: 'user.tool_confirmation', tool_use_id: first!.id, result: 'allow' });
  const rest = await talk.until('session.status_idle');
  assert.deepEqual(idleOf(rest).waiting, [second!.id]);
  tell('one allowed', { types: rest.map(({ type }) => type), stop: idleOf(rest).stop });
  await talk.send({
    type: 'user.tool_confirmation',
    tool_use_id: second!.id,
    result: 'deny',
    deny_message: 'Not on a Friday.',
  });
  const events = await talk.until('session.status_idle');
  const results = only(events, 'agent.tool_result');
  const allowed = results.find((result) => result.tool_use_id === first!.id)!;
  const denied = results.find((result) => result.tool_use_id === second!.id)!;
  tell('one denied', {
    results: results.length,
    allowed: textOf(allowed).trim(),
    allowed_is_error: allowed.is_error,
    denied_says_why: textOf(denied).includes('Not on a Friday.'),
    denied_is_error: denied.is_error,
    stop: idleOf(events).stop,
  });
}

async function tellOfACustomTool(talk: Talk): Promise<void> {
  await talk.send(message('@get_weather {"city":"Paris"}'));
  const asked = await talk.until('session.status_idle');
  const [call] = only(asked, 'agent.custom_tool_use');
  assert.deepEqual(idleOf(asked).waiting, [call!.id]);
  await talk.send({
    type: 'user.custom_tool_result',
    custom_tool_use_id: call!.id,
    content: [{ type: 'text', text: WEATHER }],
  });
  const events = await talk.until('session.status_idle');
  tell('custom tool', {
    name: call!.name,
    input: call!.input,
    model_read_it: textOf(only(events, 'agent.message').at(-1)!).includes(WEATHER),
    stop: idleOf(events).stop,
  });
}

async function tellOfAnInterrupt(talk: Talk): Promise<void> {
  await talk.send(message('$ sleep 600'));
  const [call] = idleOf(await talk.until('session.status_idle')).waiting;
  await talk.send({ type: 'user.tool_confirmation', tool_use_id: call!, result: 'allow' });
  await talk.until('session.status_running');
  const before = await talk.status();
  await talk.send({ type: 'user.interrupt' });
  const events = await talk.until('session.status_idle');
  const [result] = only(events, 'agent.tool_result');
  assert.equal(result!.tool_use_id, call);
  await talk.send(message('= Something else.'));
  const next = await talk.until('session.status_idle');
  tell('interrupted', {
    before,
    is_error: result!.is_error,
    echoed: only(events, 'user.interrupt').length,
    stop: idleOf(events).stop,
    next: textOf(only(next, 'agent.message').at(-1)!),
  });
}

/** Every item of a list that is read page by page, and over how many pages. */
async function readPages<T>(first: AsyncPage<T>): Promise<{ items: T[]; pages: number }> {
  const items: T[] = [];
  let pages = 0;
  for await (const page of first.iterPages()) {
    pages += 1;
    items.push(...page.getPaginatedItems());
  }
  return { items, pages };
}

interface AsyncPage<T> extends AsyncIterable<T> {
  iterPages(): AsyncIterable<{ getPaginatedItems(): T[] }>;
}

async function tellOfPages(client: Client, agentId: string, told: Talk, id: string) {
  const { beta } = client;
  const agents: string[] = [];
  for await (const agent of beta.agents.list({ limit: 1 })) agents.push(agent.id);
  const query = { agent_id: agentId, limit: 1 };
  const sessions = await readPages<{ id: string }>(await beta.sessions.list(query));
  const history: string[] = [];
  for await (const event of beta.sessions.events.list(id, { limit: 1000 })) history.push(event.id);
  const small = await readPages<{ id: string }>(await beta.sessions.events.list(id, { limit: 7 }));
  const first = await beta.sessions.list(query);
  const second = await first.getNextPage();
  let back: boolean | undefined;
  if ('prev_page' in second) {
    const again = await beta.sessions.list({ ...query, page: second.prev_page });
    back = again.data[0]!.id === first.data[0]!.id && second.data[0]!.id !== first.data[0]!.id;
  }
  tell('pages', {
    agent_found: agents.filter((each) => each === agentId).length,
    sessions: new Set(sessions.items.map((session) => session.id)).size,
    session_pages: sessions.pages,
    events_agree: small.items.map((event) => event.id).join() === history.join(),
    events_over_pages: small.pages === Math.ceil(history.length / 7),
    all_was_streamed: history.toSorted().join() === idsOf(told).toSorted().join(),
    ...(back !== undefined && { and_back: back }),
  });
}

const idsOf = (talk: Talk): string[] => talk.seen.map((event) => ('id' in event ? event.id : ''));

async function tellOfTheEnd(
  client: Client,
  ids: { agentId: string; environmentId: string; sessionId: string },
  talk: Talk,
  other: string,
): Promise<void> {
  const { beta } = client;
  const archived = await beta.sessions.archive(other);
  const deleted = await beta.sessions.delete(ids.sessionId);
  await talk.until('session.deleted');
  const streamEnded = await talk.isOver();
  const missing = await beta.sessions.retrieve(ids.sessionId).then(
    () => ({ status: 200, error: null }),
    (error: { status: number; error: { error: { type: string } } }) => error,
  );
  const closed = await beta.environments.archive(ids.environmentId);
  const agent = await beta.agents.archive(ids.agentId);
  tell('ended', {
    archived: archived.status,
    deleted: deleted.type,
    stream_ended: streamEnded,
    retrieved: missing.status,
    error: missing.error?.error.type,
    environment_archived: closed.archived_at !== null,
    environment_deleted: (await beta.environments.delete(ids.environmentId)).type,
    agent_archived: agent.archived_at !== null,
  });
}

async function main(name: string): Promise<void> {
  assert(name in PACKAGES, `no package ${name}`);
  const { Anthropic: Client, VERSION } = await PACKAGES[name as keyof typeof PACKAGES]();
  const client: Client = new Client();
  tell('client', { version: VERSION });
  const ids = await create(client, `${name} ${VERSION}`);
  const session = { agent: ids.agentId, environment_id: ids.environmentId };
  const stream = await client.beta.sessions.events.stream(ids.sessionId);
  const talk = new Talk(client, ids.sessionId, stream);
  await tellOfATurn(talk);
  await tellOfConfirmations(talk);
  await tellOfACustomTool(talk);
  await tellOfAnInterrupt(talk);
  const { id: other } = await client.beta.sessions.create(session);
  await client.beta.sessions.create(session);
  await tellOfPages(client, ids.agentId, talk, ids.sessionId);
  if ('toolRunner' in client.beta.sessions.events) {
    const { tellOfDeltas, tellOfTheRunner } = await import('./newer-steps.ts');
    await tellOfDeltas(client as Anthropic, other);
    await tellOfTheRunner(client as Anthropic, other, WEATHER);
  }
  await tellOfTheEnd(client, ids, talk, other);
}

if (import.meta.main) await main(process.argv[2] ?? '');
