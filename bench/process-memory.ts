// How much memory processes hold, read from Linux: the proportional share (PSS), in which a page
// that several processes share counts once; and what processor time they have taken. Elsewhere than
// on Linux the answer is NaN.
import { readdirSync, readFileSync } from 'node:fs';
import type { ServerProcess } from './server-process.ts';
import { rounded } from './statistics.ts';

const KIBIBYTES_PER_MEBIBYTE = 1_024;
const SAMPLE_MS = 250;
/** Linux counts processor time to user space in hundredths of a second. */
const MS_PER_TICK = 10;

/** Memory by part, MiB. */
export interface ServerMemory {
  server: number;
  /** the scripted model */
  model: number;
  postgres: number;
  temporal: number;
}

/** Memory of the server and of what runs beside it, now. */
export function memoryOf(server: ServerProcess): ServerMemory {
  const { children } = server.runtime();
  const postgres = children['postgres']?.pid ?? 0;
  return {
    server: mebibytes([server.pid]),
    model: mebibytes([children['scripted-model']?.pid ?? 0]),
    postgres: mebibytes([postgres, ...childrenOf(postgres)]),
    temporal: mebibytes([children['temporal']?.pid ?? 0]),
  };
}

/** Runs some work; the answer has the highest memory of the server during it, MiB. */
export async function withMemoryPeak<T>(
  server: ServerProcess,
  work: () => Promise<T>,
): Promise<{ result: T; peak: ServerMemory }> {
  let peak = memoryOf(server);
  const timer = setInterval(() => {
    const now = memoryOf(server);
    peak = {
      server: Math.max(peak.server, now.server),
      model: Math.max(peak.model, now.model),
      postgres: Math.max(peak.postgres, now.postgres),
      temporal: Math.max(peak.temporal, now.temporal),
    };
  }, SAMPLE_MS);
  try {
    return { result: await work(), peak };
  } finally {
    clearInterval(timer);
  }
}

/** Processor time that a process has taken so far, `ms`; NaN elsewhere than on Linux. */
export function cpuMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // User and system time stand behind the name, which may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return Number.NaN;
  }
}

function mebibytes(pids: readonly number[]): number {
  const kibibytes = pids.map((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN);
    } catch {
      // It ended between the listing and the reading.
      return 0;
    }
  });
  return rounded(kibibytes.reduce((sum, part) => sum + part, 0) / KIBIBYTES_PER_MEBIBYTE);
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });
}
