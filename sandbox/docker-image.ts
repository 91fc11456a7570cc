// The sandbox image, made once per machine from image/Dockerfile: on Debian, or on an image of the
// operator's own. Its name holds a hash of what it is made of, so a change makes a new one and a
// hit costs one question to the engine. The base comes from a registry; where none answers, Debian
// is bootstrapped from the distribution's own archive.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { REGISTRY_PULL_MS } from '../protocol/limits.ts';
import { archiveSource, bootstrapArchive } from './base-archive.ts';
import type { Engine, Progress } from './docker.ts';
import { SandboxFailedError } from './sandbox.ts';

const PACKAGES_FILE = 'packages.txt';
const IMAGE_FILES = ['Dockerfile', PACKAGES_FILE];
const BASE_IMAGE = 'debian:12-slim';

/** Name of the default image of this version of the code. */
export function defaultImageName(): string {
  return `holdfast-sandbox:${hashOf(IMAGE_FILES)}`;
}

/** One finished step of set-up: what was done and how long it took, `ms`. */
export type Report = (step: string, ms: number) => void;

/**
 * Makes the default image be on the engine and returns its name; a hit costs a millisecond. Throws
 * `SandboxFailedError` with one sentence when neither a registry nor the bootstrap works.
 */
export async function ensureImage(
  engine: Engine,
  report: Report,
  progress: Progress = () => {},
): Promise<string> {
  const name = defaultImageName();
  if (await engine.hasImage(name)) return name;
  const build = (base: string) => buildOn(base, name, { engine, report, progress });
  if (await pulledBase(engine, report, progress)) {
    try {
      await build(BASE_IMAGE);
      return name;
    } catch (error) {
      // A registry answered but the distribution's archive does not from inside a build.
      report(`build on ${BASE_IMAGE} failed (${messageOf(error)}): bootstrap instead`, 0);
    }
  }
  await build(await bootstrappedBase(engine, report, progress));
  return name;
}

/**
 * Makes of any Debian or Ubuntu image one that a sandbox can live in (its user, directories and
 * packages) and returns its name; a hit costs two questions. Throws `SandboxFailedError` with one
 * sentence where the image cannot be had or nothing can be built on it.
 */
export async function ensureImageOn(engine: Engine, base: string, report: Report): Promise<string> {
  const progress = () => {};
  if (!(await engine.hasImage(base))) {
    await timed(report, `pull ${base}`, () => pull(engine, base, progress));
  }
  const name = `holdfast-sandbox:${hashOf(IMAGE_FILES, (await engine.imageId(base)) ?? '')}`;
  if (!(await engine.hasImage(name))) await buildOn(base, name, { engine, report, progress });
  return name;
}

async function buildOn(
  base: string,
  name: string,
  { engine, report, progress }: { engine: Engine; report: Report; progress: Progress },
): Promise<void> {
  const options = { name, args: { BASE: base }, labels: { 'holdfast.image': name } };
  await timed(report, `build the sandbox image on ${base}`, () =>
    engine.build(buildContext(), options, progress),
  );
}

async function pulledBase(engine: Engine, report: Report, progress: Progress): Promise<boolean> {
  if (await engine.hasImage(BASE_IMAGE)) return true;
  const startedAt = performance.now();
  try {
    await pull(engine, BASE_IMAGE, progress);
    report(`pull ${BASE_IMAGE}`, performance.now() - startedAt);
    return true;
  } catch (error) {
    const step = `no registry gave ${BASE_IMAGE} (${messageOf(error)}): bootstrap one here`;
    report(step, performance.now() - startedAt);
    return false;
  }
}

async function pull(engine: Engine, name: string, progress: Progress): Promise<void> {
  const late = new AbortController();
  const rearm = () => setTimeout(() => late.abort(), REGISTRY_PULL_MS);
  let timer = rearm();
  try {
    await engine.pull(name, late.signal, (line) => {
      // A slow download is fine as long as it moves.
      clearTimeout(timer);
      timer = rearm();
      progress(line);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function bootstrappedBase(
  engine: Engine,
  report: Report,
  progress: Progress,
): Promise<string> {
  const source = archiveSource();
  const name = `holdfast-base:${source.suite}-${hashOf([PACKAGES_FILE])}`;
  if (await engine.hasImage(name)) return name;
  await timed(report, `bootstrap ${source.suite} with its packages`, async () => {
    const packages = imageFile(PACKAGES_FILE).toString('utf8').trim().split(/\s+/);
    const archive = await bootstrapArchive(source, packages, progress);
    try {
      await engine.importImage(archive.stream, name, progress);
      await archive.done;
    } catch (error) {
      archive.stop();
      // What the bootstrap itself says is the better reason.
      await archive.done;
      throw error;
    }
  });
  return name;
}

function buildContext(): Readable {
  const context = pack();
  for (const name of IMAGE_FILES) context.entry({ name }, imageFile(name));
  context.finalize();
  return Readable.from(context);
}

function hashOf(names: string[], base = ''): string {
  const hash = createHash('sha256').update(base);
  for (const name of names) hash.update(imageFile(name));
  return hash.digest('hex').slice(0, 12);
}

function imageFile(name: string): Buffer {
  return readFileSync(new URL(`./image/${name}`, import.meta.url));
}

async function timed(report: Report, step: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  try {
    await work();
  } catch (error) {
    throw new SandboxFailedError(`${step}: ${messageOf(error)}`, { cause: error });
  }
  report(step, performance.now() - startedAt);
}

function messageOf(error: unknown): string {
  // The engine passes on lines of others, ends and all.
  return String(error instanceof Error ? error.message : error)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
