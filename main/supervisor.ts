// Keeps the processes beside the server alive: PostgreSQL, Temporal, the scripted model. They run
// detached with their output in files, so a kill -9 of this process costs only its own restart: the
// next one finds them by their record and adopts them. Promises: never two of a kind on one data
// directory; a dead child is started again with growing pauses; stop() leaves none behind.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  CHILD_LOG_BYTES_MAX,
  CHILD_POLL_MS,
  CHILD_RESTART_PAUSE_MAX_MS,
  CHILD_RESTART_PAUSE_MIN_MS,
  CHILD_START_ATTEMPTS_MAX,
  CHILD_STOP_MS,
} from '../protocol/limits.ts';
import { childEnvironment } from './config.ts';
import { StartError } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { isOurs } from './process-identity.ts';

/** How to run one process and how to know that it serves. */
export interface ChildSpec {
  /** key in runtime.json, and the log file's name: `<name>.log` */
  name: string;
  /** for people: `PostgreSQL` */
  title: string;
  command: readonly string[];
  /** the user it runs as; absent: ours */
  user?: { uid: number; gid: number } | undefined;
  environment?: Record<string, string>;
  stopSignal: NodeJS.Signals;
  /** bound for a start, from spawn to serving, `ms` */
  readyTimeoutMs: number;
  /** Rejects while the child does not serve yet. */
  ready: () => Promise<void>;
  /** Clears the way for a new process; called before each start, never while one is alive. */
  beforeStart?: () => void;
}

interface Child {
  spec: ChildSpec;
  pid: number | null;
  /** 'ok', or what is wrong, for people */
  state: string;
}

export class Supervisor {
  readonly #directory: DataDirectory;
  readonly #log: Logger;
  readonly #children = new Map<string, Child>();
  readonly #watches: Promise<void>[] = [];
  readonly #preparations: Promise<unknown>[] = [];
  readonly #stopping = new AbortController();

  constructor(directory: DataDirectory, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /**
   * What has to be done before a child can start. stop() aborts the signal and waits until the work
   * has ended, so nothing of it writes to the data directory afterwards.
   */
  async prepare<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const prepared = work(this.#stopping.signal);
    this.#preparations.push(prepared);
    return prepared;
  }

  /**
   * Resolves when the child serves: adopted from an earlier run, or started. From then on it is
   * watched. Throws StartError with the last line of its log when it cannot be started.
   */
  async start(spec: ChildSpec): Promise<void> {
    const child: Child = { spec, pid: null, state: 'starting' };
    this.#children.set(spec.name, child);
    const startedAt = performance.now();
    const adopted = await this.#adopt(child);
    if (!adopted) await this.#startFirst(child);
    child.state = 'ok';
    const took = `${((performance.now() - startedAt) / 1_000).toFixed(2)} s`;
    this.#log.info(
      { pid: child.pid },
      adopted ? `${spec.title} was still running` : `${spec.title} started in ${took}`,
    );
    this.#watches.push(this.#watch(child));
  }

  /** 'ok', or one phrase about what is wrong; for the health report. */
  state(name: string): string {
    return this.#children.get(name)?.state ?? 'not started';
  }

  /** Ends every child, all at once; resolves when none is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#preparations);
    await Promise.all(this.#watches);
    await Promise.all([...this.#children.values()].map((child) => this.#end(child)));
  }

  /**
   * Finds the process of an earlier run; one that runs with other settings or does not answer is
   * ended here, so that the next one has the data directory for itself.
   */
  async #adopt(child: Child): Promise<boolean> {
    const record = this.#directory.runtime.current.children[child.spec.name];
    if (!record) return false;
    const pid = this.#writtenPid(child.spec.name) ?? record.pid;
    if (pid === null || !isOurs(pid, record.command)) return false;
    child.pid = pid;
    const isCurrent = record.command.join('\0') === child.spec.command.join('\0');
    if (isCurrent && (await this.#becomesReady(child, record.command))) return true;
    const trouble = isCurrent ? 'does not answer' : 'runs with other settings';
    this.#log.info({ pid }, `${child.spec.title} ${trouble}: restarting it`);
    await endProcess(pid, record.command, child.spec.stopSignal);
    child.pid = null;
    return false;
  }

  async #startFirst(child: Child): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.#spawn(child);
      if (await this.#becomesReady(child, child.spec.command)) return;
      const gaveUp = child.pid !== null && isOurs(child.pid, child.spec.command);
      if (gaveUp || attempt === CHILD_START_ATTEMPTS_MAX) {
        await this.#end(child);
        throw new StartError(
          `${child.spec.title} ${gaveUp ? 'does not answer' : 'ends at once'}: ` +
            `${this.#lastLogLine(child.spec)} (${this.#logFile(child.spec)}).`,
        );
      }
      await pause(CHILD_RESTART_PAUSE_MIN_MS);
    }
  }

