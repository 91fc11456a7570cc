// `npm run keys -- <verb>`: keys and workspaces, by hand, while the server runs. Promises: a key is
// printed once, alone on stdout, when it is minted, and nowhere else; what is ambiguous is refused;
// it never waits longer than KEYS_COMMAND_MS. Exit code 0 done, 1 it could not be, 2 wrong usage.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isId, ID_PREFIXES } from '../../protocol/ids.ts';
import { API_KEY_CACHE_MS, KEY_NAME_CHARS_MAX, KEYS_COMMAND_MS } from '../../protocol/limits.ts';
import { isConnectionLoss, openDatabase } from '../../store/database.ts';
import type { Database } from '../../store/database.ts';
import { embeddedDatabaseUrl } from '../../store/embedded.ts';
import * as store from '../../store/keys.ts';
import { ConfigError, readConfig } from '../config.ts';
import { RuntimeFile, StartError } from '../data-directory.ts';

const USAGE = `Usage: npm run keys -- <verb>

  mint --name <name> [--workspace <id or name>]
                             make a key and print it, this once; without --workspace for the first
  list                       every key: its id, how it ends, what it opens, when it was last used
  revoke <key id or key>     shut a key out for good
  workspaces                 every workspace
  workspace-create <name>    make one; no key of another sees what is in it

Works on the database that the settings name (HOLDFAST_DATA, or HOLDFAST_DATABASE_URL), while the
server runs.`;

/** The words of the command are wrong; the message says which. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked for cannot be done; the message is a sentence for the operator. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

type Verb = (sql: Database) => Promise<void>;

function readArguments(words: string[]): Verb {
  const { values, positionals } = parsed(words);
  const [verb, ...rest] = positionals;
  if (verb !== 'mint' && (values.name ?? values.workspace) !== undefined) {
    throw new UsageError('--name and --workspace go with mint.');
  }
  const none = (): void => {
    if (rest.length > 0) throw new UsageError(`${verb} takes no ${JSON.stringify(rest[0])}.`);
  };
  const one = (what: string): string => {
    const [word] = rest;
    if (rest.length === 1 && word !== undefined) return word;
    throw new UsageError(`${verb} takes ${what}, and nothing else.`);
  };
  switch (verb) {
    case 'mint':
      none();
      return mint(nameOf(values.name ?? ''), values.workspace);
    case 'list':
      none();
      return list;
    case 'revoke':
      return revoke(one('the id of a key, or the key'));
    case 'workspaces':
      none();
      return listWorkspaces;
    case 'workspace-create':
      return createWorkspace(nameOf(one('a name')));
    default:
      throw new UsageError(verb === undefined ? 'Name a verb.' : `There is no verb ${verb}.`);
  }
}

function parsed(words: string[]) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: { name: { type: 'string' }, workspace: { type: 'string' } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function nameOf(given: string): string {
  const name = given.trim();
  if (name.length >= 1 && name.length <= KEY_NAME_CHARS_MAX && !/\p{C}/u.test(name)) return name;
  throw new UsageError(`A name is needed, of 1 to ${KEY_NAME_CHARS_MAX} printable characters.`);
}

function mint(name: string, workspace: string | undefined): Verb {
  return async (sql) => {
    const { id, name: workspaceName } = await findWorkspace(sql, workspace);
    const { key, keyId } = await store.createApiKey(sql, { workspaceId: id, name });
    console.error(`${keyId} opens the workspace ${workspaceName} (${id}).`);
    console.error('The key, shown this once:');
    console.log(key);
  };
}

const list: Verb = async (sql) => {
  const rows = (await store.listKeys(sql)).map((key) => [
    key.keyId,
    key.ending === '' ? '' : `…${key.ending}`,
    key.name,
    `${key.workspaceName} (${key.workspaceId})`,
    minute(key.createdAt),
    minute(key.lastUsedAt),
    minute(key.revokedAt),
  ]);
  printTable([['id', 'ends', 'name', 'workspace', 'created', 'last used', 'revoked'], ...rows]);
};

function revoke(which: string): Verb {
  return async (sql) => {
    const byId = isId('api_key', which) ? await store.revokeKey(sql, { keyId: which }) : null;
    const key = byId ?? (await store.revokeKey(sql, { key: which }));
    // What was given is not repeated: it may be a key.
    if (key === null) throw new RefusedError('There is no such key; `list` shows them all.');
    console.log(`${key.keyId} (${key.name}) is revoked since ${minute(key.revokedAt)}.`);
    console.log(
      `Within ${API_KEY_CACHE_MS / 1000} s its requests are refused and its streams end.`,
    );
    const workspaces = await store.listWorkspaces(sql);
    if (workspaces.some(({ id, keys }) => id === key.workspaceId && keys > 0)) return;
    console.log(`No key opens the workspace ${key.workspaceName} now: mint one when it is needed.`);
  };
}

const listWorkspaces: Verb = async (sql) => {
  const rows = (await store.listWorkspaces(sql)).map(({ id, name, createdAt, keys }) => [
    id,
    name,
    minute(createdAt),
    String(keys),
  ]);
  printTable([['id', 'name', 'created', 'keys'], ...rows]);
};

function createWorkspace(name: string): Verb {
  return async (sql) => {
    if (name.startsWith(ID_PREFIXES.workspace)) {
      throw new RefusedError(`A name that begins with ${ID_PREFIXES.workspace} reads as an id.`);
    }
    const others = await store.listWorkspaces(sql);
    const same = others.find((workspace) => workspace.name === name);
    if (same !== undefined) throw new RefusedError(`${same.id} has this name already.`);
    console.error('The workspace, for mint --workspace:');
    console.log(await store.createWorkspace(sql, name));
  };
}

async function findWorkspace(sql: Database, wanted: string | undefined): Promise<store.Workspace> {
  const all = await store.listWorkspaces(sql);
  const fitting =
    wanted === undefined
      ? all.slice(0, 1)
      : all.filter(({ id, name }) => id === wanted || name === wanted);
  const [found, ...others] = fitting;
  if (found === undefined) {
    throw new RefusedError('There is no such workspace; `workspaces` shows them all.');
  }
  if (others.length > 0) {
    const ids = fitting.map(({ id }) => id).join(', ');
    throw new RefusedError(`Several workspaces have this name: name one by its id (${ids}).`);
  }
  return found;
}

function minute(time: Date | null): string {
  return time === null
    ? '-'
    : time
        .toISOString()
        .replace('T', ' ')
        .replace(/:\d\d\.\d+Z$/, 'Z');
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  for (const row of rows) {
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** The database that the settings name, and what to say when it does not answer. */
function findDatabase(): { url: string; away: string } {
  const { config, secrets } = readConfig();
  const own = secrets.get('databaseUrl');
  if (own !== null) {
    return { url: own, away: `PostgreSQL does not answer at ${new URL(own).host}` };
  }
  const { dataDir } = config;
  const start = 'Start the server (npm start), then run this again.';
  const file = join(dataDir, 'runtime.json');
  const port = existsSync(file) ? new RuntimeFile(file).current.ports['postgres'] : undefined;
  const url = port === undefined ? null : embeddedDatabaseUrl(dataDir, port);
  if (url !== null) return { url, away: `The database of ${dataDir} is not running. ${start}` };
  throw new RefusedError(
    `No server has run on ${dataDir} yet. ${start} (HOLDFAST_DATA names another directory.)`,
  );
}

