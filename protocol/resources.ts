// What is mounted in a session: files, repositories, memory stores. Shapes only; mounting is later
// work (not-yet.ts refuses it in requests).

import * as z from 'zod';
import { idOf, textOf, timestamp } from './fields.ts';
import {
  AUTHORIZATION_TOKEN_CHARS_MAX,
  BRANCH_CHARS_MAX,
  COMMIT_CHARS_MAX,
  COMMIT_CHARS_MIN,
  MEMORY_INSTRUCTIONS_CHARS_MAX,
  MOUNT_PATH_CHARS_MAX,
  SESSION_RESOURCES_MAX,
} from './field-limits.ts';

const mountPath = textOf(MOUNT_PATH_CHARS_MAX, 1).nullable().optional();
const checkout = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('branch'), name: textOf(BRANCH_CHARS_MAX, 1) }),
  z.strictObject({
    type: z.literal('commit'),
    sha: z
      .string()
      .regex(/^[0-9a-f]*$/i, 'expected a commit hash')
      .min(COMMIT_CHARS_MIN)
      .max(COMMIT_CHARS_MAX),
  }),
]);
const access = z.enum(['read_write', 'read_only']);
/** docs: managed-agents/github: no `.git`, no other host. */
const REPOSITORY = /^https:\/\/github\.com\/[\w.-]+\/[\w.-]+(?<!\.git)$/;

/** Shape of `resources` when a session is created. */
export const resourcesRequest = z
  .array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('file'), file_id: idOf('file'), mount_path: mountPath }),
      z.strictObject({
        type: z.literal('github_repository'),
        url: z.string().regex(REPOSITORY, 'expected https://github.com/<owner>/<repo>'),
        authorization_token: textOf(AUTHORIZATION_TOKEN_CHARS_MAX, 1).optional(),
        checkout: checkout.nullable().optional(),
        mount_path: mountPath,
      }),
      z.strictObject({
        type: z.literal('memory_store'),
        memory_store_id: idOf('memory_store'),
        access: access.nullable().optional(),
        instructions: textOf(MEMORY_INSTRUCTIONS_CHARS_MAX).nullable().optional(),
      }),
    ]),
  )
  .max(SESSION_RESOURCES_MAX);

/** Shape of one resource of a session in a response. */
export const resourceShape = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('file'),
    id: z.string(),
    file_id: z.string(),
    mount_path: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  }),
  z.strictObject({
    type: z.literal('github_repository'),
    id: z.string(),
    url: z.string(),
    mount_path: z.string(),
    checkout: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('branch'), name: z.string() }),
        z.strictObject({ type: z.literal('commit'), sha: z.string() }),
      ])
      .nullable()
      .optional(),
    created_at: timestamp,
    updated_at: timestamp,
  }),
  z.strictObject({
    type: z.literal('memory_store'),
    memory_store_id: z.string(),
    access: access.nullable().optional(),
    description: z.string().optional(),
    instructions: z.string().nullable().optional(),
    mount_path: z.string().nullable().optional(),
    name: z.string().nullable().optional(),
  }),
]);
