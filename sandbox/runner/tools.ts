// The six built-in tools inside the container. The file tools are the official SDK's own, so their
// behaviour is the documented one; bash is the persistent shell of shell.ts. Every way to fail ends
// as an error result for the model, never as an exception.
import { readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import {
  betaEditTool,
  betaGlobTool,
  betaGrepTool,
  betaReadTool,
  betaWriteTool,
} from '@anthropic-ai/sdk/tools/agent-toolset/node';
import {
  BASH_TIMEOUT_MS,
  BASH_TIMEOUT_MS_MAX,
  FILE_TOOL_TIMEOUT_MS,
  READ_MEDIA_BYTES_MAX,
} from '../../protocol/limits.ts';
import type { SandboxTool, ToolContent } from '../sandbox.ts';
import { boundedText, OutputFiles } from './output.ts';
import { Shell, stoppedText } from './shell.ts';

export interface ToolResult {
  content: ToolContent[];
  isError: boolean;
}

export interface ToolsOptions {
  workdir: string;
  outputDirectory: string;
  env: Record<string, string | undefined>;
  /** see `Shell` */
  ownsContainer: boolean;
}

interface RunOptions {
  signal: AbortSignal;
  onStarted: () => void;
}

type FileTool = ReturnType<typeof betaReadTool>;

export class Tools {
  readonly #workdir: string;
  readonly #files: OutputFiles;
  readonly #shell: Shell;
  readonly #fileTools: Record<Exclude<SandboxTool, 'bash' | 'grep' | 'keep'>, FileTool>;
  readonly #fastGrep: FileTool;
  readonly #anywhereGrep: FileTool;
  readonly #fastGrepRoots: string[];
  #shellFree: Promise<unknown> = Promise.resolve();

  constructor(options: ToolsOptions) {
    const { workdir, outputDirectory, env, ownsContainer } = options;
    this.#workdir = workdir;
    this.#files = new OutputFiles(outputDirectory);
    this.#shell = new Shell({ workdir, files: this.#files, env, ownsContainer });
    // The container is the boundary, so the file tools may go wherever its user may.
    const anywhere = { workdir, allowedRoots: ['/'] };
    this.#fileTools = {
      read: betaReadTool(anywhere),
      write: betaWriteTool(anywhere),
      edit: betaEditTool(anywhere),
      glob: betaGlobTool(anywhere),
    };
    this.#anywhereGrep = betaGrepTool(anywhere);
    // The SDK takes ripgrep only from outside the permitted roots; with `/` permitted that is
    // nowhere, so the usual searches get roots that leave out the program directories.
    this.#fastGrepRoots = rootsWithoutPrograms();
    this.#fastGrep = betaGrepTool({ workdir, allowedRoots: this.#fastGrepRoots });
  }

  /**
   * Runs one tool; bash calls wait for each other, `onStarted` comes when this one's turn begins.
   */
  async run(
    tool: SandboxTool,
    input: Record<string, unknown>,
    options: RunOptions,
  ): Promise<ToolResult> {
    const wrong = inputError(tool, input);
    if (wrong !== null) return failed(`${tool}: ${wrong}`);
    try {
      switch (tool) {
        case 'bash':
          return await this.#bash(input, options);
        case 'keep':
          options.onStarted();
          return succeeded(boundedText(String(input['text']), this.#files));
        default:
          return await this.#fileTool(tool, input, options);
      }
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    }
  }

  /** Ends the shell and everything in its group. */
  close(): void {
    this.#shell.restart();
  }

  async #bash(input: Record<string, unknown>, options: RunOptions): Promise<ToolResult> {
    const before = this.#shellFree;
    const turn = Promise.withResolvers<void>();
    this.#shellFree = turn.promise;
    try {
      await before;
      if (options.signal.aborted)
        return failed('interrupted: the command was stopped before it began');
      options.onStarted();
      return await this.#runCommand(input, options.signal);
    } finally {
      turn.resolve();
    }
  }

  async #runCommand(input: Record<string, unknown>, signal: AbortSignal): Promise<ToolResult> {
    const { command, restart } = input;
    if (restart === true) this.#shell.restart();
    if (typeof command !== 'string' || command === '') {
      return restart === true
        ? succeeded('bash session restarted')
        : failed('bash: command is required');
    }
    const timeoutMs = Math.min(Number(input['timeout_ms'] ?? BASH_TIMEOUT_MS), BASH_TIMEOUT_MS_MAX);
    const result = await this.#shell.run(command, { timeoutMs, signal });
    if (result.exitCode === null) return failed(stoppedText(result, timeoutMs));
    if (result.exitCode !== 0) return failed(result.output || `exit ${result.exitCode}`);
    return succeeded(result.output);
  }

  async #fileTool(
    tool: Exclude<SandboxTool, 'bash' | 'keep'>,
    input: Record<string, unknown>,
    options: RunOptions,
  ): Promise<ToolResult> {
    options.onStarted();
    const media = tool === 'read' ? mediaBlock(resolvePath(this.#workdir, path(input))) : null;
    if (media !== null) return { content: [media], isError: false };
    const limit = AbortSignal.timeout(FILE_TOOL_TIMEOUT_MS);
    const signal = AbortSignal.any([options.signal, limit]);
    const run = tool === 'grep' ? this.#grepFor(input) : this.#fileTools[tool];
    const stopped = Promise.withResolvers<never>();
    const onAbort = () =>
      stopped.reject(
        new Error(
          limit.aborted
            ? `${tool}: timed out after ${FILE_TOOL_TIMEOUT_MS}ms`
            : `interrupted: ${tool} was stopped on request`,
        ),
      );
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      const text = await Promise.race([run.run(input, context(signal)), stopped.promise]);
      return succeeded(boundedText(textOf(text), this.#files));
    } finally {
      signal.removeEventListener('abort', onAbort);
      stopped.promise.catch(() => {});
    }
  }

  #grepFor(input: Record<string, unknown>): FileTool {
    const at = resolvePath(this.#workdir, path(input));
    let real: string;
    try {
      real = realpathSync(at);
    } catch {
      return this.#anywhereGrep;
    }
    const roots = [this.#workdir, ...this.#fastGrepRoots];
    const isInside = roots.some((root) => real === root || real.startsWith(`${root}/`));
    return isInside ? this.#fastGrep : this.#anywhereGrep;
  }
}

// The SDK's tools read only the signal of their context.
function context(signal: AbortSignal): Parameters<FileTool['run']>[1] {
  return { signal } as Parameters<FileTool['run']>[1];
}

// sdk 1.11.0: each of its file tools answers with a string.
function textOf(answer: Awaited<ReturnType<FileTool['run']>>): string {
  return typeof answer === 'string' ? answer : JSON.stringify(answer);
}

function path(input: Record<string, unknown>): string {
  const given = input['file_path'] ?? input['path'];
  return typeof given === 'string' ? given : '';
}

function succeeded(text: string): ToolResult {
  return { content: [{ type: 'text', text: text || '(no output)' }], isError: false };
}

function failed(text: string): ToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

type Field = 'text' | 'flag' | 'range' | 'milliseconds';

// sdk 1.11.0: the input schemas of the agent toolset; which field is required is the tool's own
// say.
const INPUT_FIELDS: Record<SandboxTool, Record<string, Field>> = {
  bash: { command: 'text', restart: 'flag', timeout_ms: 'milliseconds' },
  read: { file_path: 'text', view_range: 'range' },
  write: { file_path: 'text', content: 'text' },
  edit: { file_path: 'text', old_string: 'text', new_string: 'text', replace_all: 'flag' },
  glob: { pattern: 'text', path: 'text' },
  grep: { pattern: 'text', path: 'text' },
  keep: { text: 'text' },
};
const REQUIRED: Partial<Record<SandboxTool, string[]>> = {
  read: ['file_path'],
  write: ['file_path', 'content'],
  edit: ['file_path', 'old_string', 'new_string'],
  glob: ['pattern'],
  grep: ['pattern'],
  keep: ['text'],
};

const FIELD_CHECKS: Record<Field, { accepts: (value: unknown) => boolean; expected: string }> = {
  text: { accepts: (value) => typeof value === 'string', expected: 'a string' },
  flag: { accepts: (value) => typeof value === 'boolean', expected: 'true or false' },
  range: {
    accepts: (value) => Array.isArray(value) && value.every((line) => Number.isSafeInteger(line)),
    expected: 'a list of integers',
  },
  milliseconds: {
    accepts: (value) => Number.isSafeInteger(value) && Number(value) > 0,
    expected: 'a positive integer',
  },
};

function inputError(tool: SandboxTool, input: Record<string, unknown>): string | null {
  for (const [name, field] of Object.entries(INPUT_FIELDS[tool])) {
    const value = input[name];
    if (value === undefined || value === null) continue;
    const check = FIELD_CHECKS[field];
    if (!check.accepts(value)) return `${name} must be ${check.expected}`;
  }
  const missing = REQUIRED[tool]?.find((name) => input[name] === undefined || input[name] === null);
  return missing === undefined ? null : `${missing} is required`;
}

const SIGNATURES: { media: string; matches: (head: Buffer) => boolean }[] = [
  {
    media: 'image/png',
    matches: (head) => head.subarray(0, 4).equals(Buffer.from('\x89PNG', 'latin1')),
  },
  {
    media: 'image/jpeg',
    matches: (head) => head.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff])),
  },
  { media: 'image/gif', matches: (head) => head.subarray(0, 4).toString('latin1') === 'GIF8' },
  {
    media: 'image/webp',
    matches: (head) =>
      head.subarray(0, 4).toString('latin1') === 'RIFF' &&
      head.subarray(8, 12).toString('latin1') === 'WEBP',
  },
  {
    media: 'application/pdf',
    matches: (head) => head.subarray(0, 5).toString('latin1') === '%PDF-',
  },
];

