// A root file system from the distribution's own package archive, for machines where no image
// registry answers: mmdebstrap with the sources this machine is configured for, streamed, so that
// nothing lies around on disk. Debian and Ubuntu only.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Progress } from './docker.ts';
import { SandboxFailedError } from './sandbox.ts';

export interface ArchiveSource {
  /** code name of the distribution's release */
  suite: string;
  /** components that hold the packages */
  components: string;
  /** apt's own source list of this machine; null: the distribution's default */
  sources: string | null;
}

export interface Archive {
  stream: Readable;
  /** settles when the bootstrap ended; rejects with its last words */
  done: Promise<void>;
  stop: () => void;
}

const RELEASES: Record<string, { components: string; sources: string[] }> = {
  debian: {
    components: 'main',
    sources: ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'],
  },
  ubuntu: {
    components: 'main,universe',
    sources: ['/etc/apt/sources.list.d/ubuntu.sources', '/etc/apt/sources.list'],
  },
};

/** Which distribution this machine can bootstrap: its own. */
export function archiveSource(): ArchiveSource {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1];
  const known = RELEASES[field('ID') ?? ''];
  const suite = field('VERSION_CODENAME');
  if (known === undefined || suite === undefined) {
    throw new SandboxFailedError(
      'no image registry answers and a base image can be bootstrapped on Debian and Ubuntu only: ' +
        'load a Debian image under the name debian:12-slim and run the set-up again',
    );
  }
  const sources = known.sources.find((path) => existsSync(path)) ?? null;
  return { suite, components: known.components, sources };
}

/** Starts the bootstrap; the archive is complete once `done` resolved. */
export async function bootstrapArchive(
  source: ArchiveSource,
  packages: string[],
  progress: Progress,
): Promise<Archive> {
  installBootstrapper(progress);
  const excluded = ['man', 'doc', 'locale', 'info'].map(
    (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
  );
  const child = spawn(
    'mmdebstrap',
    [
      '--variant=minbase',
      '--format=tar',
      `--components=${source.components}`,
      `--include=${packages.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      ...excluded,
      source.suite,
      '-',
      ...(source.sources === null ? [] : [source.sources]),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let lastWords = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-1000);
    for (const line of text.split('\n')) if (line.startsWith('I:')) progress(line.slice(3));
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new SandboxFailedError(`mmdebstrap ended with ${code}: ${lastWords.trim()}`));
    });
  });
  done.catch(() => {});
  return { stream: child.stdout, done, stop: () => child.kill('SIGTERM') };
}

function installBootstrapper(progress: Progress): void {
  if (spawnSync('mmdebstrap', ['--version'], { stdio: 'ignore' }).status === 0) return;
  if (process.getuid?.() === 0) {
    progress('installing mmdebstrap');
    const options = { stdio: 'ignore' } as const;
    spawnSync('apt-get', ['update', '-q'], options);
    spawnSync('apt-get', ['install', '-yq', '--no-install-recommends', 'mmdebstrap'], options);
    if (spawnSync('mmdebstrap', ['--version'], options).status === 0) return;
  }
  throw new SandboxFailedError(
    'no image registry answers and mmdebstrap is not installed: ' +
      'install the package mmdebstrap as root',
  );
}
