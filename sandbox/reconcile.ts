// What should not be here: containers, volumes and directories of this host whose sandbox nobody
// knows any more, as when a session was deleted while its host was down. Ids come from labels and
// directory names; other hosts of the same engine are left alone.
import { existsSync, readdirSync } from 'node:fs';
import { LABEL_HOST, LABEL_SANDBOX } from './container-settings.ts';
import type { Engine } from './docker.ts';
import { isSandboxId } from './sandbox-id.ts';

/** Ids of everything that is kept for any sandbox of this host. */
export async function presentSandboxes(
  engine: Engine,
  hostId: string,
  directories: string[],
): Promise<string[]> {
  const label = `${LABEL_HOST}=${hostId}`;
  const [containers, volumes] = await Promise.all([engine.list(label), engine.listVolumes(label)]);
  const labelled = [...containers, ...volumes].map(({ labels }) => labels[LABEL_SANDBOX] ?? '');
  const named = directories.filter(existsSync).flatMap((directory) =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name),
  );
  return [...new Set([...labelled, ...named])].filter(isSandboxId);
}
