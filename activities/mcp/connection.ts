// One connection to one MCP server: Streamable HTTP, or the older SSE transport where the server
// knows no other. It lists and calls, and says when it is of no more use; reconnecting and
// repeating are decided above it. Every request of it ends.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import {
  MCP_CALL_MS,
  MCP_GOODBYE_MS,
  MCP_REOPEN_ATTEMPTS_MAX,
  MCP_REOPEN_PAUSE_MS,
  MCP_TOOL_PAGES_MAX,
  MCP_TOOLS_MAX,
} from '../../protocol/server-tool-limits.ts';
import { orAborted, within } from './deadline.ts';
import { McpEndedError, McpHttpError } from './trouble.ts';
import { McpWire, type WireOptions } from './wire.ts';

export interface McpConnection {
  /** The server has said that its tools are not what they were when they were last listed */
  readonly hasNewTools: boolean;
  /** Nothing can be asked over it any more */
  readonly isEnded: boolean;
  /** The server gave it a session, which can expire */
  readonly hasSession: boolean;
  /** Credentials that went over it */
  readonly secrets: readonly string[];
  /** The entries of the server's tool list, unchecked, every page of it up to the bounds */
  listTools(signal: AbortSignal): Promise<unknown[]>;
  /** The answer to `tools/call`, unchecked; the signal sends `notifications/cancelled` */
  callTool(name: string, input: Record<string, unknown>, signal: AbortSignal): Promise<unknown>;
  /** Closes once the calls that are under way have ended */
  retire(): void;
  /** Says good-bye, briefly, and ends what is under way */
  close(): Promise<void>;
}

export type ConnectOptions = Omit<WireOptions, 'kind'>;

/** What the SDK would do after it; ours is in `within`. */
const SDK_TIMEOUT = { timeout: MCP_CALL_MS * 2 };

/** Statuses of a refused `initialize` that do not speak of the transport. */
const NOT_ABOUT_TRANSPORT: readonly number[] = [401, 403, 408, 429];

const page = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().nullish() });
const anyResult = z.looseObject({});

/** Connects and initializes; rejects with what `troubleOf` reads. */
export async function openConnection(
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<McpConnection> {
  try {
    return await openWith('streamable', options, signal);
  } catch (error) {
    if (!isOldServer(error)) throw error;
    return openWith('sse', options, signal).catch((second: unknown) => {
      throw isOldServer(second) ? error : second;
    });
  }
}

/** MCP, transports, backwards compatibility: a 4xx to `initialize` may be a server of 2024. */
function isOldServer(error: unknown): boolean {
  if (!(error instanceof McpHttpError)) return false;
  const { status } = error;
  return status >= 400 && status < 500 && !NOT_ABOUT_TRANSPORT.includes(status);
}

async function openWith(
  kind: WireOptions['kind'],
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<McpConnection> {
  const wire = new McpWire({ ...options, kind });
  const transport = transportOf(kind, options.url, wire);
  wire.watch(transport);
  const client = new Client(
    { name: 'holdfast', version: '1' },
    // A server's output schemas are not compiled: an answer is checked for what we use of it.
    { capabilities: {}, jsonSchemaValidator: { getValidator: () => acceptAnything } },
  );
  try {
    await orAborted(client.connect(transport, { ...SDK_TIMEOUT, signal }), signal);
  } catch (error) {
    wire.end(new McpEndedError());
    await transport.close();
    throw signal.aborted ? error : (wire.streamRefusal ?? error);
  }
  return new Connection(client, transport, wire);
}

function transportOf(kind: WireOptions['kind'], url: URL, wire: McpWire) {
  if (kind === 'sse') return new SSEClientTransport(url, { fetch: wire.fetch });
  return new StreamableHTTPClientTransport(url, {
    fetch: wire.fetch,
    reconnectionOptions: {
      initialReconnectionDelay: MCP_REOPEN_PAUSE_MS,
      maxReconnectionDelay: 2 * MCP_REOPEN_PAUSE_MS,
      reconnectionDelayGrowFactor: 2,
      maxRetries: MCP_REOPEN_ATTEMPTS_MAX,
    },
  });
}

/** The SDK's check of structured content, without one. */
function acceptAnything<T>(data: unknown) {
  return { valid: true as const, data: data as T & {}, errorMessage: undefined };
}

class Connection implements McpConnection {
  readonly #client: Client;
  readonly #transport: ReturnType<typeof transportOf>;
  readonly #wire: McpWire;
  #calls = 0;
  #isRetired = false;
  hasNewTools = false;

  constructor(client: Client, transport: ReturnType<typeof transportOf>, wire: McpWire) {
    this.#client = client;
    this.#transport = transport;
    this.#wire = wire;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      this.hasNewTools = true;
    });
  }

  get isEnded(): boolean {
    return this.#wire.isEnded;
  }

  get hasSession(): boolean {
    return 'sessionId' in this.#transport && this.#transport.sessionId !== undefined;
  }

  get secrets(): readonly string[] {
    return this.#wire.secrets;
  }

  async listTools(signal: AbortSignal): Promise<unknown[]> {
    this.hasNewTools = false;
    if (this.#client.getServerCapabilities()?.tools === undefined) return [];
    const listed: unknown[] = [];
    const cursors = new Set<string>();
    for (let cursor: string | undefined; cursors.size < MCP_TOOL_PAGES_MAX;) {
      const params = cursor === undefined ? {} : { cursor };
      const request = { method: 'tools/list' as const, params };
      const answer = await this.#client.request(request, page, { ...SDK_TIMEOUT, signal });
      listed.push(...answer.tools.slice(0, MCP_TOOLS_MAX + 1));
      cursor = answer.nextCursor ?? undefined;
      // A cursor that comes again would go round for ever.
      if (cursor === undefined || cursors.has(cursor) || listed.length > MCP_TOOLS_MAX) break;
      cursors.add(cursor);
    }
    return listed;
  }

  async callTool(
    name: string,
    input: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<unknown> {
    const request = { method: 'tools/call' as const, params: { name, arguments: input } };
    this.#calls += 1;
    try {
      return await this.#client.request(request, anyResult, { ...SDK_TIMEOUT, signal });
    } finally {
      this.#calls -= 1;
      if (this.#isRetired) this.retire();
    }
  }

  retire(): void {
    this.#isRetired = true;
    if (this.#calls === 0) void this.close();
  }

  async close(): Promise<void> {
    if (!this.#wire.isEnded && this.#transport instanceof StreamableHTTPClientTransport) {
      const transport = this.#transport;
      // A server that is gone, or does not listen, need not be told.
      await within(MCP_GOODBYE_MS, undefined, () => transport.terminateSession()).catch(() => {});
    }
    this.#wire.end(new McpEndedError());
    await this.#client.close();
  }
}
