// The data directory: who holds it, who this machine is, the first key, what runs beside the
// server. Promises: one server a directory (a kernel lock, gone with its process, so a kill -9
// leaves nothing stale); files are replaced whole, never half written; a full disk or a missing
// right is one sentence.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statfsSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DATA_DIRECTORY_FREE_BYTES_MIN } from '../protocol/limits.ts';
import { mintApiKey } from '../store/keys.ts';

/**
 * The machine or its operator must change something; the message is one sentence that says what.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}

const MEBIBYTE = 1_048_576;

/** One process of ours beside the server, as the last run knew it. */
export interface ChildRecord {
  /** program and arguments: with the pid, what proves that a live process is the one we started */
  command: string[];
  /** null between the decision to start and the start */
  pid: number | null;
}

/** What a run leaves for the next one and for people: ports, pids, addresses. Never a secret. */
export interface RuntimeRecord {
  server?: { pid: number; url: string };
  ports: Record<string, number>;
  children: Record<string, ChildRecord>;
}

export interface DataDirectory {
  readonly path: string;
  /** stable for the life of the directory; names this machine's sandbox queue */
  readonly hostId: string;
  readonly runtime: RuntimeFile;
  /**
   * Gives the directory free for the next server; the kernel does so as well when the process ends.
   */
  release(): void;
}

/**
 * Makes the directory if needed and takes it for this process.
 * Throws StartError when another server holds it, its disk is full or it cannot be written.
 */
export function openDataDirectory(path: string): DataDirectory {
  return explained(path, () => {
    const isNew = !existsSync(path);
    mkdirSync(path, { recursive: true });
    // Root's PostgreSQL runs as another user and must be able to walk through; the secrets inside
    // are 0600.
    if (isNew) chmodSync(path, process.getuid?.() === 0 ? 0o711 : 0o700);
    refuseFullDisk(path);
    const lock = takeLock(path);
    return {
      path,
      hostId: keptText(join(path, 'host-id'), () => `host${randomBytes(8).toString('hex')}`),
      runtime: new RuntimeFile(join(path, 'runtime.json')),
      release: () => lock.close(),
    };
  });
}

/** Reads a small secret file, or makes it with what `mint` returns; mode 0600. */
function keptText(file: string, mint: () => string): string {
  if (existsSync(file)) {
    const kept = readFileSync(file, 'utf8').trim();
    if (kept !== '') return kept;
  }
  const minted = mint();
  replaceFile(file, `${minted}\n`);
  return minted;
}

/** `runtime.json`: read once, replaced whole at every change. */
export class RuntimeFile {
  readonly #file: string;
  #record: RuntimeRecord;

  constructor(file: string) {
    this.#file = file;
    this.#record = readRecord(file);
  }

  get current(): Readonly<RuntimeRecord> {
    return this.#record;
  }

  change(patch: (record: RuntimeRecord) => void): void {
    const next = structuredClone(this.#record);
    patch(next);
    replaceFile(this.#file, `${JSON.stringify(next, null, 2)}\n`);
    this.#record = next;
  }
}

function readRecord(file: string): RuntimeRecord {
  const empty: RuntimeRecord = { ports: {}, children: {} };
  if (!existsSync(file)) return empty;
  try {
    return { ...empty, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<RuntimeRecord>) };
  } catch {
    // Only a hint for the next start: a file that a full disk cut short costs no more than new
    // ports.
    return empty;
  }
}

function replaceFile(file: string, content: string): void {
  explained(file, () => {
    writeFileSync(`${file}.new`, content, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  });
}

/** Node has no flock; SQLite's exclusive lock is the kernel's own and dies with its process. */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, 'lock'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (!/locked|busy/i.test(String(error))) throw error;
    const holder = readRecord(join(path, 'runtime.json')).server;
    const who = holder ? ` (process ${holder.pid}, ${holder.url})` : '';
    throw new StartError(
      `Another server${who} is using ${path}: stop it, or set HOLDFAST_DATA to another directory.`,
    );
  }
}

/** Throws StartError when the disk of that directory has next to no space left. */
export function refuseFullDisk(path: string): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize >= DATA_DIRECTORY_FREE_BYTES_MIN) return;
  throw new StartError(
    `The disk of ${path} is full (${Math.floor((bavail * bsize) / MEBIBYTE)} MiB left): free ` +
      'some space, or set HOLDFAST_DATA to a directory on another disk.',
  );
}

const FILE_TROUBLE: Record<string, string> = {
  ENOSPC: 'its disk is full',
  EDQUOT: 'its disk quota is used up',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only file system',
  ENOTDIR: 'a part of the path is a file',
};

/**
 * What a failed file operation means for an operator, as one sentence; null for any other error.
 */
export function fileTrouble(error: unknown, path?: string): string | null {
  const { code, path: from, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const reason = FILE_TROUBLE[code ?? ''];
  const where = path ?? dest ?? from;
  if (reason === undefined || where === undefined) return null;
  return `Cannot write ${where}: ${reason} (HOLDFAST_DATA names the data directory).`;
}

function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const sentence = fileTrouble(error, path);
    throw sentence === null ? error : new StartError(sentence);
  }
}

export interface FirstKey {
  key: string;
  /** minted just now: the one time it is shown */
  isNew: boolean;
  /** where a person finds it */
  where: string;
}

/** The key as given, else as kept, else a new one that is kept from now on. */
export function firstKey(dataDir: string, given: string | null): FirstKey {
  if (given !== null) return { key: given, isNew: false, where: 'HOLDFAST_API_KEY' };
  const where = join(dataDir, 'api-key');
  mkdirSync(dataDir, { recursive: true });
  const isNew = !existsSync(where);
  return { key: keptText(where, mintApiKey), isNew, where };
}
