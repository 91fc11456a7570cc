// What happens when many use the server: a hundred sessions at work at once beside the plain loop
// doing the same, and a hundred that only wait.
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
  const playAll = (): Promise<number> =>
    timed(() => Promise.all(ids.map((id) => sessions.play(id, message()))));
  const { result: ours, peak } = await withMemoryPeak(server, async () => [
    await playAll(),
    await playAll(),
  ]);
  bench.say(`hundred_sessions: ${ours.map(Math.round).join(' and ')} ms; now the plain loop`);
  await sessions.deleteAll();
  const theirs = await plain.play(ids.map(message), 2);
  const [cold, warm] = ours as [number, number];
  const [plainCold, plainWarm] = theirs.wallsMs as [number, number];
  const perSecond = (wallMs: number): number => rounded((count * perSession * 1_000) / wallMs);
  return [
    {
      name: 'hundred_sessions',
      ratio: rounded(cold / plainCold),
      sessions: count,
      rounds_each: perSession,
      wall_ms: Math.round(cold),
      baseline_wall_ms: Math.round(plainCold),
      rounds_per_s: perSecond(cold),
      baseline_rounds_per_s: perSecond(plainCold),
      second_turn_wall_ms: Math.round(warm),
      second_turn_baseline_wall_ms: Math.round(plainWarm),
      second_turn_ratio: rounded(warm / plainWarm),
      second_turn_rounds_per_s: perSecond(warm),
      second_turn_baseline_rounds_per_s: perSecond(plainWarm),
      memory_peak_mib: peak,
      baseline_rss_peak_mib: rounded(theirs.rssPeakBytes / BYTES_PER_MEBIBYTE),
      all_ended: true,
      note: 'the first turn starts all containers; in the second they are there',
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
