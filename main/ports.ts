// Ports for the processes beside the server. Promise: a chosen port was free a moment ago and lies
// below the range that the kernel hands out for outgoing connections, so nobody takes it (and no
// reconnecting client of ours connects to itself) while its server is being restarted.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StartError } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { isOurs } from './process-identity.ts';

const CHOICE_FROM = 10_240;
const CHOICE_BELOW = 32_768;
/** a machine on which so many random ports in a row are taken has another problem */
const CHOICES_MAX = 50;

/** Whether this process could listen there right now. */
function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A free port on loopback. */
async function chooseFreePort(): Promise<number> {
  for (let choice = 0; choice < CHOICES_MAX; choice += 1) {
    const port = randomInt(CHOICE_FROM, CHOICE_BELOW);
    if (await isPortFree(port)) return port;
  }
  throw new StartError(`No free port found below ${CHOICE_BELOW} on 127.0.0.1.`);
}

/**
 * The port a child uses: the wanted one, or the one it had last time, or a free one. Throws
 * StartError when a wanted one is taken by a stranger.
 */
export async function rememberedPort(
  directory: DataDirectory,
  choice: { child: string; key: string; wanted: number; variable?: string },
): Promise<number> {
  const { ports, children } = directory.runtime.current;
  const last = ports[choice.key];
  const child = children[choice.child];
  const holdsLast = child?.pid != null && isOurs(child.pid, child.command);
  const port = choice.wanted === 0 ? last : choice.wanted;
  const isUsable = port !== undefined && ((holdsLast && port === last) || (await isPortFree(port)));
  if (!isUsable && choice.wanted !== 0) {
    throw new StartError(
      `Port ${choice.wanted} on 127.0.0.1 is taken: set ${choice.variable} to another one, or ` +
        'to 0 for any free one.',
    );
  }
  const chosen = isUsable ? port : await chooseFreePort();
  if (chosen !== last) {
    directory.runtime.change((record) => {
      record.ports[choice.key] = chosen;
    });
  }
  return chosen;
}
