// Environments: create, list, retrieve, update, archive, delete. docs: managed-agents/environments.
// Sessions keep a copy of the config, so whatever is done here reaches new sessions only.

import {
  createEnvironmentRequest,
  environmentFromCreate,
  listEnvironmentsQuery,
  updateEnvironmentRequest,
} from '../protocol/environments.ts';
import { refuseNotYetEnvironment } from '../protocol/not-yet.ts';
import { parseBody, parseQuery } from '../protocol/parse.ts';
import * as store from '../store/environments.ts';
import { readJsonBody } from './body.ts';
import { type ApiRequest, cursorOf, pathId, queryOf } from './request.ts';

/** POST /v1/environments */
export async function createEnvironment(request: ApiRequest) {
  const body = parseBody(createEnvironmentRequest, (await readJsonBody(request.context)).value);
  refuseNotYetEnvironment(body);
  return store.createEnvironment(request.deps.sql, {
    workspaceId: request.workspaceId,
    fields: environmentFromCreate(body),
  });
}

/** GET /v1/environments */
export async function listEnvironments(request: ApiRequest) {
  const query = parseQuery(listEnvironmentsQuery, queryOf(request));
  const list = { name: 'environments' } as const;
  const cursor = cursorOf(query.page, list, { order: 'desc' });
  return store.listEnvironments(request.deps.sql, {
    list,
    workspaceId: request.workspaceId,
    includeArchived: query.include_archived,
    limit: query.limit,
    order: 'desc',
    cursor,
  });
}

/** GET /v1/environments/{environment_id} */
export async function retrieveEnvironment(request: ApiRequest) {
  return store.getEnvironment(request.deps.sql, environmentKey(request));
}

/** POST /v1/environments/{environment_id} */
export async function updateEnvironment(request: ApiRequest) {
  const key = environmentKey(request);
  const body = parseBody(updateEnvironmentRequest, (await readJsonBody(request.context)).value);
  refuseNotYetEnvironment(body);
  return store.updateEnvironment(request.deps.sql, key, body);
}

/** POST /v1/environments/{environment_id}/archive */
export async function archiveEnvironment(request: ApiRequest) {
  return store.archiveEnvironment(request.deps.sql, environmentKey(request));
}

/** DELETE /v1/environments/{environment_id} */
export async function deleteEnvironment(request: ApiRequest) {
  const key = environmentKey(request);
  await store.deleteEnvironment(request.deps.sql, key);
  return { id: key.environmentId, type: 'environment_deleted' };
}

function environmentKey(request: ApiRequest): store.EnvironmentKey {
  return { workspaceId: request.workspaceId, environmentId: pathId(request, 'environment') };
}
