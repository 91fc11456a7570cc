// What a run of ours can leave on the machine, as names to compare before and after: containers and
// volumes with our label, temporary files with our prefix, processes that work on those files.
// Other runs may be under way on the same machine, so only what is new belongs to the caller.

import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Every temporary file or directory of the tests begins with this. */
export const TEMPORARY_PREFIX = 'holdfast-';

const run = promisify(execFile);

/** Lines that docker prints; none where there is no docker or no engine answers. */
async function docker(...arguments_: string[]): Promise<string[]> {
  try {
    const { stdout } = await run('docker', arguments_, { timeout: 10_000 });
    return stdout.split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** Processes whose command line names a temporary file of ours (Linux; elsewhere none). */
async function processes(): Promise<string[]> {
  const mine = join(tmpdir(), TEMPORARY_PREFIX);
  const found: string[] = [];
  const ids = await readdir('/proc').catch(() => [] as string[]);
  for (const id of ids.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const commandLine = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
    const words = commandLine.replaceAll('\0', ' ').trim();
    if (words.includes(mine)) found.push(`process ${id}: ${words.slice(0, 120)}`);
  }
  return found;
}

/** Everything of ours that is on the machine now. Takes some 100 ms; never throws. */
export async function leftovers(): Promise<Set<string>> {
  const label = 'label=holdfast.session';
  const format = '{{.Names}} ({{.Image}})';
  const [containers, volumes, files, running] = await Promise.all([
    docker('ps', '-a', '--filter', label, '--format', format),
    docker('volume', 'ls', '-q', '--filter', label),
    readdir(tmpdir()).catch(() => [] as string[]),
    processes(),
  ]);
  return new Set([
    ...containers.map((name) => `container ${name}`),
    ...volumes.map((name) => `volume ${name}`),
    ...files.filter((name) => name.startsWith(TEMPORARY_PREFIX)).map((name) => `file ${name}`),
    ...running,
  ]);
}
