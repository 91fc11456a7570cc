// Sessions as an application has them: through the official client, every answer and event held
// against the SDK's types on the way. A Scene is an agent and an environment with the sessions that
// a test file makes; a Talk is one session; a Tape is one open stream and what it has carried.

import Anthropic from '@anthropic-ai/sdk';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import type { BetaCloudConfigParams } from '@anthropic-ai/sdk/resources/beta/environments';
import type { SessionCreateParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type {
  BetaManagedAgentsSessionEvent,
  BetaManagedAgentsStreamSessionEvents,
  EventListParams,
  EventSendParams,
  EventStreamParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import {
  type AccumulatedEvent,
  accumulateManagedAgentsEvent,
} from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { conformingFetch } from './conformance.ts';
import { docker } from './sandbox.ts';
import type { ServerFacts } from './server.ts';
import { until } from './until.ts';

export type SessionEvent = BetaManagedAgentsSessionEvent;
export type StreamEvent = BetaManagedAgentsStreamSessionEvents;

export const MODEL = 'claude-sonnet-5-5';

/** longest wait for something that a stream is to carry; reaching it fails the test */
const TAPE_MS = 60_000;

/** The official client as an application makes it, without retries that would hide a failure. */
export function newClient(server: { url: string; apiKey: string }): Anthropic {
  return new Anthropic({
    baseURL: server.url,
    apiKey: server.apiKey,
    fetch: conformingFetch,
    maxRetries: 0,
  });
}

export interface SceneOptions {
  agent?: Partial<AgentCreateParams>;
  networking?: BetaCloudConfigParams['networking'];
}

export class Scene {
  readonly client: Anthropic;
  readonly agentId: string;
  readonly environmentId: string;
  readonly #talks: Talk[] = [];

  private constructor(client: Anthropic, ids: { agentId: string; environmentId: string }) {
    this.client = client;
    this.agentId = ids.agentId;
    this.environmentId = ids.environmentId;
  }

  /** An agent with the default toolset and an environment without network, both new. */
  static async open(server: ServerFacts, options: SceneOptions = {}): Promise<Scene> {
    const client = newClient(server);
    const agent = await client.beta.agents.create({
      name: 'an agent',
      model: MODEL,
      tools: [{ type: 'agent_toolset_20260401' }],
      ...options.agent,
    });
    const environment = await client.beta.environments.create({
      name: `for ${agent.id}`,
      config: { type: 'cloud', networking: options.networking ?? { type: 'limited' } },
    });
    return new Scene(client, { agentId: agent.id, environmentId: environment.id });
  }

  async newTalk(fields: Partial<SessionCreateParams> = {}): Promise<Talk> {
    const session = await this.client.beta.sessions.create({
      agent: this.agentId,
      environment_id: this.environmentId,
      ...fields,
    });
    const talk = new Talk(this.client, session.id);
    this.#talks.push(talk);
    return talk;
  }

  /** Ends and deletes every session of the scene; throws if one leaves its container behind. */
  async close(): Promise<void> {
    await Promise.all(this.#talks.map((talk) => talk.end()));
    const names = new Set(this.#talks.map(({ id }) => `holdfast-${id}`));
    await until('no container is left', async () => {
      const left = await docker('ps', '-a', '--format', '{{.Names}}');
      return !left.split('\n').some((name) => names.has(name));
    });
  }
}

export class Talk {
  readonly client: Anthropic;
  readonly id: string;
  readonly #tapes: Tape[] = [];

  constructor(client: Anthropic, id: string) {
    this.client = client;
    this.id = id;
  }

  /** Sends each text as a message of its own, in one request. */
  async say(...texts: string[]): Promise<SessionEvent[]> {
    const events = texts.map((text) => message(text));
    return (await this.client.beta.sessions.events.send(this.id, { events })).data ?? [];
  }

  /** Sends events as they are, in one request. */
  async send(...events: EventSendParams['events']): Promise<SessionEvent[]> {
    return (await this.client.beta.sessions.events.send(this.id, { events })).data ?? [];
  }

  async interrupt(): Promise<void> {
    const events = [{ type: 'user.interrupt' as const }];
    await this.client.beta.sessions.events.send(this.id, { events });
  }

  /** Opens a stream and begins to read it. */
  async tape(params: EventStreamParams = {}, headers: Record<string, string> = {}): Promise<Tape> {
    const stream = await this.client.beta.sessions.events.stream(this.id, params, { headers });
    const tape = new Tape(stream);
    this.#tapes.push(tape);
    return tape;
  }

  /** Sends the messages and returns what an open stream carries until the session is idle. */
  async turn(...texts: string[]): Promise<StreamEvent[]> {
    const tape = this.#tapes.findLast(({ isOpen }) => isOpen) ?? (await this.tape());
    const seen = tape.events.length;
    await this.say(...texts);
    const events = await tape.until('the turn was over', (all) =>
      all.slice(seen).some(({ type }) => type === 'session.status_idle'),
    );
    return events.slice(seen);
  }

  /** The whole history, oldest first, over as many pages as it takes. */
  async history(params: EventListParams = {}): Promise<SessionEvent[]> {
    const all: SessionEvent[] = [];
    for await (const event of this.client.beta.sessions.events.list(this.id, params)) {
      all.push(event);
    }
    return all;
  }

  async status(): Promise<string> {
    return (await this.client.beta.sessions.retrieve(this.id)).status;
  }

  /** Interrupts what runs and deletes the session; does nothing for one that is gone. */
  async end(): Promise<void> {
    for (const tape of this.#tapes) tape.close();
    if (isAtWork(await this.status().catch(() => ''))) await this.interrupt();
    // What waited is answered first; there may be a turn of it.
    await until('the session is at rest and gone', async () => {
      try {
        await this.client.beta.sessions.delete(this.id);
      } catch (error) {
        return error instanceof Anthropic.NotFoundError;
      }
      return true;
    });
  }
}

/** One stream: everything it has carried, in order, and waiting for what it will. */
export class Tape {
  readonly events: StreamEvent[] = [];
  /** resolves when the stream is over: with its error, or null where it ended by itself */
  readonly over: Promise<Error | null>;
  readonly #controller: AbortController;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(stream: AsyncIterable<StreamEvent> & { controller: AbortController }) {
    this.#controller = stream.controller;
    this.over = this.#read(stream);
  }

  /** Resolves with all events so far as soon as they are as wanted. */
  async until(
    what: string,
    isSo: (events: readonly StreamEvent[]) => boolean,
  ): Promise<StreamEvent[]> {
    const deadline = AbortSignal.timeout(TAPE_MS);
    deadline.addEventListener('abort', () => this.#wake());
    while (!isSo(this.events)) {
      if (this.#isOver || deadline.aborted) {
        const why = this.#isOver ? 'the stream ended' : `not within ${TAPE_MS} ms`;
        throw new Error(`${why} before ${what}; it carried ${typesOf(this.events).join(', ')}`);
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return [...this.events];
  }

  /** Resolves when the newest event of this type has come, `count` of them in all. */
  async untilType(type: StreamEvent['type'], count = 1): Promise<StreamEvent[]> {
    return this.until(`${count} × ${type}`, (events) => ofType(events, type).length >= count);
  }

  /** Resolves when the session is idle after `turns` turns that this stream has seen end. */
  async untilIdle(turns = 1): Promise<StreamEvent[]> {
    return this.untilType('session.status_idle', turns);
  }

  /** The server may notice it only after the next request has come. */
  close(): void {
    this.#isOver = true;
    this.#controller.abort();
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  async #read(stream: AsyncIterable<StreamEvent>): Promise<Error | null> {
    try {
      for await (const event of stream) {
        this.events.push(event);
        this.#wake();
      }
      return null;
    } catch (error) {
      return error as Error;
    } finally {
      this.#isOver = true;
      this.#wake();
    }
  }
}

const isAtWork = (status: string): boolean => status === 'running' || status === 'rescheduling';

/** A user's message of one text. */
export function message(text: string) {
  return { type: 'user.message' as const, content: [{ type: 'text' as const, text }] };
}

export function typesOf(events: readonly { type: string }[]): string[] {
  return events.map((event) => event.type);
}

export function ofType<T extends StreamEvent['type']>(
  events: readonly StreamEvent[],
  type: T,
): Extract<StreamEvent, { type: T }>[] {
  return events.filter((event): event is Extract<StreamEvent, { type: T }> => event.type === type);
}

/** All text of an event with content, or of several. */
export function textOf(...events: { content?: readonly object[] | null }[]): string {
  return events
    .flatMap((event) => event.content ?? [])
    .map((block) => ('text' in block && typeof block.text === 'string' ? block.text : ''))
    .join('\n');
}

/** The texts of all tool results, in their order. */
export function resultsOf(events: readonly StreamEvent[]): string[] {
  return ofType(events, 'agent.tool_result').map((event) => textOf(event));
}

/** A client's answer to a call that asks. */
export function confirmation(callId: string, result: 'allow' | 'deny', denyMessage?: string) {
  const said = denyMessage === undefined ? {} : { deny_message: denyMessage };
  return { type: 'user.tool_confirmation' as const, tool_use_id: callId, result, ...said };
}

/** A client's result of a custom tool. */
export function customResult(callId: string, text: string) {
  const content = [{ type: 'text' as const, text }];
  return { type: 'user.custom_tool_result' as const, custom_tool_use_id: callId, content };
}

/** What was shown of each event before it came, by its id, as the official accumulator sees it. */
export function previewsIn(events: readonly StreamEvent[]): Map<string, AccumulatedEvent> {
  const shown = new Map<string, AccumulatedEvent>();
  for (const event of events) {
    if (event.type !== 'event_start' && event.type !== 'event_delta') continue;
    const id = event.type === 'event_start' ? event.event.id : event.event_id;
    shown.set(id, accumulateManagedAgentsEvent(shown.get(id), event)!);
  }
  return shown;
}

/** The calls that the newest idle waits for; empty where it waits for none. */
export function waitingOf(events: readonly StreamEvent[]): string[] {
  const reason = ofType(events, 'session.status_idle').at(-1)?.stop_reason;
  return reason?.type === 'requires_action' ? reason.event_ids : [];
}

/** Why the last turn ended. */
export function stopReasonOf(events: readonly StreamEvent[]): string | undefined {
  return ofType(events, 'session.status_idle').at(-1)?.stop_reason.type;
}
