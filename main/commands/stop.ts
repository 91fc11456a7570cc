// `npm run stop`: ends what a server that was killed left running beside it; with `--remove` it
// takes the data directory away too, and all that belongs to it outside. A server that still lives
// is left alone, and said. Containers and volumes go first, so that a Docker engine which is away
// costs nothing but another try; what all servers of a machine share stays: images, networks.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { createSandboxHost, DEFAULT_DOCKER_SOCKET } from '../../sandbox/sandbox-host.ts';
import { EngineUnavailableError } from '../../sandbox/sandbox.ts';
import { removeMovedPostgres } from '../../store/embedded.ts';
import { readConfig } from '../config.ts';
import { openDataDirectory, StartError } from '../data-directory.ts';
import type { DataDirectory } from '../data-directory.ts';
import { stopLeftovers } from '../supervisor.ts';

/**
 * Removes its sandboxes with their files and sockets, ends its processes, then removes its
 * databases and itself. Answers with the ids of the sessions that had a sandbox. Idempotent; throws
 * StartError where a server holds it and EngineUnavailableError where Docker does not answer.
 */
export async function removeDataDirectory(
  path: string,
  dockerSocket = DEFAULT_DOCKER_SOCKET,
): Promise<string[]> {
  if (!isDataDirectory(path)) return [];
  const directory = openDataDirectory(path);
  try {
    const removed = await removeSandboxes(directory, dockerSocket);
    await stopLeftovers(directory);
    removeMovedPostgres(path);
    rmSync(path, { recursive: true, force: true });
    return removed;
  } finally {
    directory.release();
  }
}

/** One that a server has used; nothing else is touched. */
function isDataDirectory(path: string): boolean {
  return existsSync(join(path, 'host-id'));
}

/** A directory that never had a sandbox needs no engine. */
async function removeSandboxes(directory: DataDirectory, dockerSocket: string): Promise<string[]> {
  const { path: dataDir, hostId } = directory;
  const record = join(dataDir, 'sandboxes', 'socket-directory');
  if (!existsSync(record)) return [];
  const log = pino({ level: 'silent' });
  const host = await createSandboxHost({ dataDir, hostId, log, dockerSocket });
  const removed = await host.reconcile(async () => new Set()).finally(() => host.close());
  rmSync(readFileSync(record, 'utf8').trim(), { recursive: true, force: true });
  return removed;
}

async function stop(dataDir: string): Promise<string> {
  const directory = openDataDirectory(dataDir);
  const stopped = await stopLeftovers(directory);
  directory.release();
  return stopped.length === 0 ? 'nothing was running' : `stopped: ${stopped.join(', ')}`;
}

async function remove(dataDir: string, dockerSocket: string | undefined): Promise<string> {
  if (!isDataDirectory(dataDir)) return `there is no data directory at ${dataDir}`;
  const removed = await removeDataDirectory(dataDir, dockerSocket);
  return `removed ${dataDir} with its sandboxes: ${removed.length}`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { remove: { type: 'boolean', default: false } } });
  try {
    const { dataDir, sandbox } = readConfig().config;
    const { dockerSocket } = sandbox;
    console.log(await (values.remove ? remove(dataDir, dockerSocket ?? undefined) : stop(dataDir)));
  } catch (error) {
    if (!(error instanceof StartError || error instanceof EngineUnavailableError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