  /** True once it serves; false when it ended, or its time ran out. */
  async #becomesReady(child: Child, command: readonly string[]): Promise<boolean> {
    const deadline = performance.now() + child.spec.readyTimeoutMs;
    let step = 20;
    let asked: Promise<boolean> | null = null;
    while (performance.now() < deadline && !this.#stopping.signal.aborted) {
      if (child.pid === null || !isOurs(child.pid, command)) return false;
      // One that hangs takes the question and never answers: the clock and the stop go on.
      asked ??= child.spec.ready().then(
        () => true,
        () => false,
      );
      const serves = await Promise.race([asked, this.#sleep(CHILD_POLL_MS).then(() => null)]);
      if (serves === null) continue;
      if (serves) return true;
      asked = null;
      await pause(step);
      step = Math.min(step * 1.5, CHILD_POLL_MS);
    }
    return false;
  }

  /**
   * The child itself writes its pid, through a descriptor opened here, before it becomes the
   * program: whatever kills us, an orphan is on record. The record of the command is written before
   * that.
   */
  #spawn(child: Child): void {
    const { spec } = child;
    if (this.#stopping.signal.aborted)
      throw new StartError(`${spec.title} is not wanted any more.`);
    spec.beforeStart?.();
    this.#directory.runtime.change((record) => {
      record.children[spec.name] = { command: [...spec.command], pid: null };
    });
    this.#rotateLog(spec);
    const output = openSync(this.#logFile(spec), 'a', 0o600);
    const pidFile = openSync(this.#pidFile(spec.name), 'w', 0o600);
    try {
      const started = spawn(
        '/bin/sh',
        ['-c', 'echo $$ >&3; exec "$@" 3>&-', 'sh', ...spec.command],
        {
          cwd: spec.user ? '/' : this.#directory.path,
          detached: true,
          stdio: ['ignore', output, output, pidFile],
          env: { ...childEnvironment(), ...spec.environment },
          ...spec.user,
        },
      );
      started.unref();
      started.once('error', (error) => this.#log.error(error, `${spec.title} cannot be started`));
      child.pid = started.pid ?? null;
    } finally {
      closeSync(output);
      closeSync(pidFile);
    }
    this.#directory.runtime.change((record) => {
      record.children[spec.name] = { command: [...spec.command], pid: child.pid };
    });
  }

  async #watch(child: Child): Promise<void> {
    let restartPause = CHILD_RESTART_PAUSE_MIN_MS;
    let aliveSince = performance.now();
    while (await this.#sleep(CHILD_POLL_MS)) {
      if (child.pid !== null && isOurs(child.pid, child.spec.command)) continue;
      const livedLong = performance.now() - aliveSince > CHILD_RESTART_PAUSE_MAX_MS;
      restartPause = livedLong ? CHILD_RESTART_PAUSE_MIN_MS : restartPause;
      child.state = `ended, starting again: ${this.#lastLogLine(child.spec)}`;
      this.#log.warn({ pid: child.pid }, `${child.spec.title} ended; starting it again`);
      if (!(await this.#sleep(restartPause))) return;
      restartPause = Math.min(restartPause * 2, CHILD_RESTART_PAUSE_MAX_MS);
      await this.#restart(child);
      aliveSince = performance.now();
    }
  }

  async #restart(child: Child): Promise<void> {
    try {
      this.#spawn(child);
      if (await this.#becomesReady(child, child.spec.command)) {
        child.state = 'ok';
        this.#log.info({ pid: child.pid }, `${child.spec.title} is back`);
      } else if (!this.#stopping.signal.aborted) {
        // Still alive but silent: ended, so that the watch starts a fresh one.
        await this.#end(child);
      }
    } catch (error) {
      // A full disk, for instance: the watch tries again, and health says so meanwhile.
      child.state = String(error);
      this.#log.error(error, `${child.spec.title} cannot be started`);
    }
  }

  async #end(child: Child): Promise<void> {
    if (child.pid === null) return;
    await endProcess(child.pid, child.spec.command, child.spec.stopSignal);
    child.pid = null;
  }

  /** False when the supervisor was stopped meanwhile. */
  async #sleep(ms: number): Promise<boolean> {
    return pause(ms, true, { signal: this.#stopping.signal }).catch(() => false);
  }

  #logFile(spec: ChildSpec): string {
    return join(this.#directory.path, `${spec.name}.log`);
  }

  #pidFile(name: string): string {
    return join(this.#directory.path, `${name}.pid`);
  }

  #writtenPid(name: string): number | null {
    return readPid(this.#pidFile(name));
  }

  #rotateLog(spec: ChildSpec): void {
    const file = this.#logFile(spec);
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size > CHILD_LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  }

  #lastLogLine(spec: ChildSpec): string {
    return lastLine(this.#logFile(spec));
  }
}

/** Ends what an earlier server on this directory left running; for a directory nobody holds. */
export async function stopLeftovers(directory: DataDirectory): Promise<string[]> {
  const stopped: string[] = [];
  for (const [name, record] of Object.entries(directory.runtime.current.children)) {
    const pid = readPid(join(directory.path, `${name}.pid`)) ?? record.pid;
    if (pid === null || !isOurs(pid, record.command)) continue;
    await endProcess(pid, record.command, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
    stopped.push(name);
  }
  return stopped;
}

/** Ends it, and resolves when it is gone; does nothing where the pid is somebody else's by now. */
async function endProcess(
  pid: number,
  command: readonly string[],
  signal: NodeJS.Signals,
): Promise<void> {
  if (!isOurs(pid, command)) return;
  const deadline = performance.now() + CHILD_STOP_MS;
  signalProcess(pid, signal);
  while (isOurs(pid, command)) {
    if (performance.now() > deadline) signalProcess(pid, 'SIGKILL');
    await pause(20);
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function readPid(file: string): number | null {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || null;
  } catch {
    return null;
  }
}

function lastLine(file: string): string {
  try {
    const text = readFileSync(file, 'utf8').trimEnd();
    return text.slice(text.lastIndexOf('\n') + 1).slice(0, 300) || 'it wrote no log';
  } catch {
    return 'it wrote no log';
  }
}
