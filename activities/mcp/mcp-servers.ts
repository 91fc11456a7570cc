// The MCP servers of this worker's sessions: connects once, keeps what a server lists, and calls.
// Everything here is a cache: a process that starts again connects again. A call is sent anew only
// where it certainly reached nobody, or where the server says that repeating it does no more.

import { McpError } from '@modelcontextprotocol/sdk/types.js';
import type { Logger } from 'pino';
import { MCP_ERROR_CHARS_MAX } from '../../protocol/server-tool-limits.ts';
import { redact } from '../deps.ts';
import { type McpConnection, openConnection } from './connection.ts';
import { orAborted, within } from './deadline.ts';
import { createDialler, type Dialler } from './dial.ts';
import {
  type KeptServer,
  KeptServers,
  type McpBounds,
  type McpServer,
  NOT_LISTED,
} from './kept-servers.ts';
import { errorOutcome, type McpOutcome, toOutcome } from './outcome.ts';
import { type McpTool, toolList } from './tool-list.ts';
import { LostAnswer, type McpTrouble, troubleOf } from './trouble.ts';

export interface McpFailure {
  server: string;
  /** sdk 1.11.0: BetaManagedAgentsSessionErrorEvent.error */
  type: McpTrouble['type'];
  /** Quotes neither the URL nor anything the server said */
  message: string;
}

export interface McpToolCall {
  server: McpServer;
  /** Its name at the server */
  tool: string;
  input: Record<string, unknown>;
}

export interface McpServers {
  /**
   * Tools of every server of the agent, in the servers' order. With `refresh`, once a turn, servers
   * that failed or whose connection ended are tried again, and old lists are read again; without,
   * only a server that was never tried or has said that its list changed is asked. The failures are
   * those of this call: a server that failed before and was not tried now has none, and no tools.
   * Rejects with the signal's reason; attempts under way go on, bounded, for whoever asks next.
   */
  tools(
    session: { sessionId: string },
    servers: readonly McpServer[],
    options: { refresh: boolean; signal: AbortSignal },
  ): Promise<{ tools: McpTool[]; failures: McpFailure[] }>;
  /**
   * Calls a tool. Whatever fails is an outcome with `isError`; the promise rejects only with the
   * signal's reason, after the server was sent `notifications/cancelled`.
   */
  call(session: { sessionId: string }, call: McpToolCall, signal: AbortSignal): Promise<McpOutcome>;
  /** Ends the connections of a session; harmless to repeat, and whoever asks again connects. */
  forget(sessionId: string): Promise<void>;
  close(): Promise<void>;
}

export interface McpServersOptions {
  log: Logger;
  /**
   * Request headers that authenticate a session at a server, or null for none. Asked before every
   * request, so that a rotated credential is used at once: the source caches.
   */
  credentials?: (of: {
    sessionId: string;
    server: McpServer;
  }) => Promise<Record<string, string> | null>;
  /** A test's shorter bounds */
  bounds?: Partial<McpBounds>;
  /** A test's names and addresses */
  dialler?: Dialler;
}

/** Builds the MCP servers of one worker. */
export function createMcpServers(options: McpServersOptions): McpServers {
  return new WorkerMcpServers(options);
}

class WorkerMcpServers implements McpServers {
  readonly #options: McpServersOptions;
  readonly #kept: KeptServers;
  readonly #dialler: Dialler;

  constructor(options: McpServersOptions) {
    this.#options = options;
    this.#kept = new KeptServers(options.bounds);
    this.#dialler = options.dialler ?? createDialler();
  }

  async tools(
    session: { sessionId: string },
    servers: readonly McpServer[],
    options: { refresh: boolean; signal: AbortSignal },
  ): Promise<{ tools: McpTool[]; failures: McpFailure[] }> {
    const kept = servers.map((server) => this.#kept.use(session.sessionId, server));
    const asked = Promise.all(kept.map((each) => this.#refresh(each, options.refresh)));
    const troubles = await orAborted(asked, options.signal);
    const failures = troubles.flatMap((trouble, index) =>
      trouble === null ? [] : [failureOf(servers[index]!, trouble)],
    );
    return { tools: kept.flatMap(({ tools }) => tools), failures };
  }

  async call(
    session: { sessionId: string },
    call: McpToolCall,
    signal: AbortSignal,
  ): Promise<McpOutcome> {
    signal.throwIfAborted();
    const kept = this.#kept.use(session.sessionId, call.server);
    kept.calls += 1;
    try {
      return await within(this.#kept.bounds.callMs, signal, (bound) =>
        this.#callTwice(kept, call, bound),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      return callFailed(call.server, troubleOf(error, false));
    } finally {
      kept.calls -= 1;
      this.#kept.touch(kept);
    }
  }

  async forget(sessionId: string): Promise<void> {
    await this.#kept.forget(sessionId);
  }

  async close(): Promise<void> {
    await this.#kept.close();
    await this.#dialler.close();
  }

  /** Asks a server for its tools if that is due; answers what went wrong. */
  async #refresh(kept: KeptServer, isTurn: boolean): Promise<McpTrouble | null> {
    const { connection, tools, listedAt } = kept;
    const isConnected = connection?.isEnded === false;
    const isOld = performance.now() - listedAt > this.#kept.bounds.listFreshMs;
    const isDue = isConnected
      ? connection.hasNewTools || (isTurn && isOld)
      : isTurn || tools === NOT_LISTED;
    if (!isDue && kept.work === undefined) return null;
    const trouble = await this.#list(kept);
    if (trouble !== null) kept.tools = [];
    return trouble;
  }

  /** Lists a server's tools, over a new connection where there is none; once at a time. */
  #list(kept: KeptServer): Promise<McpTrouble | null> {
    kept.work ??= this.#listOnce(kept).finally(() => {
      kept.work = undefined;
      this.#kept.touch(kept);
    });
    return kept.work;
  }

