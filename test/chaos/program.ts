// One process of ours as a test drives it: started with settings of its own, read line by line,
// killed, started again in the same place.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ROOT } from '../helpers/source-files.ts';
import { until } from '../helpers/until.ts';

const START_MS = 60_000;
/** below the ports that the kernel gives to outgoing connections, which would take a free one */
const PORT_FROM = 10_240;
const PORT_BELOW = 32_768;

/** A port that is free and that nobody takes while its server is being restarted. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_FROM, PORT_BELOW);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

export class Program {
  readonly #command: readonly string[];
  readonly #settings: Record<string, string>;
  readonly #readyLine: RegExp;
  #child: ChildProcess | undefined;
  /** output of the present run */
  lines: string[] = [];

  /** `command` is a file of ours and its arguments; `readyLine` is what it says when it serves. */
  constructor(
    command: readonly string[],
    settings: Record<string, string>,
    readyLine = /"msg":"ready/,
  ) {
    this.#command = command;
    this.#settings = settings;
    this.#readyLine = readyLine;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Starts it, with further settings for this run only; resolves with the line that says ready. */
  async start(further: Record<string, string> = {}): Promise<string> {
    if (this.isRunning) throw new Error(`${this.#command[0]} runs already`);
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(HOLDFAST|ANTHROPIC|VITEST|NODE_OPTIONS)/.test(name),
    );
    const lines: string[] = [];
    this.lines = lines;
    const child = spawn(process.execPath, [...this.#command], {
      cwd: ROOT,
      env: {
        ...Object.fromEntries(inherited),
        HOLDFAST_LOG_FORMAT: 'json',
        ...this.#settings,
        ...further,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop()!;
        lines.push(...parts);
      });
    }
    return until(`${this.#command[0]} is ready`, () => this.#ready(), { timeoutMs: START_MS });
  }

  #ready(): string | undefined {
    const line = this.lines.find((each) => this.#readyLine.test(each));
    if (line === undefined && !this.isRunning) {
      throw new Error(`${this.#command[0]} ended:\n${this.lines.slice(-20).join('\n')}`);
    }
    return line;
  }

  /** Resolves when so many calls of the present run stand still at the pause point of that name. */
  async pausedAt(moment: string, count: number): Promise<void> {
    const paused = (): boolean =>
      this.lines.filter((line) => line.includes(`"moment":"${moment}"`)).length >= count;
    await until(`${count} calls paused at ${moment}`, paused, { timeoutMs: START_MS });
  }

  /** Ends it with that signal and waits for its end; does nothing where it does not run. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.#child!, 'exit');
    this.#child!.kill(signal);
    await ended;
  }
}
