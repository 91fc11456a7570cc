// The parts that a server stands on, as things a test can take away and give back while the server
// runs: PostgreSQL and Temporal as processes of the test's own, and the Docker engine behind a
// socket that passes everything on until it is closed.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { removeEverything, temporaryDataDirectory } from './server.ts';
import { ROOT } from './source-files.ts';

export interface Outage {
  /** Takes the part away; resolves when it is really gone. */
  begin(): Promise<void>;
  /** Gives it back where it was. */
  end(): Promise<void>;
  /** Removes it for good. */
  close(): Promise<void>;
}

/** PostgreSQL and Temporal of `main/embedded.ts`, in one directory; both go and come together. */
export async function startEmbedded(
  flags: readonly string[] = [],
): Promise<Outage & { databaseUrl: string; address: string }> {
  const { parent, dataDir } = temporaryDataDirectory();
  let child: ChildProcess;
  const start = async (): Promise<{ databaseUrl: string; address?: string }> => {
    child = spawn(process.execPath, ['main/embedded.ts', '--data', dataDir, ...flags], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      const said = JSON.parse(line) as { databaseUrl?: string; address?: string };
      if (said.databaseUrl !== undefined) return { ...said, databaseUrl: said.databaseUrl };
    }
    throw new Error('PostgreSQL and Temporal did not start');
  };
  const begin = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  const { databaseUrl, address } = await start();
  return {
    databaseUrl,
    address: address ?? '',
    begin,
    end: async () => void (await start()),
    async close() {
      await begin();
      await removeEverything(dataDir, parent);
    },
  };
}

/** A socket that is the Docker engine's as long as it is open. */
export async function startDockerSocket(): Promise<Outage & { path: string }> {
  const { parent } = temporaryDataDirectory();
  const path = join(parent, 'docker.sock');
  const open = new Set<Socket>();
  const track = (socket: Socket): Socket => {
    open.add(socket.on('error', () => {}));
    return socket.once('close', () => open.delete(socket));
  };
  let server: Server;
  const end = async (): Promise<void> => {
    server = createServer({ allowHalfOpen: true }, (client) => {
      const engine = track(connect({ path: '/var/run/docker.sock', allowHalfOpen: true }));
      track(client).pipe(engine).pipe(client);
    });
    server.listen(path);
    await once(server, 'listening');
  };
  const begin = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
  await end();
  return {
    path,
    begin,
    end,
    async close() {
      if (server.listening) await begin();
      rmSync(parent, { recursive: true, force: true });
    },
  };
}
