// A thousand sessions that wait for their clients must cost nothing but rows: the server's memory
// after a restart and after a kill -9 beside that of the same server without sessions, restarted
// and looked at alike. No container may be there, and sessions drawn at random can be answered.
import type Anthropic from '@anthropic-ai/sdk';
import { setTimeout as pause } from 'node:timers/promises';
import { WORKER_CACHED_WORKFLOWS_MAX } from '../../protocol/limits.ts';
import { docker } from '../containers.ts';
import { memoryOf, type ServerMemory } from '../process-memory.ts';
import { type Bench, type Figures, type Row, size } from '../row.ts';
import { ServerProcess } from '../server-process.ts';
import { Sessions } from '../sessions.ts';
import { randomFrom, rounded, timed } from '../statistics.ts';

export const parkedSessions: Row = {
  names: ['parked_1000'],
  about: '1,000 sessions that wait for a client: memory of the server after its restart',
  measure: measureParked,
};

const SEED = 20_261_128;
/** sessions are made so many at a time */
const MADE_AT_ONCE = 20;
const ANSWERED = 20;
/** until the second look, when what a start leaves behind was collected, `ms` */
const LATER_MS = 30_000;
const LATER_QUICK_MS = 10_000;
/** a turn of one model call that takes longer is stuck, `ms` */
const ANSWER_MS_MAX = 30_000;
const PARKED_MS_MAX = 600_000;
const POLL_MS = 500;
const LAST_WORDS = 'Looked up.';
const TOOL: Anthropic.Beta.Agents.BetaManagedAgentsCustomToolParams = {
  type: 'custom',
  name: 'look_up',
  description: 'Looks something up.',
  input_schema: { type: 'object' },
};

/** Memory when `/healthz` is well again, and some time later. */
interface Looks {
  ready: ServerMemory;
  later: ServerMemory;
}

async function measureParked(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 1_000, 100);
  const laterMs = size(bench, LATER_MS, LATER_QUICK_MS);
  bench.say(`parked_1000: a server of its own, ${count} sessions`);
  const server = await ServerProcess.start();
  try {
    const sessions = await Sessions.open(server, { tools: [TOOL] });
    const empty = await restartedAndKilled(server, laterMs);
    const ids: string[] = [];
    const madeMs = await timed(async () => {
      await parkAll(sessions, ids, count);
      await untilParked(sessions, count);
    });
    bench.say(`parked_1000: parked after ${Math.round(madeMs)} ms; restarting`);
    const full = await restartedAndKilled(server, laterMs);
    await expectNoContainer(ids);
    await answerSome(sessions, ids);
    await expectNoContainer(ids);
    const more = (which: 'restart' | 'kill', look: keyof Looks): number =>
      rounded(ownNode(full[which][look]) - ownNode(empty[which][look]));
    return [
      {
        name: 'parked_1000',
        sessions: count,
        more_mib_after_restart: more('restart', 'ready'),
        more_mib_after_restart_later: more('restart', 'later'),
        more_mib_after_kill: more('kill', 'ready'),
        more_mib_after_kill_later: more('kill', 'later'),
        later_s: laterMs / 1_000,
        memory_mib: full,
        baseline_memory_mib: empty,
        baseline: 'the same server without sessions, restarted and killed alike',
        cached_workflows_max: WORKER_CACHED_WORKFLOWS_MAX,
        containers: 0,
        answered: ANSWERED,
        seed: SEED,
        parked_per_s: rounded((count * 1_000) / madeMs),
      },
    ];
  } finally {
    await server.close();
  }
}

/** The server's own processes: itself and the scripted model; not PostgreSQL, not Temporal. */
function ownNode(memory: ServerMemory): number {
  return memory.server + memory.model;
}

async function restartedAndKilled(
  server: ServerProcess,
  laterMs: number,
): Promise<{ restart: Looks; kill: Looks }> {
  const look = async (): Promise<Looks> => {
    await server.startAgain();
    const ready = memoryOf(server);
    await pause(laterMs);
    return { ready, later: memoryOf(server) };
  };
  await server.stop();
  const restart = await look();
  await server.kill();
  return { restart, kill: await look() };
}

/** Makes sessions whose first events call the tool, which only a client can answer. */
async function parkAll(sessions: Sessions, ids: string[], count: number): Promise<void> {
  const content = [{ type: 'text' as const, text: `@look_up {"what":"it"}\n= ${LAST_WORDS}` }];
  const makeNext = async (): Promise<void> => {
    for (let left = count / MADE_AT_ONCE; left > 0; left -= 1) {
      ids.push(await sessions.create({ initial_events: [{ type: 'user.message', content }] }));
    }
  };
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, makeNext));
}

async function untilParked(sessions: Sessions, count: number): Promise<void> {
  const deadline = performance.now() + PARKED_MS_MAX;
  for (;;) {
    let idle = 0;
    for await (const session of sessions.client.beta.sessions.list({ limit: 100 })) {
      if (session.status === 'idle') idle += 1;
    }
    if (idle >= count) return;
    if (performance.now() > deadline) throw new Error(`only ${idle} of ${count} sessions parked`);
    await pause(POLL_MS);
  }
}

async function expectNoContainer(ids: readonly string[]): Promise<void> {
  const known = new Set(ids);
  const found = await docker.listContainers({
    all: true,
    filters: { label: ['holdfast.session'] },
  });
  const ours = found.filter(({ Labels }) => known.has(Labels['holdfast.session'] ?? ''));
  if (ours.length > 0) throw new Error(`${ours.length} containers of sessions that only wait`);
}

/** Answers sessions drawn at random; throws unless each goes on to its end. */
async function answerSome(sessions: Sessions, ids: readonly string[]): Promise<void> {
  const random = randomFrom(SEED);
  const left = [...ids];
  for (let answered = 0; answered < ANSWERED; answered += 1) {
    const [id] = left.splice(Math.floor(random() * left.length), 1);
    await answer(sessions.client, id!);
  }
}

async function answer(client: Anthropic, id: string): Promise<void> {
  const { events } = client.beta.sessions;
  let call: string | undefined;
  for await (const event of events.list(id)) {
    if (event.type === 'agent.custom_tool_use') call = event.id;
    if (event.type !== 'session.status_idle') continue;
    if (event.stop_reason.type !== 'requires_action') throw new Error(`${id} does not wait`);
  }
  const stream = await events.stream(id, undefined, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  const content = [{ type: 'text' as const, text: 'found' }];
  await events.send(id, {
    events: [{ type: 'user.custom_tool_result', custom_tool_use_id: call!, content }],
  });
  let said = '';
  for await (const event of stream) {
    if (event.type === 'agent.message') said += JSON.stringify(event.content);
    if (event.type !== 'session.status_idle') continue;
    if (event.stop_reason.type === 'end_turn' && said.includes(LAST_WORDS)) return;
    throw new Error(`${id} ended with ${event.stop_reason.type} after ${said}`);
  }
  throw new Error(`the stream of ${id} ended before its turn`);
}
