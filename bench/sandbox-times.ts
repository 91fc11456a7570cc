// The sandbox room alone, with its own host in this process: what a tool call costs over the work
// inside the container, against `docker exec`; and how long a sandbox takes to be there, cold,
// kept, paused and stopped, against the engine asked directly.
import type Docker from 'dockerode';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { createSandboxHost } from '../sandbox/sandbox-host.ts';
import type { SandboxHost } from '../sandbox/sandbox.ts';
import { socketDirectory } from '../sandbox/socket-directory.ts';
import { execIn, removeContainers, startPlainContainer } from './containers.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { inPairs, median, percentile, rounded, timed } from './statistics.ts';

export const toolOverhead: Row = {
  names: ['tool_overhead'],
  about: 'a call through the sandbox host over the work in the container, against docker exec',
  measure: (bench) =>
    withHost({ pauseMs: 600_000, stopMs: 600_000 }, (h) => measureCalls(bench, h)),
};

export const sandboxTimes: Row = {
  names: ['sandbox_cold', 'sandbox_warm', 'sandbox_resume', 'sandbox_unpause'],
  about: 'a sandbox is there: cold, kept, after a stop, after a pause; against create and start',
  measure: measureSandboxTimes,
};

/** runs a program and says how long that took inside, in microseconds */
const TIMED_COMMAND =
  's=$EPOCHREALTIME; /bin/true; e=$EPOCHREALTIME; echo $(( ${e/./} - ${s/./} ))';
const BLOCK_CALLS = 10;
const SETTLE_MS = 300;
const PAUSE_MS = 200;
const REST_POLL_MS = 50;
const REST_MS_MAX = 30_000;

async function measureCalls(bench: Bench, host: SandboxHost): Promise<Figures[]> {
  const count = size(bench, 200, 30);
  bench.say(`tool_overhead: ${count} calls and ${count} docker execs`);
  const id = newSandboxId();
  await host.provision({ sandboxId: id, network: 'none' });
  const container = await startPlainContainer();
  const ours: number[] = [];
  const wholes: number[] = [];
  const plain: number[] = [];
  try {
    await callOverhead(host, id);
    await execOverhead(container);
    // In blocks, with a pause: the engine is still busy with a `docker exec` after it has answered.
    await inPairs(
      count / BLOCK_CALLS,
      async () => {
        await pause(SETTLE_MS);
        for (let call = 0; call < BLOCK_CALLS; call += 1) {
          const { whole, overhead } = await callOverhead(host, id);
          ours.push(overhead);
          wholes.push(whole);
        }
      },
      async () => {
        await pause(SETTLE_MS);
        for (let call = 0; call < BLOCK_CALLS; call += 1) plain.push(await execOverhead(container));
      },
    );
  } finally {
    await container.remove({ force: true });
    await host.release(id);
  }
  return [
    {
      name: 'tool_overhead',
      p50_ms: rounded(median(ours)),
      p95_ms: rounded(percentile(ours, 0.95)),
      baseline_p50_ms: rounded(median(plain)),
      ratio: rounded(median(ours) / median(plain)),
      whole_call_p50_ms: rounded(median(wholes)),
      baseline: 'docker exec through dockerode, over the same work',
      calls: count,
    },
  ];
}

async function callOverhead(
  host: SandboxHost,
  id: string,
): Promise<{ whole: number; overhead: number }> {
  const call = { callId: `call${randomBytes(8).toString('hex')}`, tool: 'bash' as const };
  let text = '';
  const whole = await timed(async () => {
    const outcome = await host.call(id, { ...call, input: { command: TIMED_COMMAND } });
    if (outcome.status !== 'completed') throw new Error(`a call ended as ${outcome.status}`);
    const [block] = outcome.content;
    text = block?.type === 'text' ? block.text : '';
  });
  host.acknowledge(id, call.callId);
  return { whole, overhead: whole - insideMs(text) };
}

async function execOverhead(container: Docker.Container): Promise<number> {
  let text = '';
  const whole = await timed(async () => {
    text = (await execIn(container, TIMED_COMMAND)).output;
  });
  return whole - insideMs(text);
}

