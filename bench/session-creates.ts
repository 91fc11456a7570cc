// How many sessions a minute the server creates for twenty clients that are a process of their own,
// and for one. Beside it the same clients reading one agent: what HTTP, the key and one query cost
// alone.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { childEnvironment } from '../main/config.ts';
import type { ClientOrder, ClientReport } from './create-clients.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { rounded } from './statistics.ts';

export const sessionCreates: Row = {
  names: ['session_creates'],
  about: 'sessions created a minute from 20 clients, one transaction each',
  measure: measureCreates,
};

const PROGRAM = fileURLToPath(new URL('create-clients.ts', import.meta.url));
const CLIENTS = 20;

async function measureCreates(bench: Bench): Promise<Figures[]> {
  const durationMs = size(bench, 15_000, 3_000);
  bench.say(`session_creates: ${CLIENTS} clients, ${durationMs} ms each way`);
  const server = await bench.server();
  const { agentId, environmentId } = await bench.sessions();
  const shared = { apiKey: server.apiKey, durationMs };
  const create = {
    ...shared,
    method: 'POST' as const,
    url: `${server.url}/v1/sessions`,
    body: JSON.stringify({ agent: agentId, environment_id: environmentId }),
  };
  const read = { ...shared, method: 'GET' as const, url: `${server.url}/v1/agents/${agentId}` };
  const reads = await clients({ ...read, clients: CLIENTS });
  const creates = await clients({ ...create, clients: CLIENTS });
  const alone = await clients({ ...create, clients: 1 });
  return [
    {
      name: 'session_creates',
      p50_ms: creates.p50Ms,
      p95_ms: creates.p95Ms,
      baseline_p50_ms: reads.p50Ms,
      ratio: rounded(creates.p50Ms / reads.p50Ms),
      per_minute: creates.perMinute,
      one_client_per_minute: alone.perMinute,
      baseline_per_minute: reads.perMinute,
      baseline: 'the same clients reading one agent',
    },
  ];
}

async function clients(order: ClientOrder): Promise<ClientReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(order)], {
    env: childEnvironment(),
  });
  return JSON.parse(stdout) as ClientReport;
}
