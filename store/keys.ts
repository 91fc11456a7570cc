// Workspaces and the keys that open them. A key is stored as its sha256 only; the plain text exists
// in its holder's hands. Every row of the store belongs to one workspace, and a key is what names
// it. People and logs call a key by its id, which opens nothing.

import { createHash, randomBytes } from 'node:crypto';
import { newId } from '../protocol/ids.ts';
import {
  API_KEY_ENDING_CHARS,
  API_KEY_SHOWN_CHARS_MIN,
  API_KEY_USE_MS,
} from '../protocol/limits.ts';
import type { Database } from './database.ts';

/** Begins every key this server mints, so that people and secret scanners know whose it is. */
export const API_KEY_PREFIX = 'sk-holdfast-';

/** Random part of a minted key, in `bytes`. */
const API_KEY_RANDOM_BYTES = 32;

/** Serialises the making of the first workspace when several processes start at once. */
const FIRST_WORKSPACE_LOCK = 7_260_041;

export interface Installation {
  /** workspace that the first key opens */
  workspaceId: string;
  /** stable UUID of this database, sent as `anthropic-organization-id` */
  organizationId: string;
}

/** What a key is to the server: never the key itself. */
export interface OpenedKey {
  keyId: string;
  workspaceId: string;
}

/** A key as its operator sees it; times are null where it has not happened. */
export interface ListedKey extends OpenedKey {
  name: string;
  workspaceName: string;
  /** last characters of the key; empty where it is too short to show any */
  ending: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

export interface Workspace {
  id: string;
  name: string;
  createdAt: Date;
  /** keys that open it now */
  keys: number;
}

/** Makes a new key; what it opens is decided when its hash is stored. */
export function mintApiKey(): string {
  return API_KEY_PREFIX + randomBytes(API_KEY_RANDOM_BYTES).toString('base64url');
}

/** The form in which a key is stored and looked up. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/**
 * Finds what a key opens; null for unknown and revoked keys alike. `isUseDue` says that its use has
 * not been noted for `API_KEY_USE_MS`.
 */
export async function findKey(
  sql: Database,
  keyHash: Buffer,
): Promise<(OpenedKey & { isUseDue: boolean }) | null> {
  const [row] = await sql<(OpenedKey & { isUseDue: boolean })[]>`
    select id as "keyId", workspace_id as "workspaceId",
           (last_used_at is null or ${useIsOld(sql)}) as "isUseDue"
      from api_keys where key_hash = ${keyHash} and revoked_at is null`;
  return row ?? null;
}

/** Notes that a key is in use; writes nothing where another process has just done so. */
export async function noteKeyUse(sql: Database, keyId: string): Promise<void> {
  await sql`
    update api_keys set last_used_at = now()
     where id = ${keyId} and (last_used_at is null or ${useIsOld(sql)})`;
}

/** Of these keys, the ones that have been revoked. */
export async function findRevokedKeys(sql: Database, keyIds: string[]): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from api_keys where id = any(${keyIds}) and revoked_at is not null`;
  return rows.map(({ id }) => id);
}

/**
 * Stores a key for a workspace. Idempotent; a key that was revoked stays revoked, and a key that
 * another workspace holds stays there.
 */
export async function ensureApiKey(
  sql: Database,
  key: { workspaceId: string; key: string; name: string },
): Promise<void> {
  await insertKey(sql, key);
}

/** Mints a key for a workspace; this answer is the only place where it is ever to be read. */
export async function createApiKey(
  sql: Database,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<{ key: string; keyId: string }> {
  const key = mintApiKey();
  return { key, keyId: await insertKey(sql, { workspaceId, key, name }) };
}

/**
 * Revokes the key of that id, or the key itself, for good; null where there is none. Idempotent:
 * the time of the first revocation stays.
 */
export async function revokeKey(
  sql: Database,
  named: { keyId: string } | { key: string },
): Promise<ListedKey | null> {
  const which =
    'key' in named ? sql`key_hash = ${hashApiKey(named.key)}` : sql`id = ${named.keyId}`;
  const [row] = await sql<{ id: string }[]>`
    update api_keys set revoked_at = coalesce(revoked_at, now()) where ${which} returning id`;
  return row === undefined ? null : ((await listKeys(sql, row.id))[0] ?? null);
}

/** Every key, or the one of that id, by age; revoked ones too. */
export async function listKeys(sql: Database, keyId?: string): Promise<ListedKey[]> {
  return sql<ListedKey[]>`
    select k.id as "keyId", k.name, k.ending, w.id as "workspaceId", w.name as "workspaceName",
           k.created_at as "createdAt", k.last_used_at as "lastUsedAt", k.revoked_at as "revokedAt"
      from api_keys k join workspaces w on w.id = k.workspace_id
     where ${keyId === undefined ? sql`true` : sql`k.id = ${keyId}`}
     order by k.created_at, k.id`;
}

/** Every workspace, the installation's first one first. */
export async function listWorkspaces(sql: Database): Promise<Workspace[]> {
  return sql<Workspace[]>`
    select w.id, w.name, w.created_at as "createdAt",
           (select count(*)::integer from api_keys k
             where k.workspace_id = w.id and k.revoked_at is null) as keys
      from workspaces w order by w.created_at, w.id`;
}

/** Makes a workspace of that name and returns its id. */
export async function createWorkspace(sql: Database, name: string): Promise<string> {
  const id = newId('workspace');
  await sql`insert into workspaces (id, name) values (${id}, ${name})`;
  return id;
}

/** Whether this database has been brought to a schema with keys: a server has started on it. */
export async function hasKeys(sql: Database): Promise<boolean> {
  const [row] = await sql<{ isThere: boolean }[]>`
    select to_regclass('api_keys') is not null as "isThere"`;
  return row!.isThere;
}

/**
 * Returns the installation's first workspace and organization, making them in an empty database.
 * Idempotent, also when several processes start on one database at once.
 */
export async function ensureInstallation(sql: Database): Promise<Installation> {
  const workspaceId = await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${FIRST_WORKSPACE_LOCK})`;
    const [first] = await tx<{ id: string }[]>`
      select id from workspaces order by created_at, id limit 1`;
    if (first) return first.id;
    const id = newId('workspace');
    await tx`insert into workspaces (id, name) values (${id}, 'default')`;
    return id;
  });
  return { workspaceId, organizationId: organizationIdOf(workspaceId) };
}

/**
 * Derives a UUID (version 8 layout) from the first workspace, so that it needs no row of its own.
 */
function organizationIdOf(workspaceId: string): string {
  const hex = createHash('sha256').update(`organization:${workspaceId}`).digest('hex');
  const variant = ((parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function useIsOld(sql: Database) {
  return sql`last_used_at < now() - ${API_KEY_USE_MS} * interval '1 ms'`;
}

async function insertKey(
  sql: Database,
  { workspaceId, key, name }: { workspaceId: string; key: string; name: string },
): Promise<string> {
  const keyId = newId('api_key');
  // Of a short key, which an operator has chosen, the last characters would be a good part.
  const ending = key.length < API_KEY_SHOWN_CHARS_MIN ? '' : key.slice(-API_KEY_ENDING_CHARS);
  await sql`
    insert into api_keys (key_hash, id, ending, workspace_id, name)
    values (${hashApiKey(key)}, ${keyId}, ${ending}, ${workspaceId}, ${name})
    on conflict (key_hash) do nothing`;
  return keyId;
}
