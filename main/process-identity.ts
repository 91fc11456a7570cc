// Which process a pid is. Promise: a pid that was reused by a stranger is never taken for ours: the
// live process must have been started with exactly the command that we recorded.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether `pid` is alive and was started as `command` (program and arguments). */
export function isOurs(pid: number, command: readonly string[]): boolean {
  if (process.platform !== 'linux') return commandText(pid) === command.join(' ');
  const live = commandLine(pid);
  // Between fork and exec the process is still the shell that carries our command at its end.
  return live !== null && sameWords(live.slice(-command.length), command);
}

/** reads of a command line that is empty for the moment; each takes some microseconds */
const READS_MAX = 10_000;

/** The arguments of a live process; null for a dead, unknown or already ended one. */
function commandLine(pid: number): string[] | null {
  try {
    // While a process becomes another program, its command line is empty for a few microseconds;
    // that of an ended one which nobody has waited for yet stays empty.
    for (let read = 0; read < READS_MAX; read += 1) {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (text !== '') return text.split('\0').slice(0, -1);
      if (hasEnded(pid)) return null;
    }
    return null;
  } catch {
    return null;
  }
}

/** Whether only the exit code is left of it: the state after the name in parentheses is Z or X. */
function hasEnded(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

function commandText(pid: number): string | null {
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      encoding: 'utf8',
    }).trim();
  } catch {
    return null;
  }
}

function sameWords(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((word, index) => word === right[index]);
}
