// A client of the server as any user would write it, with the official SDK: an agent with the
// default toolset, an environment, sessions, and turns that are read from the stream to their idle.
import Anthropic from '@anthropic-ai/sdk';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import type { SessionCreateParams } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { ServerProcess } from './server-process.ts';
import { nowMs } from './statistics.ts';

export const MODEL = 'claude-sonnet-4-6';
/** a turn that takes longer than this is stuck, `ms` */
const TURN_MS = 20 * 60_000;
/** so many deletions at once; each removes a container */
const DELETIONS_AT_ONCE = 4;

/** When a message left and when the client had its answer, milliseconds since 1970. */
export interface SendTimes {
  sentAt: number;
  acceptedAt: number;
}

export class Sessions {
  readonly client: Anthropic;
  readonly agentId: string;
  readonly environmentId: string;
  readonly #made: string[] = [];

  private constructor(client: Anthropic, ids: { agentId: string; environmentId: string }) {
    this.client = client;
    this.agentId = ids.agentId;
    this.environmentId = ids.environmentId;
  }

  /** Makes an agent and an environment, which all of its sessions share. */
  static async open(
    server: ServerProcess,
    fields: Partial<AgentCreateParams> = {},
  ): Promise<Sessions> {
    const client = new Anthropic({ baseURL: server.url, apiKey: server.apiKey, maxRetries: 0 });
    const agent = await client.beta.agents.create({
      name: 'bench',
      model: MODEL,
      tools: [{ type: 'agent_toolset_20260401' }],
      ...fields,
    });
    const environment = await client.beta.environments.create({
      name: `for ${agent.id}`,
      config: { type: 'cloud', networking: { type: 'unrestricted' } },
    });
    return new Sessions(client, { agentId: agent.id, environmentId: environment.id });
  }

  async create(fields: Partial<SessionCreateParams> = {}): Promise<string> {
    const session = await this.client.beta.sessions.create({
      agent: this.agentId,
      environment_id: this.environmentId,
      ...fields,
    });
    this.#made.push(session.id);
    return session.id;
  }

  /** Sends a message; resolves when it is accepted, with when that was. */
  async send(sessionId: string, text: string): Promise<SendTimes> {
    const sentAt = nowMs();
    await this.client.beta.sessions.events.send(sessionId, {
      events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
    });
    return { sentAt, acceptedAt: nowMs() };
  }

  /** Sends a message and reads the stream to the turn's end; throws unless that is `end_turn`. */
  async play(sessionId: string, text: string): Promise<SendTimes> {
    const stream = await this.client.beta.sessions.events.stream(sessionId, undefined, {
      signal: AbortSignal.timeout(TURN_MS),
    });
    const times = await this.send(sessionId, text);
    for await (const event of stream) {
      if (event.type !== 'session.status_idle') continue;
      if (event.stop_reason.type === 'end_turn') return times;
      throw new Error(`session ${sessionId} ended with ${event.stop_reason.type}`);
    }
    throw new Error(`the stream of ${sessionId} ended before its turn`);
  }

  /** Deletes every session made so far, and their containers with them. */
  async deleteAll(): Promise<void> {
    const ids = this.#made.splice(0);
    const deleteNext = async (): Promise<void> => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
        await this.client.beta.sessions.delete(id);
      }
    };
    await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, deleteNext));
  }
}

/** A message whose turn has so many rounds of one command; its first line names it to the model. */
export function rounds(tag: string, count: number, command = 'echo hello'): string {
  const lines = Array.from({ length: count }, () => `$ ${command}`);
  return [tag, ...lines, '= done'].join('\n');
}
