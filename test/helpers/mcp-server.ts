// A small MCP server for tests: the official SDK's server side over Streamable HTTP on a port of
// its own, with tools that do what their names say. It counts what it is asked, can want a token,
// list a further tool while clients are connected, forget its sessions, and go away and come back.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as z from 'zod';

/** A red dot: the smallest PNG that shows something. */
export const DOT_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQ' +
  'DwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

export interface TestMcpServer {
  /** What an agent's `mcp_servers` names */
  readonly url: string;
  /** Calls of each tool, by its name */
  readonly calls: ReadonlyMap<string, number>;
  /** JSON-RPC methods in the order in which they came */
  readonly methods: readonly string[];
  /** Calls of `slow` that were cancelled while they ran */
  readonly cancelled: number;
  /** From now on requests need `Authorization: Bearer <token>`; null for none */
  wantToken(token: string | null): void;
  /** Lists one more tool and tells connected clients so */
  addTool(name: string): void;
  /** Answers 404 to every session it has given out */
  forgetSessions(): Promise<void>;
  /** Breaks every connection and listens no more; `comeBack` listens on the same port */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

interface Session {
  server: McpServer;
  transport: StreamableHTTPServerTransport;
}

/** Starts the server; its tools are echo, slow, big, image, fail and count. */
export async function startMcpServer(): Promise<TestMcpServer> {
  const server = new ScriptedMcpServer();
  await server.comeBack();
  return server;
}

class ScriptedMcpServer implements TestMcpServer {
  readonly calls = new Map<string, number>();
  readonly methods: string[] = [];
  cancelled = 0;
  readonly #sessions = new Map<string, Session>();
  readonly #added: string[] = [];
  #http: Server | undefined;
  #port = 0;
  #token: string | null = null;

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  wantToken(token: string | null): void {
    this.#token = token;
  }

  addTool(name: string): void {
    this.#added.push(name);
    for (const { server } of this.#sessions.values()) this.#registerAdded(server, name);
  }

  async forgetSessions(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map(({ server }) => server.close()));
  }

  async goAway(): Promise<void> {
    const http = this.#http;
    if (http === undefined) return;
    this.#http = undefined;
    this.#sessions.clear();
    await new Promise<void>((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  }

  async comeBack(): Promise<void> {
    const http = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => http.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (http.address() as AddressInfo).port;
    this.#http = http;
  }

  close(): Promise<void> {
    return this.goAway();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#token !== null && request.headers.authorization !== `Bearer ${this.#token}`) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
      return;
    }
    const body = request.method === 'POST' ? await jsonOf(request) : undefined;
    if (isCall(body)) this.methods.push(body.method);
    const id = request.headers['mcp-session-id'];
    const session =
      typeof id === 'string'
        ? this.#sessions.get(id)
        : isCall(body) && body.method === 'initialize'
          ? await this.#open()
          : undefined;
    if (session === undefined) {
      response.writeHead(404).end();
      return;
    }
    await session.transport.handleRequest(request, response, body);
  }

  async #open(): Promise<Session> {
    const server = new McpServer({ name: 'scripted', version: '1' });
    this.#registerTools(server);
    for (const name of this.#added) this.#registerAdded(server, name);
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void this.#sessions.set(id, { server, transport }),
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    await server.connect(transport);
    return { server, transport };
  }

  #registerTools(server: McpServer): void {
    const text = (said: string) => ({ content: [{ type: 'text' as const, text: said }] });
    const echo = { description: 'Says it back.', inputSchema: { text: z.string() } };
    server.registerTool('echo', echo, (input) => {
      this.#count('echo');
      return text(input.text);
    });
    const slow = { description: 'Answers after that time.', inputSchema: { ms: z.number() } };
    server.registerTool('slow', slow, async ({ ms }, { signal }) => {
      this.#count('slow');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener('abort', () => {
          this.cancelled += 1;
          clearTimeout(timer);
          resolve();
        });
      });
      return text(`after ${ms} ms`);
    });
    const big = { description: 'That many characters.', inputSchema: { n: z.number() } };
    server.registerTool('big', big, ({ n }) => {
      this.#count('big');
      return text('x'.repeat(n));
    });
    server.registerTool('image', { description: 'A red dot.' }, () => {
      this.#count('image');
      return { content: [{ type: 'image', data: DOT_PNG, mimeType: 'image/png' }] };
    });
    const page = { description: 'Notes.', inputSchema: { copies: z.number().optional() } };
    server.registerTool('page', page, ({ copies = 1 }) => {
      this.#count('page');
      const notes = 'some notes'.repeat(copies);
      const resource = { uri: 'file:///notes.txt', mimeType: 'text/plain', text: notes };
      return { content: [{ type: 'resource', resource }] };
    });
    server.registerTool('fail', { description: 'Fails.' }, () => {
      this.#count('fail');
      return { ...text('it did not work'), isError: true };
    });
    const annotations = { readOnlyHint: true, idempotentHint: true };
    const inputSchema = { ms: z.number().optional() };
    const count = { description: 'How often this was called.', annotations, inputSchema };
    server.registerTool('count', count, async ({ ms = 0 }) => {
      const times = this.#count('count');
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      return text(String(times));
    });
  }

  #registerAdded(server: McpServer, name: string): void {
    server.registerTool(name, { description: 'Added later.' }, () => {
      this.#count(name);
      return { content: [{ type: 'text', text: name }] };
    });
  }

  #count(tool: string): number {
    const times = (this.calls.get(tool) ?? 0) + 1;
    this.calls.set(tool, times);
    return times;
  }
}

function isCall(body: unknown): body is { method: string } {
  return typeof body === 'object' && body !== null && 'method' in body;
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString('utf8'));
}
