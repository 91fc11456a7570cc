// The persistent shell behind the bash tool: one bash over pipes, so directory, variables and
// background jobs live from call to call. It passes the same cases as the SDK toolset's own session
// (test/conformance) and differs in three ways: the whole output is kept, a syntax error is
// reported at once instead of at the timeout, and a stopped command dies with everything it
// started.
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { TOOL_OUTPUT_BYTES_MAX } from '../../protocol/limits.ts';
import { OutputSpool } from './output.ts';
import type { OutputFiles } from './output.ts';
import {
  isNearPidsLimit,
  killAllOthers,
  killTree,
  nowTicks,
  volunteerForOom,
} from './processes.ts';

export interface CommandResult {
  output: string;
  /** exit code; null where the command was stopped or the shell ended */
  exitCode: number | null;
  /** why there is no exit code */
  stopped?: 'timeout' | 'interrupted' | 'flood' | 'shell ended';
}

interface Running {
  marker: Buffer;
  spool: OutputSpool;
  /** bytes that may be the beginning of the marker */
  held: Buffer;
  finish: (exitCode: number | null, stopped?: CommandResult['stopped']) => void;
}

export class Shell {
  readonly #workdir: string;
  readonly #files: OutputFiles;
  readonly #env: Record<string, string | undefined>;
  readonly #ownsContainer: boolean;
  #bash: ChildProcessWithoutNullStreams | null = null;
  #running: Running | null = null;

  constructor(options: {
    workdir: string;
    files: OutputFiles;
    env: Record<string, string | undefined>;
    /** every process it can see is its own, so all may be killed when the process table is full */
    ownsContainer: boolean;
  }) {
    this.#workdir = options.workdir;
    this.#files = options.files;
    this.#env = options.env;
    this.#ownsContainer = options.ownsContainer;
  }

  /** Ends the shell and what runs in its group; the next command begins with a fresh one. */
  restart(): void {
    this.#discard(0);
  }