async function run(words: string[]): Promise<void> {
  const verb = readArguments(words);
  const { url, away } = findDatabase();
  const sql = openDatabase(url, { connectionsMax: 1, name: 'holdfast-keys' });
  const late = setTimeout(() => {
    const seconds = KEYS_COMMAND_MS / 1000;
    // What was sent may still be done when the database comes round.
    fail(new RefusedError(`No answer within ${seconds} s: see \`list\` before you try again.`));
    process.exit();
  }, KEYS_COMMAND_MS);
  try {
    if (!(await store.hasKeys(sql))) {
      throw new RefusedError('This database is empty. Start the server on it once (npm start).');
    }
    await verb(sql);
  } catch (error) {
    throw explained(error, away);
  } finally {
    clearTimeout(late);
    await sql.end({ timeout: 1 });
  }
}

/** PostgreSQL's codes for a login that it refuses and a database that it does not have. */
const REFUSED = /^(28|3D)/;

function explained(error: unknown, away: string): unknown {
  const { code, message } = error as { code?: unknown; message: string };
  if (isConnectionLoss(error)) return new RefusedError(`${away} (${message})`);
  if (typeof code !== 'string' || !REFUSED.test(code)) return error;
  return new RefusedError(`PostgreSQL refuses the connection: ${message}.`);
}

function fail(error: unknown): void {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  if (error instanceof UsageError) return console.error(`${error.message}\n\n${USAGE}`);
  const isExplained = [RefusedError, ConfigError, StartError].some((kind) => error instanceof kind);
  console.error(isExplained ? (error as Error).message : error);
}

const [first] = process.argv.slice(2);
if (first === 'help' || first === '--help' || first === '-h') console.log(USAGE);
else await run(process.argv.slice(2)).catch(fail);
