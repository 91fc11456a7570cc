// Starts the plain loop as a process and hands it conversations: the baseline's counterpart of
// sessions.ts. The same process plays all of a run, so it is as warm as the server it is held
// against.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../main/config.ts';
import { BENCH_LABEL, removeContainers } from './containers.ts';

const PROGRAM = fileURLToPath(new URL('plain-loop.ts', import.meta.url));

export interface PlainOrder {
  modelUrl: string;
  /** one conversation each, all at once, each in a container of its own */
  messages: string[];
  /** how often all of them are played, one time after the other, in the same containers */
  times: number;
}

export interface PlainReport {
  /** of each time, `ms`; the first includes the containers' starts */
  wallsMs: number[];
  rssPeakBytes: number;
}

export class PlainPlayer {
  readonly #child: ChildProcess;
  readonly #modelUrl: string;

  constructor(modelUrl: string) {
    this.#modelUrl = modelUrl;
    this.#child = fork(PROGRAM, { env: childEnvironment() });
  }

  /** Plays the conversations to their end; one order at a time. */
  async play(messages: string[], times = 1): Promise<PlainReport> {
    const order: PlainOrder = { modelUrl: this.#modelUrl, messages, times };
    this.#child.send(order);
    const left = new AbortController();
    const [report] = (await Promise.race([
      once(this.#child, 'message', { signal: left.signal }),
      once(this.#child, 'exit', { signal: left.signal }).then(() => {
        throw new Error('the plain loop ended');
      }),
    ])) as [PlainReport | { error: string }];
    left.abort();
    if ('error' in report) throw new Error(`the plain loop failed: ${report.error}`);
    return report;
  }

  /** Ends the process and removes what it may have left. */
  async close(): Promise<void> {
    const { pid } = this.#child;
    this.#child.kill('SIGKILL');
    await removeContainers(`${BENCH_LABEL}=${pid}`);
  }
}
