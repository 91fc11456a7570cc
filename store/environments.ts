// Environments: the templates that containers are made from. They have no versions; a session keeps
// a copy of the config it was created with, so an update reaches new sessions only.

import postgres from 'postgres';
import type { JSONValue } from 'postgres';
import {
  environmentAfterUpdate,
  type Environment,
  type EnvironmentFields,
  type UpdateEnvironmentRequest,
} from '../protocol/environments.ts';
import { ApiError } from '../protocol/errors.ts';
import { newId } from '../protocol/ids.ts';
import type { Database } from './database.ts';
import { cutPage, pageTail, type PageRequest } from './keyset.ts';
import { notFound } from './not-found.ts';

/** What `body` holds; the name is a column, because it is unique. */
type EnvironmentBody = Omit<EnvironmentFields, 'name'>;

interface EnvironmentRow {
  id: string;
  name: string;
  body: EnvironmentBody;
  created_at: string;
  updated_at: string;
  archived_at: string | null;
}

export interface EnvironmentKey {
  workspaceId: string;
  environmentId: string;
}

/** Stores a new environment. ApiError 409 when an environment that is not archived has the name. */
export async function createEnvironment(
  sql: Database,
  environment: { workspaceId: string; fields: EnvironmentFields },
): Promise<Environment> {
  const { name, ...body } = environment.fields;
  const rows = await namedOnce(
    name,
    sql<EnvironmentRow[]>`
      insert into environments (id, workspace_id, name, body, created_at, updated_at)
      values (${newId('environment')}, ${environment.workspaceId}, ${name}, ${json(sql, body)},
              now(), now())
      returning ${columns(sql)}`,
  );
  return toEnvironment(rows[0]!);
}

/** Reads an environment. ApiError 404 when it is unknown. */
export async function getEnvironment(sql: Database, key: EnvironmentKey): Promise<Environment> {
  const [row] = await sql<EnvironmentRow[]>`
    select ${columns(sql)} from environments
    where id = ${key.environmentId} and workspace_id = ${key.workspaceId}`;
  if (!row) throw notFound('environment', key.environmentId);
  return toEnvironment(row);
}

/**
 * Changes what the request names; an update that changes nothing writes nothing. ApiError 400
 * `environment_archived` for an archived environment, 409 for a name that is taken, 404 when
 * unknown.
 */
export async function updateEnvironment(
  sql: Database,
  key: EnvironmentKey,
  request: UpdateEnvironmentRequest,
): Promise<Environment> {
  return sql.begin(async (tx) => {
    const [row] = await tx<EnvironmentRow[]>`
      select ${columns(sql)} from environments
      where id = ${key.environmentId} and workspace_id = ${key.workspaceId} for update`;
    if (!row) throw notFound('environment', key.environmentId);
    if (row.archived_at !== null) {
      throw new ApiError(
        'invalid_request_error',
        `Environment \`${key.environmentId}\` is archived and cannot be updated.`,
        { error_code: 'environment_archived' },
      );
    }
    const { name, ...body } = environmentAfterUpdate({ name: row.name, ...row.body }, request);
    const rows = await namedOnce(
      name,
      tx<EnvironmentRow[]>`
        update environments set name = ${name}, body = ${json(sql, body)}, updated_at = now()
        where id = ${key.environmentId}
          and (name, body) is distinct from (${name}, ${json(sql, body)})
        returning ${columns(sql)}`,
    );
    return toEnvironment(rows[0] ?? row);
  });
}

/**
 * Archives an environment for good; idempotent, the first time stays. ApiError 404 when unknown.
 */
export async function archiveEnvironment(sql: Database, key: EnvironmentKey): Promise<Environment> {
  await sql`
    update environments set archived_at = now()
    where id = ${key.environmentId} and workspace_id = ${key.workspaceId} and archived_at is null`;
  return getEnvironment(sql, key);
}

/** Deletes an environment; sessions keep the copy they began with. ApiError 404 when unknown. */
export async function deleteEnvironment(sql: Database, key: EnvironmentKey): Promise<void> {
  const { count } = await sql`
    delete from environments
    where id = ${key.environmentId} and workspace_id = ${key.workspaceId}`;
  if (count === 0) throw notFound('environment', key.environmentId);
}

/** Lists a workspace's environments by creation. */
export async function listEnvironments(
  sql: Database,
  query: PageRequest & { workspaceId: string; includeArchived: boolean },
): Promise<{ data: Environment[]; next_page: string | null }> {
  const found = await sql<EnvironmentRow[]>`
    select ${columns(sql)} from environments
    where workspace_id = ${query.workspaceId}
    ${query.includeArchived ? sql`` : sql`and archived_at is null`}
    ${pageTail(sql, 'environments', query)}`;
  const page = cutPage(found, query);
  return { data: page.rows.map(toEnvironment), next_page: page.nextPage };
}

/** SQLSTATE of a broken unique index: here it can only be the one on names. */
const UNIQUE_VIOLATION = '23505';

async function namedOnce<T>(name: string, query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    if (!(error instanceof postgres.PostgresError) || error.code !== UNIQUE_VIOLATION) throw error;
    throw new ApiError(
      'conflict_error',
      `name: another environment is named ${JSON.stringify(name)}; names are unique.`,
    );
  }
}

function columns(sql: Database) {
  return sql`
    id, name, body, wire_time(created_at) as created_at, wire_time(updated_at) as updated_at,
    wire_time(archived_at) as archived_at`;
}

function toEnvironment(row: EnvironmentRow): Environment {
  return {
    id: row.id,
    type: 'environment',
    name: row.name,
    ...row.body,
    created_at: row.created_at,
    updated_at: row.updated_at,
    archived_at: row.archived_at,
  };
}

function json(sql: Database, body: EnvironmentBody): ReturnType<Database['json']> {
  return sql.json(body as unknown as JSONValue);
}
