// Processes inside the container: ends a command with everything it started, and clears the
// container when a fork bomb has used up its processes. Linux only; reads /proc and /sys/fs/cgroup.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { KILL_LOOKS_MAX } from '../../protocol/limits.ts';

/** Makes the kernel prefer this process and its children when memory runs out, over the runner. */
export function volunteerForOom(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // The process is gone already, or this is no Linux: nothing to prefer then.
  }
}

/** Time since boot in the kernel's ticks: the unit of a process's start time. */
export function nowTicks(): number {
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    return Math.floor(seconds * TICKS_PER_SECOND);
  } catch {
    return 0;
  }
}

const TICKS_PER_SECOND = 100;

/**
 * Kills the process group of `leader` and every descendant of it that began at `sinceTicks` or
 * later, also those that made a session of their own. Daemons that an earlier command left behind
 * in sessions of their own stay. All are stopped before the first is killed: what is killed while
 * others run leaves children that nobody finds, and what is stopped makes no more of them.
 */
export function killTree(leader: number, sinceTicks: number): void {
  const strays = new Set<number>();
  signal(-leader, 'SIGSTOP');
  for (let look = 0; look < KILL_LOOKS_MAX; look += 1) {
    const found = descendants(leader, sinceTicks).filter((pid) => !strays.has(pid));
    if (found.length === 0) break;
    for (const pid of found) {
      signal(pid, 'SIGSTOP');
      strays.add(pid);
    }
  }
  signal(-leader, 'SIGKILL');
  for (const pid of strays) signal(pid, 'SIGKILL');
}

/**
 * Kills every process of the container but the runner and init: the answer to a full process table.
 */
export function killAllOthers(): void {
  signal(-1, 'SIGKILL');
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

function descendants(leader: number, sinceTicks: number): number[] {
  const children = new Map<number, { pid: number; startTicks: number }[]>();
  for (const entry of processEntries()) {
    const siblings = children.get(entry.parent) ?? [];
    siblings.push(entry);
    children.set(entry.parent, siblings);
  }
  const found: number[] = [];
  const queue = [leader];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const child of children.get(parent) ?? []) {
      queue.push(child.pid);
      if (child.startTicks >= sinceTicks) found.push(child.pid);
    }
  }
  return found;
}

function processEntries(): { pid: number; parent: number; startTicks: number }[] {
  const entries = [];
  for (const name of listProc()) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command's name may hold spaces and brackets; the fields begin after the last bracket.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      entries.push({
        pid: Number(name),
        parent: Number(fields[1]),
        startTicks: Number(fields[19]),
      });
    } catch {
      // Ended while we looked.
    }
  }
  return entries;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

const PIDS_DIRECTORIES = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'];
/** Share of the limit from which a command counts as having run away. */
const PIDS_SHARE_MAX = 0.9;

/** True when the container is close to its limit of processes, so that no command could start. */
export function isNearPidsLimit(): boolean {
  for (const directory of PIDS_DIRECTORIES) {
    try {
      const limit = Number(readFileSync(`${directory}/pids.max`, 'utf8'));
      const current = Number(readFileSync(`${directory}/pids.current`, 'utf8'));
      return current > limit * PIDS_SHARE_MAX;
    } catch {
      // The other cgroup version, or none.
    }
  }
  return false;
}