function insideMs(output: string): number {
  const microseconds = Number.parseInt(output.trim(), 10);
  if (Number.isNaN(microseconds)) throw new Error(`no time in the output ${output}`);
  return microseconds / 1_000;
}

interface Times {
  cold: number[];
  kept: number[];
  unpaused: number[];
  resumed: number[];
}

async function measureSandboxTimes(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 12, 4);
  bench.say(`sandbox: ${count} cold starts and ${count} of the engine's own; rests`);
  const ours: Times = { cold: [], kept: [], unpaused: [], resumed: [] };
  const plain: Times = { cold: [], kept: [], unpaused: [], resumed: [] };
  await withHost({ pauseMs: PAUSE_MS, stopMs: 600_000 }, async (host) => {
    await inPairs(
      count,
      async () => {
        const id = newSandboxId();
        ours.cold.push(await timed(() => host.provision({ sandboxId: id, network: 'none' })));
        ours.kept.push(await timed(() => host.provision({ sandboxId: id, network: 'none' })));
        await rested(host, id, 'paused');
        ours.unpaused.push(await timed(() => callOverhead(host, id)));
        await host.release(id);
      },
      async () => {
        let container: Docker.Container | undefined;
        plain.cold.push(await timed(async () => (container = await startPlainContainer())));
        await container!.pause();
        plain.unpaused.push(await timed(() => container!.unpause()));
        await container!.remove({ force: true });
      },
    );
  });
  await withHost({ pauseMs: PAUSE_MS, stopMs: PAUSE_MS }, async (host) => {
    await inPairs(
      count,
      async () => {
        const id = newSandboxId();
        await host.provision({ sandboxId: id, network: 'none' });
        await rested(host, id, 'exited');
        ours.resumed.push(await timed(() => callOverhead(host, id)));
        await host.release(id);
      },
      async () => {
        const container = await startPlainContainer();
        await container.stop({ t: 0 });
        plain.resumed.push(await timed(() => container.start()));
        await container.remove({ force: true });
      },
    );
  });
  return [
    { ...against('sandbox_cold', ours.cold, plain.cold), baseline: 'dockerode create + start' },
    {
      ...against('sandbox_warm', ours.kept, plain.cold),
      baseline: 'dockerode create + start',
      note: 'a running sandbox is asked for again; there is no warm pool yet',
    },
    {
      ...against('sandbox_resume', ours.resumed, plain.resumed),
      baseline: 'dockerode start after stop',
      note: 'stopped sandbox → first call answered, files kept',
    },
    {
      ...against('sandbox_unpause', ours.unpaused, plain.unpaused),
      baseline: 'dockerode unpause',
      note: 'paused sandbox → first call answered',
    },
  ];
}

function against(name: string, ours: number[], plain: number[]): Figures {
  return {
    name,
    p50_ms: rounded(median(ours)),
    p95_ms: rounded(percentile(ours, 0.95)),
    baseline_p50_ms: rounded(median(plain)),
    ratio: rounded(median(ours) / median(plain)),
    starts: ours.length,
  };
}

/** Waits until the idle rule has put the container to rest. */
async function rested(host: SandboxHost, id: string, state: string): Promise<void> {
  const deadline = performance.now() + REST_MS_MAX;
  for (;;) {
    const found = (await host.list()).find(({ sandboxId }) => sandboxId === id);
    if (found?.state === state) return;
    if (performance.now() > deadline) throw new Error(`${id} is ${found?.state}, not ${state}`);
    await pause(REST_POLL_MS);
  }
}

/** A host of its own in this process, and nothing of it left afterwards. */
async function withHost<T>(
  idle: { pauseMs: number; stopMs: number },
  work: (host: SandboxHost) => Promise<T>,
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const hostId = `bench${randomBytes(6).toString('hex')}`;
  const log = pino({ level: 'silent' });
  const host = await createSandboxHost({ dataDir, hostId, log, idle });
  try {
    return await work(host);
  } finally {
    await host.close();
    await removeContainers(`holdfast.host=${hostId}`);
    rmSync(socketDirectory(dataDir), { recursive: true, force: true });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function newSandboxId(): string {
  return `sesn_bench${randomBytes(6).toString('hex')}`;
}
