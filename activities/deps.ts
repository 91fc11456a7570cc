// The real collaborators of every activity, built once by main and passed in; and the two habits
// all long activities share: telling Temporal that they live, and knowing why they were cancelled.

import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import { ACTIVITY_BEAT_MS } from '../protocol/limits.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import type { SandboxHost } from '../sandbox/sandbox.ts';
import type { Database } from '../store/database.ts';
import type { PreviewHub } from '../store/previews.ts';
import type { FreshCalls } from './fresh-calls.ts';
import type { McpServers } from './mcp/mcp-servers.ts';
import type { ModelClient } from './model/anthropic.ts';
import type { TranscriptCache } from './model/transcript-cache.ts';
import type { WebTools } from './web/web-tools.ts';

export interface ActivityDeps {
  sql: Database;
  previews: PreviewHub;
  model: ModelClient;
  models: ModelCatalog;
  /** Requests of one model call, the first included, before its turn ends with an error */
  modelAttemptsMax: number;
  /** Silence inside a model stream after which it counts as cut */
  modelSilenceMs: number;
  transcripts: TranscriptCache;
  freshCalls: FreshCalls;
  web: WebTools;
  mcp: McpServers;
  /** Absent in a worker that runs no sandboxes */
  sandbox: SandboxHost | undefined;
  hostId: string;
  log: Logger;
  /** Command summaries may enter the Temporal history */
  showsCommands: boolean;
  /** Values that must never appear in a history or a log */
  secrets: readonly string[];
  /** A test's switch: called at named moments, to be killed there */
  pausePoint?: (name: string) => Promise<void>;
}

/** Runs `work` while heartbeating; cancellation is delivered with the heartbeats. */
export async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), ACTIVITY_BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Whether the workflow asked for the cancellation, as against a worker that is going down. */
export function isCancelRequested(context: Context): boolean {
  return context.cancellationDetails?.cancelRequested === true;
}

/** A text without the known secrets in it. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '[redacted]'), text);
}
