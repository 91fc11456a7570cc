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

/** The arguments of a live process; null for a dead, unknown or already ended one. */
function commandLine(pid: number): string[] | null {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    // An ended process that nobody has waited for has an empty command line.
    return words.length === 0 ? null : words;
  } catch {
    return null;
  }
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
