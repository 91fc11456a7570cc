// The container engine without anything of ours between: what the baselines are measured with, and
// how the bench cleans up after itself.
import Docker from 'dockerode';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DEFAULT_LIMITS } from '../sandbox/container-settings.ts';
import { defaultImageName } from '../sandbox/docker-image.ts';

export const docker = new Docker({ socketPath: '/var/run/docker.sock' });

/** The label of containers that belong to the bench alone. */
export const BENCH_LABEL = 'holdfast.bench';

/** Creates and starts a container that only waits, as a loop without a runner would use one. */
export async function startPlainContainer(): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: defaultImageName(),
    Cmd: ['sleep', 'infinity'],
    Labels: { [BENCH_LABEL]: String(process.pid) },
    HostConfig: { Init: true, Memory: DEFAULT_LIMITS.memoryBytes },
  });
  await container.start();
  return container;
}

/** One command by `docker exec`: create, start, read to the end, inspect for the exit code. */
export async function execIn(
  container: Docker.Container,
  command: string,
): Promise<{ output: string; exitCode: number | null }> {
  const exec = await container.exec({
    Cmd: ['bash', '-c', command],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: false });
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  stream.once('end', () => output.end());
  const [read, { ExitCode }] = [await text(output), await exec.inspect()];
  return { output: read, exitCode: ExitCode };
}

/** Removes every container and volume with that label. */
export async function removeContainers(label: string): Promise<void> {
  const filters = { label: [label] };
  const containers = await docker.listContainers({ all: true, filters });
  for (const { Id } of containers) {
    await docker.getContainer(Id).remove({ force: true, v: true }).catch(ignoreMissing);
  }
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes ?? []) {
    await docker.getVolume(Name).remove({ force: true }).catch(ignoreMissing);
  }
}

function ignoreMissing(error: { statusCode?: number }): void {
  if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
}
