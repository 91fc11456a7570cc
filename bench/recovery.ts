// How soon a session goes on after kill -9: the server process dies while a turn runs (between
// short commands, during a long one, in the middle of a model's stream), is started again at once,
// and the log's next event is awaited. Moments are drawn from a printed seed.
import { setTimeout as pause } from 'node:timers/promises';
import { newTag } from './model-clock.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { rounds, type Sessions } from './sessions.ts';
import { median, percentile, randomFrom, rounded } from './statistics.ts';

export const recovery: Row = {
  names: ['recovery'],
  about: 'kill -9 of the server while a turn runs → next event after its restart',
  measure: measureRecovery,
};

/** what runs when the process dies; each goes on for several seconds */
const TURNS: Record<string, (tag: string) => string> = {
  short_commands: (tag) => rounds(tag, 100, 'sleep 0.05'),
  long_command: (tag) => rounds(tag, 2, 'sleep 4'),
  model_stream: (tag) => `${tag}\n# tokens 300 20`,
};
const SEED = 20_261_121;
/** from the first sign of the turn to the kill, `ms` */
const KILL_AFTER_MS_MIN = 1_000;
const KILL_AFTER_MS_MAX = 2_500;
/** a commit that was under way may still land, `ms` */
const IN_FLIGHT_MS = 100;
const TURN_MS_MAX = 180_000;
const POLL_MS = 100;

interface Recovery {
  /** from the kill, which the restart follows at once, to the next event */
  fromRestartMs: number;
  /** from `/healthz` being well again; 0 where the event was sooner */
  fromReadyMs: number;
}

async function measureRecovery(bench: Bench): Promise<Figures[]> {
  const each = size(bench, 4, 1);
  const random = randomFrom(SEED);
  const found: Recovery[] = [];
  const byKind: Record<string, number> = {};
  for (const [kind, turn] of Object.entries(TURNS)) {
    bench.say(`recovery: ${each} kills, ${kind} (seed ${SEED})`);
    const ofKind: number[] = [];
    for (let index = 0; index < each; index += 1) {
      const span = KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN;
      const one = await killOnce(bench, turn(newTag('kill')), KILL_AFTER_MS_MIN + span * random());
      found.push(one);
      ofKind.push(one.fromRestartMs);
    }
    byKind[kind] = Math.round(median(ofKind));
  }
  await (await bench.sessions()).deleteAll();
  const fromRestart = found.map(({ fromRestartMs }) => fromRestartMs);
  return [
    {
      name: 'recovery',
      p50_ms: rounded(median(fromRestart)),
      p95_ms: rounded(percentile(fromRestart, 0.95)),
      from_ready_p50_ms: rounded(median(found.map(({ fromReadyMs }) => fromReadyMs))),
      p50_ms_by_kind: byKind,
      kills: found.length,
      seed: SEED,
      baseline: 'none: the plain loop has lost everything',
    },
  ];
}

async function killOnce(bench: Bench, message: string, afterMs: number): Promise<Recovery> {
  const [server, sessions] = [await bench.server(), await bench.sessions()];
  const id = await sessions.create();
  await sessions.play(id, '$ echo the sandbox is there');
  await sessions.send(id, message);
  await becomes(sessions, id, 'running');
  await pause(afterMs);
  await server.kill();
  const killedAt = Date.now();
  await server.startAgain();
  const readyAt = Date.now();
  await becomes(sessions, id, 'idle');
  const next = await firstEventAfter(sessions, id, killedAt + IN_FLIGHT_MS);
  return {
    fromRestartMs: next - killedAt,
    fromReadyMs: Math.max(0, next - readyAt),
  };
}

async function becomes(sessions: Sessions, id: string, wanted: string): Promise<void> {
  const deadline = performance.now() + TURN_MS_MAX;
  for (;;) {
    const { status } = await sessions.client.beta.sessions.retrieve(id);
    if (status === wanted) return;
    if (performance.now() > deadline) throw new Error(`${id} did not become ${wanted}`);
    await pause(POLL_MS);
  }
}

async function firstEventAfter(sessions: Sessions, id: string, afterMs: number): Promise<number> {
  const times: number[] = [];
  for await (const event of sessions.client.beta.sessions.events.list(id)) {
    const at = 'processed_at' in event ? Date.parse(event.processed_at ?? '') : Number.NaN;
    if (at > afterMs) times.push(at);
  }
  if (times.length === 0) throw new Error(`${id} has no event after the kill`);
  return Math.min(...times);
}
