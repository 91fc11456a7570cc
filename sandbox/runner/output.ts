// What a tool says, within bounds: up to 100,000 characters go into the result; more is kept whole
// in a file inside the sandbox, and the model gets its start, its end and the path (docs:
// managed-agents/tools). A flood is cut off, and old files make room for new ones.
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import {
  TOOL_OUTPUT_BYTES_MAX,
  TOOL_OUTPUT_CHARS_MAX,
  TOOL_OUTPUT_FILES_BYTES_MAX,
  TOOL_OUTPUT_MEMORY_BYTES,
  TOOL_PREVIEW_CHARS,
} from '../../protocol/limits.ts';

// Colours and cursor movements of terminals; the same expression as a terminal's CSI grammar.
// oxlint-disable-next-line no-control-regex -- the escape character is what it looks for
const ANSI = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** Text as the model sees it: no terminal sequences, no empty lines at the end. */
export function cleanText(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 10) end--;
  const trimmed = text.slice(0, end);
  if (!trimmed.includes('\u001b')) return trimmed;
  return trimmed.replace(ANSI, '').replace(/\n+$/, '');
}

/** Where a sandbox keeps long outputs. */
export class OutputFiles {
  readonly #directory: string;
  #next = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A new empty file; makes room first. Throws as the file system does. */
  create(): { path: string; fd: number } {
    mkdirSync(this.#directory, { recursive: true });
    this.#makeRoom();
    for (;;) {
      const path = join(this.#directory, `output-${++this.#next}.txt`);
      try {
        return { path, fd: openSync(path, 'wx', 0o600) };
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
  }

  #makeRoom(): void {
    const files = readdirSync(this.#directory)
      .map((name) => join(this.#directory, name))
      .map((path) => ({ path, stat: statSync(path, { throwIfNoEntry: false }) }))
      .flatMap(({ path, stat }) => (stat?.isFile() === true ? [{ path, stat }] : []))
      .toSorted((a, b) => a.stat.mtimeMs - b.stat.mtimeMs);
    let total = files.reduce((sum, file) => sum + file.stat.size, 0);
    for (const file of files) {
      if (total <= TOOL_OUTPUT_FILES_BYTES_MAX - TOOL_OUTPUT_BYTES_MAX) return;
      rmSync(file.path, { force: true });
      total -= file.stat.size;
    }
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Collects one command's output: in memory while it is short, in a file from there on. */
export class OutputSpool {
  readonly #files: OutputFiles;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #file: { path: string; fd: number } | null = null;
  #fileError: string | null = null;
  #tail: Buffer[] = [];
  #tailBytes = 0;

  constructor(files: OutputFiles) {
    this.#files = files;
  }

  /** Takes bytes; false once the bound is passed, when the command should be stopped. */
  write(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#file !== null) {
      this.#append(chunk);
    } else {
      this.#chunks.push(chunk);
      if (this.#bytes > TOOL_OUTPUT_MEMORY_BYTES) this.#moveToFile();
    }
    return this.#bytes <= TOOL_OUTPUT_BYTES_MAX;
  }

  /** The text for the model; after this the spool is used up. */
  finish(): string {
    if (this.#file === null) {
      const whole = Buffer.concat(this.#chunks, this.#bytes).toString('utf8');
      return boundedText(cleanText(whole), this.#files);
    }
    closeSync(this.#file.fd);
    const start = decodeStart(Buffer.concat(this.#chunks));
    const end = this.#trimTail().toString('utf8').slice(-TOOL_PREVIEW_CHARS);
    return preview({
      start: cleanText(start),
      end: cleanText(end),
      size: `${this.#bytes} bytes`,
      kept: this.#fileError ?? this.#file.path,
    });
  }

  #moveToFile(): void {
    const all = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [all.subarray(0, PREVIEW_BYTES)];
    try {
      this.#file = this.#files.create();
    } catch (error) {
      this.#file = { path: '', fd: openSync('/dev/null', 'w') };
      this.#fileError = `nowhere: ${messageOf(error)}`;
    }
    this.#append(all);
  }

  // Only now and then, so that many small pieces cost no more than a few large ones.
  #trimTail(): Buffer {
    const tail = Buffer.concat(this.#tail, this.#tailBytes).subarray(-PREVIEW_BYTES);
    this.#tail = [tail];
    this.#tailBytes = tail.length;
    return tail;
  }

  #append(chunk: Buffer): void {
    this.#tail.push(Buffer.from(chunk.subarray(-PREVIEW_BYTES)));
    this.#tailBytes += Math.min(chunk.length, PREVIEW_BYTES);
    if (this.#tailBytes > PREVIEW_BYTES * TAIL_SLACK) this.#trimTail();
    if (this.#file === null || this.#fileError !== null) return;
    try {
      writeSync(this.#file.fd, chunk);
    } catch (error) {
      this.#fileError = `only in part in ${this.#file.path}: ${messageOf(error)}`;
    }
  }
}

/** Bytes that hold a preview's characters whatever they are. */
const PREVIEW_BYTES = TOOL_PREVIEW_CHARS * 4;
/** How far the kept end may grow before it is trimmed, in previews. */
const TAIL_SLACK = 4;

function decodeStart(bytes: Buffer): string {
  return new StringDecoder('utf8')
    .write(bytes.subarray(0, PREVIEW_BYTES))
    .slice(0, TOOL_PREVIEW_CHARS);
}

/** `text` as it is up to the documented bound; beyond it, kept in a file and shown as a preview. */
export function boundedText(text: string, files: OutputFiles): string {
  if (text.length <= TOOL_OUTPUT_CHARS_MAX) return text;
  let kept: string;
  try {
    const { path, fd } = files.create();
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
    kept = path;
  } catch (error) {
    kept = `nowhere: ${messageOf(error)}`;
  }
  return preview({
    start: text.slice(0, TOOL_PREVIEW_CHARS),
    end: text.slice(-TOOL_PREVIEW_CHARS),
    size: `${text.length} characters`,
    kept,
  });
}

function preview(parts: { start: string; end: string; size: string; kept: string }): string {
  return [
    parts.start,
    '',
    `[output truncated: ${parts.size} in all; the complete output is in ${parts.kept}]`,
    '',
    parts.end,
  ].join('\n');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
