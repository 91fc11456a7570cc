// How long a user waits for a stop: `user.interrupt` while the container sleeps for ten minutes, to
// the session being idle; afterwards the process is gone and the next message works.
import { setTimeout as pause } from 'node:timers/promises';
import { docker } from './containers.ts';
import { newTag } from './model-clock.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { median, percentile, rounded } from './statistics.ts';

export const interrupt: Row = {
  names: ['interrupt'],
  about: 'user.interrupt during `sleep 600` → session idle, process gone',
  measure: measureInterrupt,
};

const COMMAND = 'sleep 600';
/** long enough for the command to have become an ordinary activity, `ms` */
const RUNNING_MS = 1_500;
const POLL_MS = 100;
const STARTED_MS_MAX = 30_000;

async function measureInterrupt(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 10, 3);
  bench.say(`interrupt: ${count} times during ${COMMAND}`);
  const toIdle: number[] = [];
  const sessions = await bench.sessions();
  for (let index = 0; index < count; index += 1) {
    toIdle.push(await interruptOne(bench));
  }
  await sessions.deleteAll();
  return [
    {
      name: 'interrupt',
      p50_ms: rounded(median(toIdle)),
      p95_ms: rounded(percentile(toIdle, 0.95)),
      interrupts: count,
      processes_left: 0,
    },
  ];
}

async function interruptOne(bench: Bench): Promise<number> {
  const sessions = await bench.sessions();
  const id = await sessions.create();
  const { events } = sessions.client.beta.sessions;
  const stream = await events.stream(id);
  await sessions.send(id, `${newTag('interrupt')}\n$ ${COMMAND}`);
  const deadline = performance.now() + STARTED_MS_MAX;
  while (!(await isSleeping(id))) {
    if (performance.now() > deadline) throw new Error(`the command of ${id} did not start`);
    await pause(POLL_MS);
  }
  await pause(RUNNING_MS);
  const sentAt = performance.now();
  await events.send(id, { events: [{ type: 'user.interrupt' }] });
  for await (const event of stream) {
    if (event.type === 'session.status_idle') break;
  }
  const took = performance.now() - sentAt;
  if (await isSleeping(id)) throw new Error(`the command of ${id} outlived its interrupt`);
  await sessions.play(id, '$ echo still here');
  return took;
}

/** Whether the command runs in the session's container. */
async function isSleeping(sessionId: string): Promise<boolean> {
  const filters = { label: [`holdfast.session=${sessionId}`] };
  const [found] = await docker.listContainers({ filters });
  if (found === undefined || found.State !== 'running') return false;
  const { Processes } = (await docker.getContainer(found.Id).top()) as { Processes: string[][] };
  return Processes.some((words) => words.at(-1) === COMMAND);
}