// The read tool is documented to show images and PDFs too (behaviour.md 3.1); the SDK's own reads
// text.
function mediaBlock(file: string): ToolContent | null {
  if (!/\.(png|jpe?g|gif|webp|pdf)$/i.test(file)) return null;
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.size > READ_MEDIA_BYTES_MAX) return null;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return null;
  }
  const known = SIGNATURES.find((signature) => signature.matches(bytes));
  if (known === undefined) return null;
  const source = {
    type: 'base64',
    media_type: known.media,
    data: bytes.toString('base64'),
  } as const;
  return known.media === 'application/pdf'
    ? { type: 'document', source }
    : { type: 'image', source };
}

const PROGRAM_DIRECTORIES = ['usr', 'bin', 'sbin', 'lib', 'lib64', 'lib32', 'libx32'];
const PROGRAM_DIRECTORIES_OF_USR = ['bin', 'sbin', 'local', 'lib', 'lib64', 'lib32', 'libx32'];

function rootsWithoutPrograms(): string[] {
  const top = readdirSync('/').filter((name) => !PROGRAM_DIRECTORIES.includes(name));
  const usr = readdirSync('/usr').filter((name) => !PROGRAM_DIRECTORIES_OF_USR.includes(name));
  return [...top.map((name) => `/${name}`), ...usr.map((name) => `/usr/${name}`)];
}
