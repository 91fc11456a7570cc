// Makes and recognises what is opaque in a reply: ids and thinking signatures. Both carry what a
// later request needs for its checks, so that the server can remember nothing: a signature proves
// that a thinking block is ours and unchanged, a tool use's id says whether thinking led to it.

import { createHash, randomBytes } from 'node:crypto';

const ID_CHARS = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const ID_RANDOM_CHARS = 22;
/** First character of the random part of a tool use that thinking led to; others never start so. */
const THOUGHT_MARK = 'T';
const SIGNATURE_START = 'ScriptedThinking';

/** A new id: the prefix, `01`, and 22 random characters. */
export function newModelId(prefix: 'msg_' | 'req_' | 'srvtoolu_'): string {
  return `${prefix}01${randomChars(ID_RANDOM_CHARS)}`;
}

/** A new tool use id, marked where a thinking block stands before it in the same reply. */
export function newToolUseId(hasThinkingBefore: boolean): string {
  return `toolu_01${hasThinkingBefore ? THOUGHT_MARK : '0'}${randomChars(ID_RANDOM_CHARS - 1)}`;
}

/** Says whether a tool use id is ours and marked as led to by thinking. */
export function isThoughtToolUse(id: string): boolean {
  return id.startsWith(`toolu_01${THOUGHT_MARK}`) && id.length === 8 + ID_RANDOM_CHARS;
}

/** Signs the text of a thinking block; the same text has the same signature. */
export function thinkingSignature(text: string): string {
  const digest = createHash('sha256').update(`${SIGNATURE_START}\0${text}`).digest('base64');
  return `${SIGNATURE_START}/${digest}`;
}

/** Says whether the signature is of exactly this text. */
export function isOwnSignature(text: string, signature: string): boolean {
  return signature === thinkingSignature(text);
}

function randomChars(count: number): string {
  let chars = '';
  for (const byte of randomBytes(count)) chars += ID_CHARS[byte % ID_CHARS.length];
  return chars;
}
