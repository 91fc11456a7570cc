// HOLDFAST_SANDBOX_IMAGE: an image of the operator's own, in which nothing is as a sandbox needs
// it, works like the one that the set-up makes. Real engine, real builds, no registry.
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultImageName } from '../../sandbox/docker-image.ts';
import { prepareImageOn } from '../../sandbox/prepare.ts';
import { bash, docker, openTestHost, runTool, textOf } from '../helpers/sandbox.ts';
import type { TestHost } from '../helpers/sandbox.ts';

const SANDBOX = 'sesn_image';
const dockerSocket = '/var/run/docker.sock';
const plain = `holdfast-plain-test:${process.pid}`;
/** on every image that is made here, as images inherit it */
const label = `holdfast.test=${process.pid}`;
const made = new Set<string>();

let opened: TestHost | undefined;

beforeAll(() => build('USER 4321'));
afterAll(async () => {
  await opened?.cleanUp();
  for (const image of [...made, plain]) await docker('rmi', '-f', image);
  await docker('image', 'prune', '-f', '--filter', `label=${label}`);
});

/** The image under the name `plain`: a Debian without our user and directories. */
async function build(lastLine: string): Promise<void> {
  const lines = [
    `FROM ${defaultImageName()}`,
    'USER root',
    'WORKDIR /',
    'RUN rm -rf /workspace /home/agent /mnt/session && userdel agent',
    lastLine,
  ];
  await new Promise<void>((resolve, reject) => {
    const options = ['build', '-q', '-t', plain, '--label', label, '-'];
    const builder = execFile('docker', options, (error) =>
      error === null ? resolve() : reject(error),
    );
    builder.stdin!.end(lines.join('\n'));
  });
}

async function prepare(): Promise<{ image: string; steps: string[] }> {
  const steps: string[] = [];
  const report = (step: string) => steps.push(step);
  const image = await prepareImageOn(plain, { dockerSocket, report });
  made.add(image);
  return { image, steps };
}

test('a plain Debian is made fit for sandboxes, once for what is in it', async () => {
  const first = await prepare();
  expect(first.steps).toEqual([`build the sandbox image on ${plain}`]);
  expect(await prepare()).toEqual({ image: first.image, steps: [] });
  await build('RUN touch /changed');
  expect((await prepare()).image).not.toBe(first.image);
});

test('commands and file tools can write where they are promised to', async () => {
  opened = await openTestHost({ image: (await prepare()).image });
  const { host } = opened;
  await host.provision({ sandboxId: SANDBOX, network: 'none' });
  const command = 'id -u; pwd; touch a ~/b /mnt/session/outputs/c && echo written';
  expect(await bash(host, SANDBOX, command)).toBe('1000\n/workspace\nwritten');
  const input = { file_path: '/workspace/d', content: 'x' };
  expect(await runTool(host, SANDBOX, 'write', input)).toMatchObject({ isError: false });
  const long = textOf(await runTool(host, SANDBOX, 'bash', { command: 'seq 100000' }));
  expect(long).toContain('/mnt/session/tool-output/');
});

test('an image that is nowhere, or no Debian, is refused in one sentence', async () => {
  const report = () => {};
  const nowhere = prepareImageOn('holdfast-nowhere:none', { dockerSocket, report });
  await expect(nowhere).rejects.toThrow(/^pull holdfast-nowhere:none: [^\n]+$/);
  await build('RUN rm -f /usr/bin/dpkg /usr/bin/apt-get');
  await expect(prepare()).rejects.toThrow(/^build the sandbox image on holdfast-plain[^\n]+$/);
});
