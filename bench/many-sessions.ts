// What happens when many use the server: a hundred sessions at work at once beside the plain loop doing
// the same, and a hundred that only wait.
import { setTimeout as pause } from 'node:timers/promises';
import { newTag } from './model-clock.ts';
import { memoryOf, withMemoryPeak } from './process-memory.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { rounds } from './sessions.ts';
import { rounded, timed } from './statistics.ts';

export const hundredSessions: Row = {
  names: ['hundred_sessions'],
  about: '100 sessions with 10 rounds each at once: wall time, throughput, memory',
  measure: measureAtWork,
};

export const idleMemory: Row = {
  names: ['idle_memory'],
  about: 'memory of the server with 100 idle sessions',
  measure: measureIdle,
};

const BYTES_PER_MEBIBYTE = 2 ** 20;
/** until what the turns left behind is collected, `ms` */
const SETTLE_MS = 5_000;
/** idle sessions are made so many at a time */
const TURNS_AT_ONCE = 10;

async function measureAtWork(bench: Bench): Promise<Figures[]> {
  const [count, perSession] = [size(bench, 100, 12), size(bench, 10, 5)];
  bench.say(`hundred_sessions: ${count} sessions with ${perSession} rounds`);
  const server = await bench.server();
  const sessions = await bench.sessions();
  const plain = await bench.plain();
  const ids = await Promise.all(Array.from({ length: count }, () => sessions.create()));
  const message = (): string => rounds(newTag('many'), perSession);
  // `play` throws unless the turn ends with end_turn, so a lost session fails the row.
  const { result: wallMs, peak } = await withMemoryPeak(server, () =>
    timed(() => Promise.all(ids.map((id) => sessions.play(id, message())))),
  );
  bench.say(`hundred_sessions: ${Math.round(wallMs)} ms; now the plain loop`);
  await sessions.deleteAll();
  const theirs = await plain.play(...ids.map(message));
  const all = count * perSession;
  return [
    {
      name: 'hundred_sessions',
      sessions: count,
      rounds_each: perSession,
      wall_ms: Math.round(wallMs),
      baseline_wall_ms: Math.round(theirs.wallMs),
      ratio: rounded(wallMs / theirs.wallMs),
      rounds_per_s: rounded((all / wallMs) * 1_000),
      baseline_rounds_per_s: rounded((all / theirs.wallMs) * 1_000),
      memory_peak_mib: peak,
      baseline_rss_peak_mib: rounded(theirs.rssPeakBytes / BYTES_PER_MEBIBYTE),
      all_ended: true,
    },
  ];
}

async function measureIdle(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 100, 20);
  bench.say(`idle_memory: ${count} idle sessions`);
  const server = await bench.server();
  const sessions = await bench.sessions();
  await sessions.play(await sessions.create(), '= hello');
  await pause(SETTLE_MS);
  const before = memoryOf(server);
  for (let made = 0; made < count; made += TURNS_AT_ONCE) {
    const turns = Array.from({ length: TURNS_AT_ONCE }, async () =>
      sessions.play(await sessions.create(), '= hello'),
    );
    await Promise.all(turns);
  }
  await pause(SETTLE_MS);
  const after = memoryOf(server);
  await sessions.deleteAll();
  return [
    {
      name: 'idle_memory',
      sessions: count,
      memory_mib: after,
      baseline_memory_mib: before,
      ratio: rounded(after.server / before.server),
      server_mib_per_session: rounded((after.server - before.server) / count),
      baseline: 'the same server with one session',
    },
  ];
}
