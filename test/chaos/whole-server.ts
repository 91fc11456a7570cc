// The all-in-one as this suite kills it: on a port that survives its restarts, with a model that
// takes a moment, and with the pids of what runs beside it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, type TestServer } from '../helpers/server.ts';
import { until } from '../helpers/until.ts';
import { freePort } from './program.ts';
import { Stage } from './stage.ts';

/** how long a server may take to be healthy after something beside it died */
const HEALTHY_MS = 90_000;

export interface WholeServer {
  server: TestServer;
  stage: Stage;
}

/** Starts one, with further settings; close its `server` in the end. */
export async function startWholeServer(
  settings: Record<string, string> = {},
): Promise<WholeServer> {
  const server = await startServer({
    HOLDFAST_PORT: String(await freePort()),
    HOLDFAST_SCRIPTED_DELAY_MS: '20',
    ...settings,
  });
  const stage = await Stage.open({ urls: [server.url], apiKey: server.apiKey });
  return { server, stage };
}

/** Kills one of the processes beside the server as `kill -9` does. */
export function killBeside(server: TestServer, name: 'postgres' | 'temporal'): void {
  const pid = Number(readFileSync(join(server.dataDir, `${name}.pid`), 'utf8'));
  process.kill(pid, 'SIGKILL');
}

/** Resolves when the server says of all its parts that they are there. */
export async function untilHealthy(server: TestServer): Promise<void> {
  const isHealthy = (): Promise<boolean> =>
    fetch(`${server.url}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    );
  await until('the server is healthy again', isHealthy, { timeoutMs: HEALTHY_MS });
}