  async #listOnce(kept: KeptServer): Promise<McpTrouble | null> {
    const old = kept.connection;
    if (old?.isEnded === false) {
      const trouble = await this.#attempt(kept, old);
      if (trouble === null) return null;
    }
    this.#kept.disconnect(kept);
    const trouble = await this.#attempt(kept, undefined);
    if (trouble === null) return null;
    this.#kept.disconnect(kept);
    const { sessionId, server } = kept;
    const about = { sessionId, server: server.name, reason: trouble.words };
    this.#options.log.warn(about, 'an MCP server cannot be used');
    return trouble;
  }

  async #attempt(kept: KeptServer, old: McpConnection | undefined): Promise<McpTrouble | null> {
    let connection = old;
    try {
      await within(this.#kept.bounds.connectMs, undefined, async (signal) => {
        connection ??= await this.#connect(kept, signal);
        kept.connection = connection;
        const { tools, chars, leftOut } = toolList(
          kept.server.name,
          await connection.listTools(signal),
        );
        Object.assign(kept, { tools, chars, listedAt: performance.now() });
        if (leftOut.length === 0) return;
        const about = { sessionId: kept.sessionId, server: kept.server.name, leftOut };
        this.#options.log.warn(about, 'tools of an MCP server are not offered');
      });
      return null;
    } catch (error) {
      return troubleOf(error, connection?.hasSession === true);
    }
  }

  #connect(kept: KeptServer, signal: AbortSignal): Promise<McpConnection> {
    const { sessionId, server } = kept;
    const { credentials } = this.#options;
    const options = {
      url: new URL(server.url),
      fetch: this.#dialler.fetch,
      headers: async () => (await credentials?.({ sessionId, server })) ?? null,
    };
    return openConnection(options, signal);
  }

  async #callTwice(kept: KeptServer, call: McpToolCall, signal: AbortSignal): Promise<McpOutcome> {
    for (let attempt = 1; ; attempt += 1) {
      if (kept.connection?.isEnded !== false) {
        const trouble = await orAborted(this.#list(kept), signal);
        if (trouble !== null) return callFailed(call.server, { ...trouble, isUnheard: true });
      }
      const connection = kept.connection!;
      try {
        const answer = await connection.callTool(call.tool, call.input, signal);
        const outcome = toOutcome(answer, connection.secrets);
        return outcome ?? errorOutcome(`${named(call.server)} did not answer with a tool result.`);
      } catch (error) {
        signal.throwIfAborted();
        const trouble = troubleOf(error, connection.hasSession);
        if (trouble.isFinal && kept.connection === connection) this.#kept.disconnect(kept);
        const mayRepeat = trouble.isFinal && (trouble.isUnheard || isIdempotent(kept, call.tool));
        const isRefused = trouble.type === 'mcp_authentication_failed_error';
        if (attempt > 1 || !mayRepeat || isRefused) {
          return callFailed(call.server, trouble, saidBy(error, connection));
        }
      }
    }
  }
}

function failureOf(server: McpServer, { type, words }: McpTrouble): McpFailure {
  return { server: server.name, type, message: `${named(server)} ${words}.` };
}

/** The result of a call that has none, for the model to read. */
function callFailed(server: McpServer, trouble: McpTrouble, said?: string): McpOutcome {
  const { words, isUnheard } = trouble;
  if (said !== undefined) return errorOutcome(`${named(server)} ${words}: ${said}`);
  const isCertain = isUnheard || trouble.type === 'mcp_authentication_failed_error';
  const rest = isCertain
    ? 'The tool was not called.'
    : 'The tool may have been called, wholly or in part; the call was not repeated.';
  return errorOutcome(`${named(server)} ${words}. ${rest}`);
}

/** What a server said in an error of its own: output of the tool, unlike everything else here. */
function saidBy(error: unknown, connection: McpConnection): string | undefined {
  if (!(error instanceof McpError) || error.data instanceof LostAnswer) return undefined;
  return redact(error.message.slice(0, MCP_ERROR_CHARS_MAX), connection.secrets);
}

function named(server: McpServer): string {
  return `The MCP server "${server.name}"`;
}

function isIdempotent(kept: KeptServer, tool: string): boolean {
  return kept.tools.some(({ name, isIdempotent: isHarmless }) => name === tool && isHarmless);
}