  /**
   * Runs one command to its end, its timeout or `signal`; callers run one at a time. Returns also
   * for a stopped command, with the output it had. Throws where no shell can be started.
   */
  async run(
    command: string,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<CommandResult> {
    if (this.#ownsContainer && isNearPidsLimit()) await this.#clearProcesses();
    const bash = this.#bash ?? (await this.#start());
    const sinceTicks = nowTicks();
    // A marker per call, assembled only by printf, so that a command that echoes its own text (set
    // -v) or guesses a fixed marker cannot end the call early.
    const nonce = randomBytes(8).toString('hex');
    const spool = new OutputSpool(this.#files);
    const { promise, resolve } = Promise.withResolvers<CommandResult>();
    const finish: Running['finish'] = (exitCode, stopped) => {
      if (this.#running === null) return;
      this.#running = null;
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      if (stopped !== undefined) this.#discard(sinceTicks);
      const output = spool.finish();
      resolve(stopped === undefined ? { output, exitCode } : { output, exitCode, stopped });
    };
    const timer = setTimeout(() => finish(null, 'timeout'), options.timeoutMs);
    const onAbort = () => finish(null, 'interrupted');
    const marker = Buffer.from(`\n${nonce}:`);
    this.#running = { marker, spool, held: Buffer.alloc(0), finish };
    if (options.signal.aborted) finish(null, 'interrupted');
    else {
      options.signal.addEventListener('abort', onAbort, { once: true });
      bash.stdin.write(wrapped(command, nonce));
    }
    return promise;
  }

  async #start(): Promise<ChildProcessWithoutNullStreams> {
    const first = await this.#spawn();
    if (first !== null) return first;
    // No process can be made: whatever fills the table goes, then once more.
    if (this.#ownsContainer) await this.#clearProcesses();
    const second = await this.#spawn();
    if (second === null) throw new Error('no shell can be started: out of processes or memory');
    return second;
  }

  async #clearProcesses(): Promise<void> {
    this.#discard(0);
    killAllOthers();
    await pause(CLEAR_PAUSE_MS);
    killAllOthers();
  }

  async #spawn(): Promise<ChildProcessWithoutNullStreams | null> {
    const bash = spawn('/bin/bash', ['--noprofile', '--norc'], {
      cwd: this.#workdir,
      env: { ...this.#env, PS1: '', PS2: '', TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    bash.stdin.on('error', () => {});
    if (bash.pid === undefined) {
      await new Promise((resolve) => bash.once('error', resolve));
      return null;
    }
    volunteerForOom(bash.pid);
    bash.stdout.on('data', (chunk: Buffer) => this.#onOutput(bash, chunk));
    bash.stderr.on('data', (chunk: Buffer) => this.#onOutput(bash, chunk));
    bash.once('close', () => {
      if (this.#bash !== bash) return;
      this.#running?.finish(null, 'shell ended');
      this.#bash = null;
    });
    bash.once('exit', () => {
      // Background jobs may hold the pipes open after the shell itself is gone; its last words may
      // still be on the way.
      setTimeout(() => {
        if (this.#bash !== bash) return;
        if (this.#running === null) this.#bash = null;
        else this.#running.finish(null, 'shell ended');
      }, LAST_WORDS_MS);
    });
    // The marker has a descriptor of its own, so that a command may redirect the shell's output.
    bash.stdin.write('exec 9>&1\n');
    this.#bash = bash;
    return bash;
  }

  #onOutput(bash: ChildProcessWithoutNullStreams, chunk: Buffer): void {
    const running = this.#running;
    // Between calls only background jobs speak, and nobody listens.
    if (running === null || this.#bash !== bash) return;
    const bytes = running.held.length === 0 ? chunk : Buffer.concat([running.held, chunk]);
    const at = bytes.indexOf(running.marker);
    if (at >= 0) {
      const digits = bytes.subarray(at + running.marker.length).toString('latin1');
      const code = /^(\d+)\n/.exec(digits);
      if (code === null) {
        running.held = bytes;
        return;
      }
      running.spool.write(bytes.subarray(0, at));
      running.finish(Number(code[1]));
      return;
    }
    // Any beginning of the marker at the end of the chunk waits for the rest.
    const keep = Math.min(bytes.length, running.marker.length - 1);
    const lineAt = bytes.indexOf(10, bytes.length - keep);
    const cut = lineAt < 0 ? bytes.length : lineAt;
    running.held = bytes.subarray(cut);
    if (!running.spool.write(bytes.subarray(0, cut))) running.finish(null, 'flood');
  }

  #discard(sinceTicks: number): void {
    const bash = this.#bash;
    if (bash?.pid === undefined) return;
    this.#bash = null;
    killTree(bash.pid, sinceTicks);
    bash.stdout.destroy();
    bash.stderr.destroy();
    bash.stdin.destroy();
    bash.unref();
  }
}

const CLEAR_PAUSE_MS = 100;
const LAST_WORDS_MS = 100;

/** What the model reads about a command that was stopped. */
export function stoppedText(result: CommandResult, timeoutMs: number): string {
  const reason = {
    timeout: `bash: bash command timed out after ${timeoutMs}ms`,
    interrupted: 'interrupted: the command was stopped on request',
    flood: `bash: the command was stopped: its output passed ${TOOL_OUTPUT_BYTES_MAX} bytes`,
    'shell ended': 'bash: bash session terminated',
  }[result.stopped ?? 'shell ended'];
  const note = `${reason}. The shell was restarted: its working directory and variables are reset.`;
  return result.output === '' ? note : `${result.output}\n${note}`;
}

// `eval` of one quoted word: a syntax error or an open quote stays inside it and is reported at
// once. Input is empty, so a command that reads gets an end of file instead of the shell's own
// pipe.
function wrapped(command: string, nonce: string): string {
  const quoted = `'${command.replaceAll('\0', '').replaceAll("'", String.raw`'\''`)}'`;
  return `eval ${quoted} </dev/null 2>&1 9>&-;printf '\\n%s:%d\\n' ${nonce} $? >&9\n`;
}
