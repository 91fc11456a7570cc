// Set-up of the sandbox room: the runner bundle and the default image, each with its time; a second
// run finds both and does nothing. As a program: `node sandbox/prepare.ts [--docker-socket
// <path>]`.
import { parseArgs } from 'node:util';
import { ensureImage, ensureImageOn } from './docker-image.ts';
import type { Report } from './docker-image.ts';
import { Engine } from './docker.ts';
import type { Progress } from './docker.ts';
import { runnerBundle } from './runner-bundle.ts';

export interface PrepareOptions {
  dockerSocket: string;
  report: Report;
  /** each line of a pull, bootstrap or build */
  progress?: Progress;
}

/**
 * Makes everything a sandbox needs on this machine; idempotent; returns the default image's name.
 */
export async function prepareSandbox(options: PrepareOptions): Promise<string> {
  const engine = new Engine(options.dockerSocket);
  const startedAt = performance.now();
  await runnerBundle();
  options.report('runner bundle', performance.now() - startedAt);
  await engine.ping();
  const imageStartedAt = performance.now();
  const image = await ensureImage(engine, options.report, options.progress);
  options.report(`sandbox image ${image}`, performance.now() - imageStartedAt);
  return image;
}

/**
 * Makes an image for sandboxes of one of the operator's own; idempotent; returns its name. Throws
 * `SandboxFailedError` with one sentence where that is not possible.
 */
export async function prepareImageOn(
  base: string,
  options: { dockerSocket: string; report: Report },
): Promise<string> {
  const engine = new Engine(options.dockerSocket);
  await engine.ping();
  return ensureImageOn(engine, base, options.report);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'docker-socket': { type: 'string', default: '/var/run/docker.sock' },
      verbose: { type: 'boolean', default: false },
    },
  });
  try {
    await prepareSandbox({
      dockerSocket: values['docker-socket'],
      report: (step, ms) => console.log(`${step}: ${(ms / 1000).toFixed(1)} s`),
      progress: values.verbose ? (line) => console.log(`  ${line}`) : () => {},
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
