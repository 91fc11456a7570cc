// Text that PostgreSQL can keep: its `text` and `jsonb` know no NUL and no half of a surrogate
// pair. Requests that carry one are refused (parse.ts); what comes from a container or a model is
// mended here before it is appended.

/** Says whether a text can be stored as it is. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Replaces every NUL and lone surrogate by U+FFFD; returns storable text unchanged. */
export function storableText(text: string): string {
  return isStorableText(text) ? text : text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/**
 * Does the same to every text of a JSON value, keys included; a storable value is copied, not
 * changed.
 */
export function storableJson<T>(value: T): T;
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map((each) => storableJson<unknown>(each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [
    storableText(key),
    storableJson<unknown>(each),
  ]);
  return Object.fromEntries(entries);
}

/**
 * Length in characters as people and the documentation count them: code points, not UTF-16 units.
 */
export function exceedsChars(text: string, charsMax: number): boolean {
  if (text.length <= charsMax) return false;
  if (text.length > charsMax * 2) return true;
  let chars = 0;
  for (const _ of text) {
    chars += 1;
    if (chars > charsMax) return true;
  }
  return false;
}
