// Ports for the processes beside the server. Promise: a chosen port was free a moment ago and lies
// below the range that the kernel hands out for outgoing connections, so nobody takes it (and no
// reconnecting client of ours connects to itself) while its server is being restarted.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StartError } from './data-directory.ts';

const CHOICE_FROM = 10_240;
const CHOICE_BELOW = 32_768;
/** a machine on which so many random ports in a row are taken has another problem */
const CHOICES_MAX = 50;

/** Whether this process could listen there right now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A free port on loopback. */
export async function chooseFreePort(): Promise<number> {
  for (let choice = 0; choice < CHOICES_MAX; choice += 1) {
    const port = randomInt(CHOICE_FROM, CHOICE_BELOW);
    if (await isPortFree(port)) return port;
  }
  throw new StartError(`No free port found below ${CHOICE_BELOW} on 127.0.0.1.`);
}
