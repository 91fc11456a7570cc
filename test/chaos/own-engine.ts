// A container engine of the suite's own, because the machine's serves others: a second dockerd with
// its own root, state, pid file and socket, with live-restore, as the set-up starts one. It needs
// root, as the set-up does. `close` leaves no container, process, mount or file of it.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { defaultImageName } from '../../sandbox/docker-image.ts';
import { until } from '../helpers/until.ts';

const run = promisify(execFile);

/**
 * A first start makes its store, later ones take a second; but one in several waits 15 s for a
 * containerd that hangs, gives up and has to be started once more, as its service manager would.
 */
const START_MS = 90_000;
/** A killed dockerd takes its containerd along, as a rule. */
const CONTAINERD_END_MS = 3_000;

export class OwnEngine {
  readonly socketPath: string;
  readonly #home: string;
  #process: ChildProcess | undefined;

  private constructor(home: string) {
    this.#home = home;
    this.socketPath = join(home, 'docker.sock');
  }

  /** Starts one that has the sandbox image, carried over from the machine's engine. */
  static async start(): Promise<OwnEngine> {
    const engine = new OwnEngine(mkdtempSync(join(tmpdir(), 'holdfast-engine-')));
    try {
      await engine.startAgain();
      await engine.#carryOver(defaultImageName());
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** Starts it, again if it gives up by itself; resolves when it answers. */
  async startAgain(): Promise<void> {
    const answers = async (): Promise<boolean> => {
      if (!this.#isRunning) this.#spawn();
      return this.docker('version').then(
        () => true,
        () => false,
      );
    };
    await until('the engine answers', answers, { timeoutMs: START_MS, pollMs: 100 }).catch(() => {
      throw new Error(`the engine does not answer:\n${this.#lastWords()}`);
    });
  }

  #spawn(): void {
    const log = openSync(join(this.#home, 'log'), 'a');
    // In a network namespace of its own: without a bridge an engine removes the one it finds, which
    // would be that of the machine's own engine. `unshare` becomes the engine, its pid is the same.
    this.#process = spawn(
      'unshare',
      [
        '--net',
        'dockerd',
        `--data-root=${join(this.#home, 'data')}`,
        `--exec-root=${this.#state}`,
        `--pidfile=${join(this.#home, 'pid')}`,
        `--host=unix://${this.socketPath}`,
        '--live-restore',
        // Sandboxes of this suite have no network; the machine's rules are not ours to change.
        '--bridge=none',
        '--iptables=false',
        '--ip-forward=false',
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
  }

  /**
   * As `kill -9`; its containers go on. Resolves when nothing is left that a successor would meet.
   */
  async kill(): Promise<void> {
    const containerd = Number(
      readFileSync(join(this.#state, 'containerd', 'containerd.pid'), 'utf8'),
    );
    await this.#end('SIGKILL');
    const hasEnded = (): boolean => !existsSync(`/proc/${containerd}`);
    await until('its containerd has ended', hasEnded, { timeoutMs: CONTAINERD_END_MS }).catch(() =>
      process.kill(containerd, 'SIGKILL'),
    );
  }

  /** The command line of this engine; resolves with what it prints. */
  async docker(...words: string[]): Promise<string> {
    const { stdout } = await run('docker', ['--host', `unix://${this.socketPath}`, ...words]);
    return stdout.trim();
  }

  async close(): Promise<void> {
    const containers = await this.docker('ps', '--all', '--quiet').catch(() => '');
    const names = containers.split('\n').filter((name) => name !== '');
    if (names.length > 0) await this.docker('rm', '--force', '--volumes', ...names);
    await this.#end('SIGTERM');
    await this.#endShims();
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    for (const path of mounts.map((line) => line.split(' ')[1] ?? '').toReversed()) {
      if (path.startsWith(`${this.#home}/`)) await run('umount', [path]);
    }
    rmSync(this.#home, { recursive: true, force: true });
  }

  /** An engine killed while it starts a container forgets its shim, which waits for ever. */
  async #endShims(): Promise<void> {
    const shims = readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && readProcess(name, 'cmdline').includes(`${this.#home}/`),
    );
    const inside = shims.flatMap((pid) => readProcess(pid, `task/${pid}/children`).split(' '));
    const pids = [...shims, ...inside].filter((pid) => pid !== '');
    for (const pid of pids) killProcess(Number(pid));
    await until('its shims have ended', () => pids.every((pid) => !existsSync(`/proc/${pid}/exe`)));
  }

  async #carryOver(image: string): Promise<void> {
    const save = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] });
    const host = `unix://${this.socketPath}`;
    const load = spawn('docker', ['--host', host, 'load'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const loaded = once(load, 'exit');
    await pipeline(save.stdout, load.stdin);
    const [code] = (await loaded) as [number | null];
    if (code !== 0) throw new Error(`the image ${image} was not carried over (${code})`);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.#isRunning) return;
    const ended = once(this.#process!, 'exit');
    this.#process!.kill(signal);
    await ended;
  }

  get #isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** what it keeps while it runs */
  get #state(): string {
    return join(this.#home, 'run');
  }

  #lastWords(): string {
    return readFileSync(join(this.#home, 'log'), 'utf8').split('\n').slice(-15).join('\n');
  }
}

/** Kills it, unless it has ended by itself. */
function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A file of a process that may be gone by now; empty then. */
function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
