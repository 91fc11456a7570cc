// What a worker remembers of its sessions' MCP servers, and for how long: a connection and a tool
// list for each, bounded in number and size. The one unused for longest goes first, one with a call
// under way never; whatever goes is only a cache.

import type { Agent } from '../../protocol/agents.ts';
import {
  MCP_CALL_MS,
  MCP_CONNECT_MS,
  MCP_IDLE_MS,
  MCP_KEPT_CHARS_MAX,
  MCP_KEPT_SERVERS_MAX,
  MCP_LIST_FRESH_MS,
  MCP_SWEEP_MS,
} from '../../protocol/server-tool-limits.ts';
import type { McpConnection } from './connection.ts';
import type { McpTool } from './tool-list.ts';
import type { McpTrouble } from './trouble.ts';

/** sdk 1.11.0: BetaManagedAgentsMCPServerURLDefinition. */
export type McpServer = Agent['mcp_servers'][number];

/** Bounds that a test shortens; protocol/server-tool-limits.ts says what each is. */
export interface McpBounds {
  connectMs: number;
  callMs: number;
  idleMs: number;
  sweepMs: number;
  listFreshMs: number;
  keptServersMax: number;
}

const BOUNDS: McpBounds = {
  connectMs: MCP_CONNECT_MS,
  callMs: MCP_CALL_MS,
  idleMs: MCP_IDLE_MS,
  sweepMs: MCP_SWEEP_MS,
  listFreshMs: MCP_LIST_FRESH_MS,
  keptServersMax: MCP_KEPT_SERVERS_MAX,
};

/** The tools of a server that was never asked, known by identity. */
export const NOT_LISTED: McpTool[] = [];

export interface KeptServer {
  readonly sessionId: string;
  readonly server: McpServer;
  connection: McpConnection | undefined;
  tools: McpTool[];
  /** Size of the tools, in characters */
  chars: number;
  /** `performance.now()` of the last list */
  listedAt: number;
  /** Connecting or listing, which all who ask wait for */
  work: Promise<McpTrouble | null> | undefined;
  /** Calls under way */
  calls: number;
  usedAt: number;
}

export class KeptServers {
  readonly bounds: McpBounds;
  /** Least recently used first */
  readonly #kept = new Map<string, KeptServer>();
  readonly #sweep: NodeJS.Timeout;

  constructor(bounds: Partial<McpBounds> = {}) {
    this.bounds = { ...BOUNDS, ...bounds };
    this.#sweep = setInterval(() => this.#letIdleGo(), this.bounds.sweepMs);
    this.#sweep.unref();
  }

  /** A session's server, remembered from now on if it was not; it is by name and URL. */
  use(sessionId: string, server: McpServer): KeptServer {
    const key = keyOf(sessionId, server);
    const kept = this.#kept.get(key) ?? {
      sessionId,
      server,
      connection: undefined,
      tools: NOT_LISTED,
      chars: 0,
      listedAt: -Infinity,
      work: undefined,
      calls: 0,
      usedAt: 0,
    };
    this.#kept.set(key, kept);
    this.touch(kept);
    return kept;
  }

  /** Notes that a server was used; one that was forgotten meanwhile ends here. */
  touch(kept: KeptServer): void {
    const key = keyOf(kept.sessionId, kept.server);
    if (this.#kept.get(key) !== kept) {
      if (kept.calls === 0) this.disconnect(kept);
      return;
    }
    kept.usedAt = performance.now();
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    this.#makeRoom(kept);
  }

  /** Lets go of a server's connection; its other calls may end, and what it listed stays known. */
  disconnect(kept: KeptServer): void {
    kept.connection?.retire();
    kept.connection = undefined;
  }

  async forget(sessionId: string): Promise<void> {
    const of = [...this.#kept.values()].filter((kept) => kept.sessionId === sessionId);
    await Promise.all(of.map((kept) => this.#drop(kept)));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#kept.values()].map((kept) => this.#drop(kept)));
  }

  #makeRoom(newest: KeptServer): void {
    let chars = [...this.#kept.values()].reduce((sum, kept) => sum + kept.chars, 0);
    for (const kept of this.#kept.values()) {
      if (this.#kept.size <= this.bounds.keptServersMax && chars <= MCP_KEPT_CHARS_MAX) return;
      if (kept === newest || isBusy(kept)) continue;
      chars -= kept.chars;
      void this.#drop(kept);
    }
  }

  #letIdleGo(): void {
    const limit = performance.now() - this.bounds.idleMs;
    for (const kept of this.#kept.values()) {
      if (kept.usedAt < limit && !isBusy(kept)) void this.#drop(kept);
    }
  }

  async #drop(kept: KeptServer): Promise<void> {
    this.#kept.delete(keyOf(kept.sessionId, kept.server));
    const { connection } = kept;
    kept.connection = undefined;
    await connection?.close();
  }
}

function isBusy({ calls, work }: KeptServer): boolean {
  return calls > 0 || work !== undefined;
}

function keyOf(sessionId: string, { name, url }: McpServer): string {
  return JSON.stringify([sessionId, name, url]);
}
