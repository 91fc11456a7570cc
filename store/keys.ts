// Workspaces and the keys that open them. A key is stored as its sha256 only; the plain text exists
// in its holder's hands. Every row of the store belongs to one workspace, and a key is what names
// it.

import { createHash, randomBytes } from 'node:crypto';
import { newId } from '../protocol/ids.ts';
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

/** Makes a new key; what it opens is decided when `ensureApiKey` stores its hash. */
export function mintApiKey(): string {
  return API_KEY_PREFIX + randomBytes(API_KEY_RANDOM_BYTES).toString('base64url');
}

/** The form in which a key is stored and looked up. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** Finds the workspace a key opens; null for unknown and revoked keys alike. */
export async function findWorkspaceOfKey(sql: Database, keyHash: Buffer): Promise<string | null> {
  const [row] = await sql<{ workspace_id: string }[]>`
    select workspace_id from api_keys where key_hash = ${keyHash} and revoked_at is null`;
  return row?.workspace_id ?? null;
}

/**
 * Stores a key for a workspace. Idempotent; a key that was revoked stays revoked, and a key that
 * another workspace holds stays there.
 */
export async function ensureApiKey(
  sql: Database,
  key: { workspaceId: string; key: string; name: string },
): Promise<void> {
  await sql`
    insert into api_keys (key_hash, workspace_id, name)
    values (${hashApiKey(key.key)}, ${key.workspaceId}, ${key.name})
    on conflict (key_hash) do nothing`;
}

/** Makes a workspace of that name and returns its id. */
export async function createWorkspace(sql: Database, name: string): Promise<string> {
  const id = newId('workspace');
  await sql`insert into workspaces (id, name) values (${id}, ${name})`;
  return id;
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
