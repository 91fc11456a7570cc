// A thousand readers on one session's stream: each must have every event of a turn once and in
// order, or the row fails. Beside the time in which an event reaches them all: Node's bare HTTP
// server writing the same frames to the same clients, and the same turn with one reader.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../main/config.ts';
import { newTag } from '../model-clock.ts';
import { cpuMsOf, memoryOf, withMemoryPeak } from '../process-memory.ts';
import { type Bench, type Figures, type Row, size } from '../row.ts';
import type { ServerProcess } from '../server-process.ts';
import { rounds, type Sessions } from '../sessions.ts';
import { inPairs, median, percentile, rounded } from '../statistics.ts';
import type { BroadcastOrder } from './bare-broadcast.ts';
import type { FrameTimes, ReaderOrder, ReaderReport } from './reader-clients.ts';

export const streamReaders: Row = {
  names: ['readers_1000'],
  about: '1,000 readers of one session: first one to have an event → last one to have it',
  measure: measureReaders,
};

const CLIENTS = fileURLToPath(new URL('reader-clients.ts', import.meta.url));
const BROADCAST = fileURLToPath(new URL('bare-broadcast.ts', import.meta.url));
/** two processes read, so that reading is not what is measured */
const CLIENT_PROCESSES = 2;
/** commands of the turn; with them it has about twenty events */
const TURN_ROUNDS = 4;
/** one turn's two dozen events say little on a machine that other work shares */
const TURNS = 5;
/** a round of a turn is about this long: the pause between two events of the bare server, `ms` */
const BARE_PAUSE_MS = 25;
/** until what opening and closing left behind is collected, `ms` */
const SETTLE_MS = 3_000;
const IDLE = '"type":"session.status_idle"';

interface Reading {
  frames: string[];
  /** first reader → last reader, of each event, `ms` */
  fanOutsMs: number[];
  openedMs: number;
  /** first reader's first event → last reader's last event */
  turnMs: number;
}

async function measureReaders(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 1_000, 200);
  const [server, sessions] = [await bench.server(), await bench.sessions()];
  bench.say(`readers_1000: one reader, ${count} readers, as many of a bare HTTP server`);
  const id = await sessions.create();
  await sessions.play(id, '$ echo the sandbox is there');
  const alone = await readTurn({ server, sessions, id }, 1);
  await pause(SETTLE_MS);
  const before = memoryOf(server);
  let open = before;
  let descriptors = 0;
  let cpuBefore = 0;
  const { result: many, peak } = await withMemoryPeak(server, () =>
    readTurn({ server, sessions, id }, count, async () => {
      await pause(SETTLE_MS);
      open = memoryOf(server);
      descriptors = readdirSync(`/proc/${server.pid}/fd`).length;
      cpuBefore = cpuMsOf(server.pid);
    }),
  );
  const cpuMs = cpuMsOf(server.pid) - cpuBefore;
  await expectHistory(sessions, id, many.frames);
  const ours = [...many.fanOutsMs];
  const theirs: number[] = [];
  await inPairs(
    size(bench, TURNS, 1),
    async (pair) => {
      // The first one is the turn above.
      if (pair > 0) ours.push(...(await readTurn({ server, sessions, id }, count)).fanOutsMs);
    },
    async () => void theirs.push(...(await readBare(many.frames, count)).fanOutsMs),
  );
  await pause(SETTLE_MS);
  const after = memoryOf(server);
  await sessions.deleteAll();
  return [
    {
      name: 'readers_1000',
      p50_ms: rounded(median(ours)),
      p95_ms: rounded(percentile(ours, 0.95)),
      max_ms: rounded(Math.max(...ours)),
      baseline_p50_ms: rounded(median(theirs)),
      baseline_max_ms: rounded(Math.max(...theirs)),
      ratio: rounded(median(ours) / median(theirs)),
      readers: count,
      client_processes: CLIENT_PROCESSES,
      events: many.frames.length,
      turns: size(bench, TURNS, 1),
      every_event_once_in_order: true,
      turn_ms: Math.round(many.turnMs),
      one_reader_turn_ms: Math.round(alone.turnMs),
      opened_ms: Math.round(many.openedMs),
      server_cpu_ms: Math.round(cpuMs),
      memory_mib: {
        without: before.server,
        open: open.server,
        peak: peak.server,
        after: after.server,
      },
      kib_per_reader: rounded(((open.server - before.server) * 1_024) / count),
      open_files: descriptors,
      open_files_limit: openFilesLimit(server.pid),
      baseline: "the same frames from Node's bare HTTP server to the same clients",
    },
  ];
}

