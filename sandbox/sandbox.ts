// Where tools run: the interface of the sandbox room. A sandbox is one container with one runner
// inside; a call is one tool run, named by its `callId`. The promise: a call runs exactly once in a
// container's life, at most once across the loss of a container, and never silently twice.
// The room knows nothing of sessions, events or models; `createSandboxHost` is in sandbox-host.ts.
import type {
  BetaManagedAgentsDocumentBlock,
  BetaManagedAgentsImageBlock,
  BetaManagedAgentsTextBlock,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';

/**
 * The built-in tools that run in a container, sdk 1.11.0: agent_toolset_20260401; and `keep`, which
 * no model is offered: it does with the `text` of a result made elsewhere what the others do with
 * their own output, so that a long one is whole in a file.
 */
export type SandboxTool = 'bash' | 'read' | 'write' | 'edit' | 'glob' | 'grep' | 'keep';

/** One block of a tool's result, as it goes into `agent.tool_result`. */
export type ToolContent =
  | BetaManagedAgentsTextBlock
  | BetaManagedAgentsImageBlock
  | BetaManagedAgentsDocumentBlock;

export interface SandboxSpec {
  sandboxId: string;
  /**
   * `none`: loopback only; `unrestricted`: a bridge of its own without container-to-container
   * traffic
   */
  network: 'unrestricted' | 'none';
  /** name of an image made by docker-image.ts; unset: the host's default image */
  image?: string;
}

export interface ToolCall {
  callId: string;
  tool: SandboxTool;
  input: Record<string, unknown>;
}

export type ToolOutcome =
  /** `isError` is a tool's own failure: a result for the model to read */
  | { status: 'completed'; content: ToolContent[]; isError: boolean }
  /** the container ended before or while it ran: it may have run */
  | { status: 'lost'; reason: string }
  /** `waitMs` ran out; the call goes on, send it again to re-attach */
  | { status: 'running' };

export interface CallOptions {
  /** how long to wait for the outcome, `ms`; unset: until there is one */
  waitMs?: number;
  /** abort = cancel the command itself; never pass a signal that only means "this process stops" */
  signal?: AbortSignal;
  /**
   * when the call was asked for, ms since 1970; one from before this machine's start, of which the
   * journal knows nothing, may have run: the power may have taken the journal's end
   */
  askedAt?: number;
  /** called once when the tool begins (parallel bash calls queue in the one shell) */
  onStarted?: () => void;
  /** lets the call create the container where there is none */
  spec?: SandboxSpec;
}

export interface SandboxHost {
  /** Makes the container exist, run and its runner be connected; idempotent, files are kept. */
  provision(spec: SandboxSpec): Promise<void>;
  /**
   * Runs a tool, or re-attaches to a run with the same `callId`; the outcome is kept until
   * `acknowledge`. Wakes a paused or stopped container, recreates a dead one. Throws
   * `SandboxGoneError` where nothing is known of the sandbox and no spec came along, and
   * `EngineUnavailableError` while the engine is away (the call may then be sent again).
   */
  call(sandboxId: string, call: ToolCall, options?: CallOptions): Promise<ToolOutcome>;
  /** True when a call would be sent at once: connected, not paused; synchronous. */
  has(sandboxId: string): boolean;
  /** Forgets a finished call's outcome, which is committed elsewhere; sent again, it is `lost`. */
  acknowledge(sandboxId: string, callId: string): void;
  /** Removes container, volumes and directory; idempotent. */
  release(sandboxId: string): Promise<void>;
  /** Every container of this host, with the engine's word for its state. */
  list(): Promise<{ sandboxId: string; state: string }[]>;
  /** Releases what `known` does not name, and returns it. */
  reconcile(known: (ids: string[]) => Promise<Set<string>>): Promise<string[]>;
  /** After a start: listens for every live container of this host, so that runners dial again. */
  attachAll(): Promise<void>;
  /** Throws one clear sentence when the engine does not answer. */
  health(): Promise<void>;
  /** Stops listening and all timers; containers and their commands go on. */
  close(): Promise<void>;
}

export interface SandboxLimits {
  memoryBytes: number;
  cpus: number;
  pids: number;
  openFiles: number;
  tmpBytes: number;
}

/** Nothing is known of this sandbox here, and no spec to make one was given. */
export class SandboxGoneError extends Error {
  override name = 'SandboxGoneError';
}

/** The container engine does not answer; the same request may work later. */
export class EngineUnavailableError extends Error {
  override name = 'EngineUnavailableError';
}

/** The container came up but cannot be used: no image, runner that never dialled, bad settings. */
export class SandboxFailedError extends Error {
  override name = 'SandboxFailedError';
}
