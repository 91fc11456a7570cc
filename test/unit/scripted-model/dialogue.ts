// A conversation with the scripted model over real HTTP and the official SDK: the test plays the
// user and the tools. What the model said goes back exactly as it came, as a correct caller does
// it.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import { createScriptedModel } from '../../../scripted-model/server.ts';

export interface RunningModel {
  url: string;
  client: Anthropic;
  stop(): Promise<void>;
}

/** Starts a scripted model of the test's own; retries are off, failures are seen, not logged. */
export async function startModel(delayMs = 0): Promise<RunningModel> {
  const server = createScriptedModel({ delayMs });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new Anthropic({ baseURL: url, apiKey: 'x', maxRetries: 0, logLevel: 'off' });
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, client, stop };
}

type Params = Partial<Anthropic.MessageCreateParamsNonStreaming>;

export class Dialogue {
  readonly messages: Anthropic.MessageParam[] = [];
  readonly #client: Anthropic;
  readonly #params: Params;

  constructor(client: Anthropic, params: Params = {}) {
    this.#client = client;
    this.#params = params;
  }

  /** Adds a user text; it joins the tool results that are there, as steering does. */
  say(text: string): this {
    const last = this.messages.at(-1);
    const block: Anthropic.TextBlockParam = { type: 'text', text };
    if (last?.role === 'user' && Array.isArray(last.content)) last.content.push(block);
    else this.messages.push({ role: 'user', content: [block] });
    return this;
  }

  /** Asks for one reply, streamed, and keeps it. */
  async ask(headers: Record<string, string> = {}): Promise<Anthropic.Message> {
    const stream = this.#client.messages.stream(this.request(), { headers });
    const reply = await stream.finalMessage();
    if (reply.content.length > 0) {
      this.messages.push({ role: 'assistant', content: reply.content });
    }
    return reply;
  }

  /** Answers every tool use of the last reply. */
  answer(output: string, isError = false): this {
    const content = this.messages.at(-1)!.content as Anthropic.ContentBlock[];
    const results = content
      .filter((block) => block.type === 'tool_use')
      .map(({ id }): Anthropic.ToolResultBlockParam => {
        return { type: 'tool_result', tool_use_id: id, content: output, is_error: isError };
      });
    this.messages.push({ role: 'user', content: results });
    return this;
  }

  /** Plays the program to its end and returns what each reply did, in short. */
  async play(output = 'ok'): Promise<string[]> {
    const replies: string[] = [];
    for (;;) {
      const reply = await this.ask();
      replies.push(inShort(reply));
      if (reply.stop_reason !== 'tool_use') return replies;
      this.answer(output);
    }
  }

  request(): Anthropic.MessageCreateParamsNonStreaming {
    return { model: 'test', max_tokens: 4096, messages: this.messages, ...this.#params };
  }
}

/** The blocks of a reply as `text | bash:ls | thinking`. */
export function inShort({ content }: Anthropic.Message): string {
  return content
    .map((block) => {
      if (block.type === 'text') return block.text;
      if (block.type !== 'tool_use') return block.type;
      const { command } = block.input as { command?: string };
      return `${block.name}:${command ?? JSON.stringify(block.input)}`;
    })
    .join(' | ');
}
