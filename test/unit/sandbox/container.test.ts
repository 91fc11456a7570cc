// A container whose runner hung up, seen through an engine that answers badly: whatever it says,
// the calls of the container end. The engine is a few lines of HTTP on a socket, the runner a bare
// connection; everything between them is real.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Container } from '../../../sandbox/container.ts';
import { DEFAULT_LIMITS } from '../../../sandbox/container-settings.ts';
import { Engine } from '../../../sandbox/docker.ts';
import { encodeFrame } from '../../../sandbox/runner/frames.ts';

const ENGINE_DOUBT_MS = 1_500;

let directory: string;
let engine: Server;
let runner: Socket;
let container: Container;
/** what the engine says of the container, one answer after another, the last one for ever */
let answers: (string | number)[];
let ready: PromiseWithResolvers<string>;
let lost: PromiseWithResolvers<string>;

function onRequest(url: string): { status: number; body: unknown } {
  if (!url.endsWith('/json')) return { status: 204, body: null };
  const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
  if (typeof answer === 'number') return { status: answer, body: { message: 'trouble' } };
  const State = { Status: answer, ExitCode: 137, OOMKilled: false };
  return { status: 200, body: { Id: 'x', State, Config: { Labels: {} } } };
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-container-'));
  ready = Promise.withResolvers();
  lost = Promise.withResolvers();
  engine = createServer((request, response) => {
    const { status, body } = onRequest(request.url ?? '');
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === null ? '' : JSON.stringify(body));
  });
  engine.listen(join(directory, 'docker.sock'));
  await once(engine, 'listening');
  const socketDirectory = join(directory, 'run');
  const socketPath = join(socketDirectory, 'runner.sock');
  container = new Container(
    'sesn_doubt',
    {
      engine: new Engine(join(directory, 'docker.sock')),
      log: pino({ level: 'silent' }),
      hostId: 'host',
      limits: DEFAULT_LIMITS,
      runtime: { directory, version: '1' },
      defaultImage: 'image',
      socketPath,
      socketDirectory,
      engineDoubtMs: ENGINE_DOUBT_MS,
    },
    {
      onReady: ready.resolve,
      onFrame: () => {},
      onLost: lost.resolve,
      expectsResult: () => false,
    },
  );
  await container.listen('running');
  runner = connect(socketPath);
  runner.write(encodeFrame({ type: 'hello', protocol: 1, bootId: 'boot' }));
  await ready.promise;
});

afterEach(async () => {
  runner.destroy();
  container.close();
  engine.close();
  engine.closeAllConnections();
  rmSync(directory, { recursive: true, force: true });
});

test('its end is learnt although the engine answered with errors before', async () => {
  answers = [500, 409, 'exited'];
  runner.destroy();
  expect(await lost.promise).toBe('its container ended with code 137');
});

test('it counts as ended where the engine only ever answers with errors', async () => {
  answers = [500];
  runner.destroy();
  expect(await lost.promise).toMatch(/engine did not say/);
  expect(container.isReady).toBe(false);
});

test('it counts as ended where the engine stays away', async () => {
  engine.close();
  engine.closeAllConnections();
  runner.destroy();
  expect(await lost.promise).toMatch(/engine did not say/);
});
