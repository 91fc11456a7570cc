// The HTTP side of a process. It listens before anything behind it is ready, so that a taken port
// is known at once and `/healthz` can name what is missing; requests before that get a 503 that
// clients retry. Promise: after drain() no request is accepted, open streams end, running answers
// are finished, and no client can hold it up for longer than API_DRAIN_MS.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import { createApp } from '../api/app.ts';
import { createDoorbell } from '../api/doorbell.ts';
import { createHttpServer } from '../api/http-server.ts';
import type { Fetch } from '../api/http-server.ts';
import { newId } from '../protocol/ids.ts';
import { API_DRAIN_MS } from '../protocol/limits.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import { pingDatabase } from '../store/database.ts';
import type { Database } from '../store/database.ts';
import { createFollower } from '../store/follow.ts';
import { openInstance } from '../store/instance.ts';
import type { PreviewHub } from '../store/previews.ts';
import { startRelay } from '../store/relay.ts';
import type { Config } from './config.ts';
import { sessionSettings } from './connections.ts';
import { checkParts } from './health.ts';
import type { PartCheck } from './health.ts';
import { createAuditLogger } from './log.ts';
import { pausePoint } from './pause-point.ts';
import type { Startup } from './process-life.ts';
import { StartError } from './data-directory.ts';

export interface ApiParts {
  sql: Database;
  temporal: Client;
  previews: PreviewHub;
  organizationId: string;
  models: ModelCatalog;
  /** what no history may show */
  hidden: readonly string[];
  /** what `/healthz` asks besides the database and Temporal */
  checks?: Readonly<Record<string, PartCheck>>;
}

export interface ApiServer {
  /** where it listens, with the port that was really taken */
  readonly url: string;
  /** Serves the API from now on. */
  open(parts: ApiParts, startup: Startup): Promise<void>;
  /**
   * Stops accepting and ends the streams; resolves when every answer was written, connections that
   * are open after API_DRAIN_MS having been cut, or at once if asked again.
   */
  drain(): Promise<void>;
}

/** Listens; throws StartError when the port is taken or the address is not this machine's. */
export async function listenForApi(config: Config): Promise<ApiServer> {
  const closing = new AbortController();
  let answer: Fetch = answerStarting;
  const server = createHttpServer((request, bindings) => answer(request, bindings));
  await listen(server, config);
  const { port } = server.address() as AddressInfo;
  const name = config.host.includes(':') ? `[${config.host}]` : config.host;
  return {
    url: `http://${name}:${port}`,
    async open(parts, startup) {
      answer = await openApi(parts, startup, closing.signal);
      startup.cleanup.defer(drain);
    },
    drain,
  };

  async function drain(): Promise<void> {
    closing.abort();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    // One that never asked anything is not idle to Node, and close() would wait for it for ever.
    const late = setTimeout(() => server.closeAllConnections(), API_DRAIN_MS);
    await closed;
    clearTimeout(late);
  }
}

async function openApi(
  parts: ApiParts,
  { config, log, cleanup }: Startup,
  closing: AbortSignal,
): Promise<Fetch> {
  const { sql, temporal, organizationId } = parts;
  const follower = await createFollower(sql, parts.previews);
  cleanup.defer(() => follower.close());
  const instance = await openInstance(sql);
  cleanup.defer(() => instance.close());
  const doorbell = createDoorbell(temporal, sessionSettings(config), {
    log,
    hidden: parts.hidden,
  });
  cleanup.defer(() => doorbell.settled());
  const relay = startRelay(sql, (sessionId, signal) => doorbell.ring(sessionId, signal));
  cleanup.defer(() => relay.stop());
  const checks = {
    database: () => pingDatabase(sql),
    temporal: () => temporal.workflowService.getSystemInfo({}),
    ...parts.checks,
  };
  const app = createApp({
    sql,
    models: parts.models,
    log,
    doorbell,
    follower,
    health: () => checkParts(checks),
    organizationId,
    closing,
    instance: instance.lock,
    rateLimits: config.rateLimits,
    ...((config.auditLog ?? true) ? { auditLog: createAuditLogger(log) } : {}),
    ...pausePoint(config, log),
  });
  return (request, bindings) => app.fetch(request, bindings);
}

function listen(server: Server, { host, port }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = LISTEN_TROUBLE[error.code ?? ''];
      reject(reason ? new StartError(reason(host, port)) : error);
    });
    server.listen(port, host, resolve);
  });
}

const LISTEN_TROUBLE: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (host, port) =>
    `Port ${port} on ${host} is taken: set HOLDFAST_PORT to another one, or to 0 for any free one.`,
  EACCES: (_host, port) =>
    `This user may not listen on port ${port}: set HOLDFAST_PORT above 1023.`,
  EADDRNOTAVAIL: (host) => `${host} is no address of this machine: set HOLDFAST_HOST.`,
  ENOTFOUND: (host) => `${host} is no address of this machine: set HOLDFAST_HOST.`,
};

function answerStarting(request: Request): Response {
  const requestId = newId('request');
  const headers = { 'request-id': requestId, 'retry-after': '1', 'cache-control': 'no-store' };
  const message = 'The server is starting.';
  const body = new URL(request.url).pathname.endsWith('/healthz')
    ? { ok: false, parts: { server: 'starting' } }
    : { type: 'error', error: { type: 'api_error', message }, request_id: requestId };
  return Response.json(body, { status: 503, headers });
}
