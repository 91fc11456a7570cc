// A server that cannot start says in one clear sentence why and what to change, ends with code 1,
// and leaves nothing running.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { startInVain } from '../helpers/server.ts';

/** The fatal lines of a log in JSON, without the rest. */
function lastWords(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      if (!line.startsWith('{')) return [line];
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      return level >= 60 ? [msg] : [];
    });
}

async function sentenceOf(
  environment: Record<string, string>,
  through: readonly string[] = [],
): Promise<string> {
  const { code, output } = await startInVain(environment, through);
  expect(code).toBe(1);
  const words = lastWords(output);
  expect(words).toHaveLength(1);
  expect(words[0]).not.toContain('    at ');
  return words[0]!;
}

/** A port on which something listens that is not ours. */
async function withTakenPort<T>(work: (port: string) => Promise<T>): Promise<T> {
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  try {
    return await work(String((stranger.address() as AddressInfo).port));
  } finally {
    stranger.close();
  }
}

/** Runs a command with a data directory on a disk of 32 MiB that only it sees. */
const IN_A_SMALL_DISK = [
  'unshare',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  'mkdir -p "$HOLDFAST_DATA" && mount -t tmpfs -o size=32m small "$HOLDFAST_DATA" && exec "$@"',
  'sh',
];

/** A port on which nothing listens. */
const NOBODY = '127.0.0.1:1';

describe('a server does not start, in one sentence', () => {
  it.concurrent('when Docker is away', async () => {
    const sentence = await sentenceOf({ HOLDFAST_DOCKER_SOCKET: '/run/no-docker-here.sock' });
    expect(sentence).toContain('/run/no-docker-here.sock');
  });

  it.concurrent('when the image for sandboxes is nowhere', async () => {
    const sentence = await sentenceOf({ HOLDFAST_SANDBOX_IMAGE: 'holdfast-nowhere:none' });
    expect(sentence).toContain('HOLDFAST_SANDBOX_IMAGE cannot be used');
    expect(sentence).toContain('holdfast-nowhere:none');
  });

  it.concurrent('when the file of models is wrong', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-models-'));
    const file = join(directory, 'mine.json');
    writeFileSync(file, '[\n  { "models": ["a"], "endpoint": { "type": "openai" } }\n]');
    const sentence = await sentenceOf({ HOLDFAST_MODELS: file });
    rmSync(directory, { recursive: true });
    expect(sentence).toContain('mine.json:2:44: 0.endpoint.type: expected type to be one of');
  });

  it.concurrent('when PostgreSQL is away', async () => {
    const url = `postgres://user:hidden-password@${NOBODY}/holdfast`;
    const sentence = await sentenceOf({ HOLDFAST_DATABASE_URL: url });
    expect(sentence).toContain(`PostgreSQL does not answer at ${NOBODY}`);
    expect(sentence).toContain('HOLDFAST_DATABASE_URL');
    expect(sentence).not.toContain('hidden-password');
  });

  it.concurrent('when Temporal is away', async () => {
    const sentence = await sentenceOf({
      HOLDFAST_TEMPORAL_ADDRESS: NOBODY,
      HOLDFAST_TEMPORAL_PORT: '',
      HOLDFAST_TEMPORAL_UI_PORT: '',
    });
    expect(sentence).toContain(`Temporal does not answer at ${NOBODY}`);
    expect(sentence).toContain('HOLDFAST_TEMPORAL_ADDRESS');
  });

  it('when its port is taken', async () => {
    await withTakenPort(async (port) => {
      const sentence = await sentenceOf({ HOLDFAST_PORT: port });
      expect(sentence).toMatch(new RegExp(`Port ${port} .* taken.*HOLDFAST_PORT`));
    });
  });

  it('when the port of its Temporal is taken', async () => {
    await withTakenPort(async (port) => {
      const sentence = await sentenceOf({ HOLDFAST_TEMPORAL_PORT: port });
      expect(sentence).toMatch(new RegExp(`Port ${port} .* taken.*HOLDFAST_TEMPORAL_PORT`));
    });
  });

  it('when another server holds its data directory, which goes on undisturbed', async () => {
    const { dataDir, url } = inject('server');
    const sentence = await sentenceOf({ HOLDFAST_DATA: dataDir });
    expect(sentence).toContain(dataDir);
    expect(sentence).toContain(url);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('when a setting is unknown or wrong, which it names', async () => {
    expect(await sentenceOf({ HOLDFAST_COLOUR: 'red' })).toContain('HOLDFAST_COLOUR');
    expect(await sentenceOf({ HOLDFAST_PORT: 'many' })).toContain('HOLDFAST_PORT');
  });

  it('when the data directory cannot be written', async () => {
    expect(await sentenceOf({ HOLDFAST_DATA: '/dev/null/data' })).toContain('/dev/null/data');
  });

  it('when the disk of the data directory is full', async () => {
    const words = await sentenceOf({}, IN_A_SMALL_DISK);
    expect(words).toMatch(/disk of .* is full.*HOLDFAST_DATA/);
  });
});
