// Where the sockets of this host's sandboxes live: one short directory per data directory, as the
// path of a unix socket holds 107 bytes. The choice is kept, since containers have it mounted.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { SOCKET_PATH_BYTES_MAX } from '../protocol/limits.ts';
import { SandboxFailedError } from './sandbox.ts';

/** The directory for this data directory's sockets, chosen once, then remembered in it. */
export function socketDirectory(dataDir: string): string {
  const record = join(dataDir, 'sandboxes', 'socket-directory');
  if (existsSync(record)) {
    const kept = readFileSync(record, 'utf8').trim();
    if (kept !== '' && canMake(kept)) return kept;
  }
  const name = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 8);
  const candidates = [
    join('/run/holdfast', name),
    join(tmpdir(), `holdfast-${userInfo().uid}`, name),
    join(dataDir, 'sockets'),
  ];
  const chosen = candidates.find(canMake);
  if (chosen === undefined) {
    throw new SandboxFailedError(
      `no directory for sandbox sockets: tried ${candidates.join(', ')}`,
    );
  }
  mkdirSync(join(dataDir, 'sandboxes'), { recursive: true });
  writeFileSync(record, `${chosen}\n`);
  return chosen;
}

// Closed to other users of the machine: the sockets inside are open to any user id, since the
// container's is not ours.
function canMake(directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    return true;
  } catch {
    return false;
  }
}

/** The socket of one sandbox inside its own directory; throws where the path would be too long. */
export function socketPath(directory: string, sandboxId: string): string {
  const path = join(directory, sandboxId, 'runner.sock');
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new SandboxFailedError(
      `the socket path ${path} is over ${SOCKET_PATH_BYTES_MAX} bytes: ` +
        'use a shorter data directory',
    );
  }
  return path;
}
