// What every container gets mounted read-only: the Node binary of this installation and the runner
// bundle, side by side in a directory named by their content. One directory per version, so a
// running container keeps the files it began with.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { runnerBundle } from './runner-bundle.ts';

export interface RuntimeFiles {
  /** host directory with `node` and `runner.mjs` */
  directory: string;
  /** names the content; kept as a label of each container */
  version: string;
}

/** Puts the files below `dataDir`/runtime; idempotent, a few milliseconds when they are there. */
export async function runtimeFiles(dataDir: string): Promise<RuntimeFiles> {
  const bundle = await runnerBundle();
  const node = realpathSync(process.execPath);
  const { size, mtimeMs } = statSync(node);
  const version = createHash('sha256')
    .update(readFileSync(bundle))
    .update(`${process.version} ${size} ${mtimeMs}`)
    .digest('hex')
    .slice(0, 12);
  const directory = join(dataDir, 'runtime', version);
  if (existsSync(directory)) return { directory, version };
  const partial = `${directory}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  linkOrCopy(node, join(partial, 'node'));
  copyFileSync(bundle, join(partial, 'runner.mjs'));
  // The container's user is not ours: it must be able to read both.
  chmodSync(partial, 0o755);
  chmodSync(join(partial, 'runner.mjs'), 0o644);
  try {
    renameSync(partial, directory);
  } catch (error) {
    // Another process of this data directory was first; its files are the same.
    if (!existsSync(directory)) throw error;
    rmSync(partial, { recursive: true, force: true });
  }
  return { directory, version };
}

// A hard link shares 120 MB of disk and page cache among all data directories of a file system.
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
    chmodSync(to, 0o755);
  }
}
