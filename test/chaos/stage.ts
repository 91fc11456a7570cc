// Sessions that perform scripted stories on one server, through the official SDK. A Stage is one
// agent and one environment on a server; a Performance is one session with its story and a reader
// of its stream that survives everything.

import Anthropic from '@anthropic-ai/sdk';
import type { SessionCreateParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { conformingFetch } from '../helpers/conformance.ts';
import {
  message,
  MODEL,
  type SceneOptions,
  type SessionEvent,
  type StreamEvent,
} from '../helpers/scene.ts';
import { type Place, ResumingReader } from './resuming-reader.ts';

/** What the model is told to do, one message a turn (docs/scripted-model.md). */
export interface Story {
  name: string;
  turns: readonly string[];
}

/** longest that anything may take until a session is idle again; reaching it is a hang */
export const IDLE_MS = 240_000;
/** sends to a server that is being restarted: the SDK pauses up to 8 s between tries */
const SEND_RETRIES = 12;

export class Stage {
  readonly place: Place;
  readonly client: Anthropic;
  readonly #agentId: string;
  readonly #environmentId: string;
  readonly #references = new Map<string, Promise<SessionEvent[]>>();

  private constructor(
    place: Place,
    client: Anthropic,
    ids: { agent: string; environment: string },
  ) {
    this.place = place;
    this.client = client;
    this.#agentId = ids.agent;
    this.#environmentId = ids.environment;
  }

  static async open(place: Place, options: SceneOptions = {}): Promise<Stage> {
    const client = new Anthropic({
      baseURL: place.urls[0]!,
      apiKey: place.apiKey,
      fetch: conformingFetch,
      maxRetries: SEND_RETRIES,
    });
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
    return new Stage(place, client, { agent: agent.id, environment: environment.id });
  }

  /** A new session of the stage's agent in its environment. */
  async newSession(fields: Partial<SessionCreateParams> = {}): Promise<string> {
    const session = await this.client.beta.sessions.create({
      agent: this.#agentId,
      environment_id: this.#environmentId,
      ...fields,
    });
    return session.id;
  }

  /** A new session for each story, none of them begun. */
  async cast(stories: readonly Story[]): Promise<Performance[]> {
    return Promise.all(stories.map((story) => this.#newPerformance(story)));
  }

  async #newPerformance(story: Story): Promise<Performance> {
    return new Performance(this, await this.newSession({ title: story.name }), story);
  }

  /** The log of a story that nothing disturbed; performed once, then remembered. */
  reference(story: Story): Promise<SessionEvent[]> {
    const known = this.#references.get(story.name) ?? this.#undisturbed(story);
    this.#references.set(story.name, known);
    return known;
  }

  async #undisturbed(story: Story): Promise<SessionEvent[]> {
    const [performance] = await this.cast([story]);
    try {
      await performance!.perform();
      return await performance!.history();
    } finally {
      await performance!.close();
    }
  }
}

export class Performance {
  readonly sessionId: string;
  readonly story: Story;
  readonly reader: ResumingReader;
  readonly #stage: Stage;

  constructor(stage: Stage, sessionId: string, story: Story) {
    this.#stage = stage;
    this.sessionId = sessionId;
    this.story = story;
    this.reader = new ResumingReader(stage.place, sessionId);
  }

  /** Says every message of the story from turn `from` on, each when the one before is answered. */
  async perform(from = 0, isSentOnce = false): Promise<void> {
    for (let turn = from; turn < this.story.turns.length; turn += 1) {
      await this.say(turn, isSentOnce);
      await this.idle(turn + 1);
    }
  }

  /** Sends once, or as often as it takes to get an answer. */
  async say(turn: number, isSentOnce = false): Promise<void> {
    const { events } = this.#stage.client.beta.sessions;
    const body = { events: [message(this.story.turns[turn]!)] };
    if (!isSentOnce) await events.send(this.sessionId, body);
    else await events.send(this.sessionId, body, { maxRetries: 0 }).catch(refuseAllButLoss);
  }

  /** Resolves when the session has become idle for the `times`th time. */
  async idle(times: number): Promise<void> {
    await this.reader.until(
      `idle ${times} times (${this.story.name})`,
      (events) => countOf(events, 'session.status_idle') >= times,
      IDLE_MS,
    );
  }

  /** True until the last turn of the story is over, as far as the reader knows. */
  get isUnderWay(): boolean {
    return this.count('session.status_idle') < this.story.turns.length;
  }

  /** How many events of this type the reader has. */
  count(type: StreamEvent['type']): number {
    return countOf(
      this.reader.events.map(({ event }) => event),
      type,
    );
  }

  /** Resolves when the reader has so many events of this type. */
  async has(type: StreamEvent['type'], count: number): Promise<void> {
    const isSo = (events: readonly StreamEvent[]): boolean => countOf(events, type) >= count;
    await this.reader.until(`${count} × ${type}`, isSo, IDLE_MS);
  }

  async history(): Promise<SessionEvent[]> {
    const all: SessionEvent[] = [];
    const pages = this.#stage.client.beta.sessions.events.list(this.sessionId, { order: 'asc' });
    for await (const event of pages) all.push(event);
    return all;
  }

  /** Deletes the session; one that still runs is left to whoever clears the server away. */
  async close(): Promise<void> {
    await this.reader.close();
    try {
      await this.#stage.client.beta.sessions.delete(this.sessionId);
    } catch (error) {
      if (!(error instanceof Anthropic.APIError)) throw error;
    }
  }
}

function refuseAllButLoss(error: unknown): void {
  if (!(error instanceof Anthropic.APIConnectionError)) throw error;
}

function countOf(events: readonly { type: string }[], type: string): number {
  return events.filter((event) => event.type === type).length;
}