/** Opens readers, plays one turn, and waits until each has read it. */
async function readTurn(
  { server, sessions, id }: { server: ServerProcess; sessions: Sessions; id: string },
  readers: number,
  whenOpen = async (): Promise<void> => {},
): Promise<Reading> {
  const order = {
    url: `${server.url}/v1/sessions/${id}/events/stream`,
    headers: {
      'x-api-key': server.apiKey,
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'managed-agents-2026-04-01',
    },
    until: IDLE,
  };
  return readAll(order, readers, async () => {
    await whenOpen();
    await sessions.send(id, rounds(newTag('readers'), TURN_ROUNDS));
  });
}

/** The same frames from a server that does nothing else. */
async function readBare(frames: string[], readers: number): Promise<Reading> {
  const child = fork(BROADCAST, { env: childEnvironment() });
  try {
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const order = { url: `http://127.0.0.1:${port}/`, headers: {}, until: IDLE };
    return await readAll(order, readers, async () => {
      for (const frame of frames) {
        const broadcast: BroadcastOrder = { frame: `${frame}\n\n` };
        child.send(broadcast);
        await pause(BARE_PAUSE_MS);
      }
    });
  } finally {
    child.kill('SIGKILL');
  }
}

/** Starts the client processes; when all their readers are open lets `play` cause the frames. */
async function readAll(
  order: Omit<ReaderOrder, 'readers'>,
  readers: number,
  play: () => Promise<void>,
): Promise<Reading> {
  const processes = Math.min(CLIENT_PROCESSES, readers);
  const each: ReaderOrder = { ...order, readers: readers / processes };
  const children = Array.from({ length: processes }, () =>
    fork(CLIENTS, [JSON.stringify(each)], { env: childEnvironment() }),
  );
  try {
    const opened = await Promise.all(children.map((child) => nextReport(child, 'open')));
    const reads = Promise.all(children.map((child) => nextReport(child, 'read')));
    // Side by side: a client process may fail while the turn is still being played.
    const [found] = await Promise.all([reads, play()]);
    const frames = found[0]!.frames;
    if (found.some((one) => one.frames.join('\n') !== frames.join('\n'))) {
      throw new Error('the readers of one process read other frames than those of another');
    }
    const times = frames.map((_, index) => allOf(found.map((one) => one.times[index]!)));
    return {
      frames,
      fanOutsMs: times.map(({ firstAt, lastAt }) => lastAt - firstAt),
      openedMs: Math.max(...opened.map(({ openedMs }) => openedMs)),
      turnMs: times.at(-1)!.lastAt - times[0]!.firstAt,
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** When a frame had come to the first and the last reader of all processes. */
function allOf(times: readonly FrameTimes[]): FrameTimes {
  return {
    firstAt: Math.min(...times.map(({ firstAt }) => firstAt)),
    lastAt: Math.max(...times.map(({ lastAt }) => lastAt)),
  };
}

async function nextReport<K extends ReaderReport['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<ReaderReport, { kind: K }>> {
  const left = new AbortController();
  const { signal } = left;
  try {
    const [report] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(() => [{ kind: 'failed', reason: 'it ended' }]),
    ])) as [ReaderReport];
    if (report.kind === kind) return report as Extract<ReaderReport, { kind: K }>;
    throw new Error(`readers: ${report.kind === 'failed' ? report.reason : report.kind}`);
  } finally {
    left.abort();
  }
}

/** Throws unless the frames are the newest events of the session's history, seq by seq. */
async function expectHistory(sessions: Sessions, id: string, frames: string[]): Promise<void> {
  const read = frames.map((frame) => {
    const [, seq, data] = /^id: (\d+)\nevent: message\ndata: (.*)$/.exec(frame)!;
    return { seq: Number(seq), id: (JSON.parse(data!) as { id: string }).id };
  });
  if (read.some(({ seq }, index) => seq !== read[0]!.seq + index)) {
    throw new Error(`the readers skipped events: ${read.map(({ seq }) => seq).join(', ')}`);
  }
  const kept: string[] = [];
  for await (const event of sessions.client.beta.sessions.events.list(id)) kept.push(event.id);
  const wanted = kept.slice(-read.length).toSorted();
  if (
    wanted.join() !==
    read
      .map((one) => one.id)
      .toSorted()
      .join()
  ) {
    throw new Error('the readers read other events than the history has');
  }
}

function openFilesLimit(pid: number): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
}
