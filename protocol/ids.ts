// Ids and their documented prefixes: the one place where an id is made or recognised. Ids are
// random (`newId`) or, where a retry must arrive at the same id, a hash of what they stand for
// (`generatedEventId`). The only file of this room that uses `node:crypto`.

import { createHash, randomBytes } from 'node:crypto';

/** Prefix of each kind of id. docs: managed-agents reference; behaviour.md 1.5. */
export const ID_PREFIXES = {
  agent: 'agent_',
  environment: 'env_',
  session: 'sesn_',
  event: 'sevt_',
  thread: 'sthr_',
  resource: 'sesrsc_',
  outcome: 'outc_',
  workflow_run: 'wrun_',
  workflow_run_phase: 'wrph_',
  work: 'work_',
  vault: 'vlt_',
  credential: 'vcrd_',
  memory_store: 'memstore_',
  memory: 'mem_',
  memory_version: 'memver_',
  file: 'file_',
  skill: 'skill_',
  skill_version: 'skillver_',
  deployment: 'depl_',
  deployment_run: 'drun_',
  dream: 'drm_',
  webhook: 'webhook_',
  webhook_event: 'whe_',
  tunnel: 'tunnel_',
  user_profile: 'uprof_',
  service_account: 'svac_',
  organization: 'org_',
  workspace: 'wrkspc_',
  api_key: 'apikey_',
  request: 'req_',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** Random characters of a new id: 22 of 58 are 128 bits. */
const RANDOM_CHARS = 22;
/** Hash characters of a generated event id: 26 of 32 are 130 bits. */
const HASH_CHARS = 26;
/** Largest multiple of 58 in a byte: above it a byte would favour the first characters. */
const UNBIASED_BYTE_END = 256 - (256 % BASE58.length);
/** What may follow a prefix; wider than what we make, since clients bring ids of other servers. */
const ID_SUFFIX = /^[A-Za-z0-9]{1,64}$/;

/** Makes a random id: prefix, the digits `01` that hosted ids begin with, 22 base58 characters. */
export function newId(kind: IdKind): string {
  let suffix = '';
  while (suffix.length < RANDOM_CHARS) {
    for (const byte of randomBytes(RANDOM_CHARS + 10)) {
      if (byte < UNBIASED_BYTE_END && suffix.length < RANDOM_CHARS) {
        suffix += BASE58[byte % BASE58.length];
      }
    }
  }
  return `${ID_PREFIXES[kind]}01${suffix}`;
}

/**
 * Says whether a value has the form of an id of this kind; whether it exists is the store's matter.
 */
export function isId(kind: IdKind, value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const prefix = ID_PREFIXES[kind];
  return value.startsWith(prefix) && ID_SUFFIX.test(value.slice(prefix.length));
}

/** Names a session's primary thread: the session's own suffix, so that the thread needs no row. */
export function primaryThreadId(sessionId: string): string {
  return ID_PREFIXES.thread + sessionId.slice(ID_PREFIXES.session.length);
}

/**
 * Names an event that a step generates: the same step, attempt and ordinal always give the same id,
 * so that a preview knows it beforehand and a retried append meets its own rows.
 */
export function generatedEventId(
  sessionId: string,
  stepKey: string,
  ...parts: readonly (string | number)[]
): string {
  // JSON keeps the parts apart: ('a', 'bc') and ('ab', 'c') must not meet.
  const hash = createHash('sha256').update(JSON.stringify([sessionId, stepKey, ...parts]), 'utf8');
  return ID_PREFIXES.event + base32(hash.digest(), HASH_CHARS);
}

function base32(bytes: Uint8Array, chars: number): string {
  let text = '';
  let bits = 0;
  let buffer = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5 && text.length < chars) {
      bits -= 5;
      text += BASE32[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return text;
}
