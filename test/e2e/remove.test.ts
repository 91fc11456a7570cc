// A data directory taken away for good: with the processes, containers, volumes and databases that
// belong to it, and only when nobody uses it and Docker answers.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { docker } from '../helpers/sandbox.ts';
import { Scene } from '../helpers/scene.ts';
import { startServer, type TestServer } from '../helpers/server.ts';
import { ROOT } from '../helpers/source-files.ts';

let server: TestServer;
let sessionId: string;

beforeAll(async () => {
  server = await startServer();
  const scene = await Scene.open(server);
  const talk = await scene.newTalk();
  await talk.turn('$ echo here\n= Done.');
  sessionId = talk.id;
});
afterAll(() => server?.close());

interface Ended {
  code: number;
  output: string;
}

function remove(environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env.PATH, HOLDFAST_DATA: server.dataDir, ...environment };
  return new Promise((resolve) => {
    const program = [join(ROOT, 'main/commands/stop.ts'), '--remove'];
    const child = execFile(process.execPath, program, { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

async function sandboxParts(): Promise<string[]> {
  const filter = `label=holdfast.session=${sessionId}`;
  const found = await Promise.all([
    docker('ps', '-aq', '--filter', filter),
    docker('volume', 'ls', '-q', '--filter', filter),
  ]);
  return found.flatMap((names) => names.split('\n')).filter((name) => name !== '');
}

function children(): number[] {
  return ['postgres', 'temporal', 'scripted-model'].map((name) =>
    Number(readFileSync(join(server.dataDir, `${name}.pid`), 'utf8')),
  );
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

it('is refused while a server uses it', async () => {
  const { code, output } = await remove();
  expect(code).toBe(1);
  expect(output).toContain('Another server');
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

it('touches nothing while Docker is away', async () => {
  await server.end('SIGKILL');
  const away = await remove({ HOLDFAST_DOCKER_SOCKET: '/run/no-docker-here.sock' });
  expect(away.code).toBe(1);
  expect(away.output).toContain('/run/no-docker-here.sock');
  expect(existsSync(join(server.dataDir, 'postgres'))).toBe(true);
  expect(await sandboxParts()).not.toEqual([]);
  expect(children().every(isAlive)).toBe(true);
});

it('leaves nothing, and has nothing to do the second time', async () => {
  const before = children();
  const { code, output } = await remove();
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('removed') });
  expect(existsSync(server.dataDir)).toBe(false);
  expect(await sandboxParts()).toEqual([]);
  expect(before.filter(isAlive)).toEqual([]);
  expect((await remove()).output).toContain('no data directory');
});

it('leaves a directory alone that is no data directory', async () => {
  const other = mkdtempSync(join(tmpdir(), 'holdfast-remove-'));
  const { output } = await remove({ HOLDFAST_DATA: other });
  expect(output).toContain(`no data directory at ${other}`);
  expect(existsSync(other)).toBe(true);
  rmSync(other, { recursive: true });
});
