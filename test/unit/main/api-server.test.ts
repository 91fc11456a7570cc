// The HTTP side of a process when it ends: no client, idle or slow, keeps it from ending.
// A real server on a free port, and bare connections to it.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { API_DRAIN_MS } from '../../../protocol/limits.ts';
import { listenForApi } from '../../../main/api-server.ts';
import { readConfig } from '../../../main/config.ts';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

async function connectTo(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  open.push(socket);
  await once(socket, 'connect');
  return socket;
}

it('a connection that never asks anything is closed after a short grace', async () => {
  const server = await listenForApi(readConfig({ HOLDFAST_PORT: '0' }).config);
  const socket = await connectTo(server.url);
  const closed = once(socket, 'close');
  const startedAt = performance.now();
  await server.drain();
  expect(performance.now() - startedAt).toBeLessThan(API_DRAIN_MS + 1_000);
  await closed;
});

it('with no connection left, nothing is waited for, and asking again is no error', async () => {
  const server = await listenForApi(readConfig({ HOLDFAST_PORT: '0' }).config);
  const startedAt = performance.now();
  await server.drain();
  await server.drain();
  expect(performance.now() - startedAt).toBeLessThan(API_DRAIN_MS / 2);
});
