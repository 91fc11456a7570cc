// The runner as one file: esbuild joins runner/ and the SDK's tools. Kept in a cache by the hash of
// what goes in, so a second start builds nothing; where esbuild is not installed, the cached one
// has to be there (set-up and the image build make it).
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Esbuild from 'esbuild';
import { SandboxFailedError } from './sandbox.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache', 'holdfast', 'runner');
const SOURCES = join(ROOT, 'sandbox', 'runner');

/** Path of the bundle, building it if what it is made of has changed; safe to run in parallel. */
export async function runnerBundle(): Promise<string> {
  const path = join(CACHE, `${bundleHash()}.mjs`);
  if (existsSync(path)) return path;
  const { build } = await importEsbuild();
  const result = await build({
    entryPoints: [join(SOURCES, 'runner.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  });
  const code = result.outputFiles[0]?.contents;
  if (code === undefined) throw new SandboxFailedError('esbuild made no runner bundle');
  mkdirSync(CACHE, { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, code);
  renameSync(partial, path);
  return path;
}

function bundleHash(): string {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(ROOT, 'node_modules', '@anthropic-ai', 'sdk', 'package.json')));
  hash.update(readFileSync(join(ROOT, 'protocol', 'limits.ts')));
  for (const name of readdirSync(SOURCES).toSorted()) {
    hash.update(name).update(readFileSync(join(SOURCES, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function importEsbuild(): Promise<Pick<typeof Esbuild, 'build'>> {
  try {
    return await import('esbuild');
  } catch (error) {
    throw new SandboxFailedError(
      'the runner is not built and esbuild is not installed: run `node sandbox/prepare.ts` where ' +
        'the development packages are, or install them',
      { cause: error },
    );
  }
}
