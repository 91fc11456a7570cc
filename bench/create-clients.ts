// The clients of the row session_creates, as a process of their own: so many connections that are
// kept alive, each sending its next request when the last is answered. Arguments: one JSON object.
// Prints one JSON object: how many were answered, and how long they took.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { percentile, rounded } from './statistics.ts';

/** What the process is told. */
export interface ClientOrder {
  method: 'GET' | 'POST';
  url: string;
  apiKey: string;
  body?: string;
  clients: number;
  durationMs: number;
}

/** What it answers. */
export interface ClientReport {
  perMinute: number;
  p50Ms: number;
  p95Ms: number;
}

const MINUTE_MS = 60_000;
/** every client's first requests open its connection, and are not counted */
const UNCOUNTED = 10;

/** Sends one request; the answer is the id of what it returned. */
function send(order: ClientOrder, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = {
    'x-api-key': order.apiKey,
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'managed-agents-2026-04-01',
    ...(order.body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(order.body) }),
  };
  const sent = request(order.url, { method: order.method, agent, headers }, (answer) => {
    text(answer).then((body) => {
      const id = /"id":"((sesn|agent)_[^"]+)"/.exec(body)?.[1];
      if (answer.statusCode === 200 && id !== undefined) resolve(id);
      else reject(new Error(`status ${answer.statusCode}: ${body.slice(0, 200)}`));
    }, reject);
  });
  sent.once('error', reject);
  sent.end(order.body);
  return promise;
}

async function run(order: ClientOrder): Promise<ClientReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: order.clients });
  const warm = Array.from({ length: order.clients }, async () => {
    for (let count = 0; count < UNCOUNTED; count += 1) await send(order, agent);
  });
  await Promise.all(warm);
  const took: number[] = [];
  const ids = new Set<string>();
  const startedAt = performance.now();
  const loops = Array.from({ length: order.clients }, async () => {
    while (performance.now() - startedAt < order.durationMs) {
      const sentAt = performance.now();
      const id = await send(order, agent);
      took.push(performance.now() - sentAt);
      if (order.method === 'POST' && ids.has(id)) throw new Error(`${id} was made twice`);
      ids.add(id);
    }
  });
  await Promise.all(loops);
  const elapsedMs = performance.now() - startedAt;
  agent.destroy();
  return {
    perMinute: Math.round((took.length / elapsedMs) * MINUTE_MS),
    p50Ms: rounded(percentile(took, 0.5)),
    p95Ms: rounded(percentile(took, 0.95)),
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2]!) as ClientOrder)));
}
