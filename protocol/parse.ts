// From a request to a checked value: one call for bodies, one for queries. A refusal names the
// first field that is wrong and what was expected there; of a union it speaks about the variant
// that the client evidently meant.

import * as z from 'zod';
import { ApiError } from './errors.ts';
import {
  ERROR_ECHO_CHARS_MAX,
  JSON_DEPTH_MAX,
  JSON_VALUES_MAX,
  QUERY_VALUE_CHARS_MAX,
} from './limits.ts';
import { isStorableText } from './text.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];
interface Problem {
  path: Path;
  text: string;
  errorCode?: string;
}

/** Keys of a path that a message shows, from the outermost. */
const PATH_KEYS_MAX = 12;
/** Values of a closed list that a message names. */
const NAMED_VALUES_MAX = 12;

/** Shape of what a route reads nothing from: whatever is in there is unknown. */
export const nothing = z.strictObject({});

/** Query parameters as sent: keys with their brackets, repeated ones as arrays. */
export type QueryRecord = Readonly<Record<string, string | readonly string[]>>;

/**
 * Checks a parsed JSON body and returns it typed. Throws a 400 whose message begins with the path
 * of the first wrong field (`events.0.content: …`). Also refuses what could not be stored: NUL,
 * lone surrogates, more nesting than `JSON_DEPTH_MAX`, more values than `JSON_VALUES_MAX`.
 */
export function parseBody<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const unstorable = findUnstorable(value, 0, { values: 0 });
  if (unstorable !== undefined) {
    const path = unstorable.inner.slice(-PATH_KEYS_MAX).toReversed();
    throw refusal({ path, text: unstorable.text }, dotted);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(firstProblem(parsed.error.issues, value, []), dotted);
}

/**
 * Checks query parameters and returns them typed, `name[]` and repeated names as lists,
 * `created_at[gte]` as `created_at.gte`. `beta` is what old clients add to every address: ignored.
 * Throws a 400 that names the parameter as it was sent.
 */
export function parseQuery<T extends z.ZodType>(schema: T, query: QueryRecord): z.output<T> {
  const value = foldQuery(query);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(firstProblem(parsed.error.issues, value, []), bracketed);
}

function refusal(problem: Problem, name: (path: Path) => string): ApiError {
  const message = `${name(problem.path)}: ${problem.text}`;
  const { errorCode } = problem;
  return errorCode === undefined
    ? new ApiError('invalid_request_error', message)
    : new ApiError('invalid_request_error', message, { error_code: errorCode });
}

function dotted(path: Path): string {
  return path.length === 0 ? 'body' : path.map(segment).join('.');
}

function bracketed(path: Path): string {
  const [first, second] = path;
  if (first === undefined) return 'query';
  if (second === undefined) return segment(first);
  return `${segment(first)}[${typeof second === 'number' ? '' : segment(second)}]`;
}

function segment(key: PropertyKey): string {
  const text = String(key);
  return text.length > ERROR_ECHO_CHARS_MAX ? `${text.slice(0, ERROR_ECHO_CHARS_MAX)}…` : text;
}

function firstProblem(issues: readonly Issue[], root: unknown, base: Path): Problem {
  const issue = issues[0];
  if (issue === undefined) throw new Error('a failed parse without an issue');
  const path = [...base, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys': {
      const key = issue.keys[0] ?? '';
      return { path: [...path, key], text: 'unknown field' };
    }
    case 'invalid_union':
      return unionProblem(issue, root, path);
    case 'invalid_key':
    case 'invalid_element':
      return firstProblem(issue.issues, root, path);
    case 'custom': {
      const code: unknown = issue.params?.['error_code'];
      const text = issue.message;
      return typeof code === 'string' ? { path, text, errorCode: code } : { path, text };
    }
    default:
      return { path, text: expectation(issue, valueAt(root, path)) };
  }
}

function unionProblem(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  root: unknown,
  path: Path,
): Problem {
  if (issue.errors.length === 0) {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
    const missing = valueAt(root, path) === undefined ? 'required, ' : '';
    return { path, text: `${missing}expected ${oneOf(options)}` };
  }
  const meant = issue.errors.filter((branch) => !branch.some(isAboutAnotherVariant));
  // An object whose `type` is none of the known ones still means the branch of objects.
  const branch = meant[0] ?? issue.errors.find((each) => each[0]?.path[0] === 'type');
  if (branch !== undefined) return firstProblem(branch, root, path);
  const expected = issue.errors.flatMap((each) => each.slice(0, 1).map(expectedKind));
  const missing = valueAt(root, path) === undefined ? 'required, ' : '';
  return { path, text: `${missing}expected ${[...new Set(expected)].join(' or ')}` };
}

/** True for an issue that says: the client did not mean this variant (other kind, other `type`). */
function isAboutAnotherVariant(issue: Issue): boolean {
  if (issue.path.length === 0)
    return issue.code === 'invalid_type' || issue.code === 'invalid_value';
  return issue.path.length === 1 && issue.path[0] === 'type';
}

function expectedKind(issue: Issue): string {
  if (issue.code === 'invalid_type') return withArticle(issue.expected);
  return issue.code === 'invalid_value' ? oneOf(issue.values) : 'another value';
}

function expectation(issue: Issue, value: unknown): string {
  const missing = value === undefined ? 'required, ' : '';
  switch (issue.code) {
    case 'invalid_type': {
      const got = value === undefined ? '' : `, got ${kindOf(value)}`;
      return `${missing}expected ${withArticle(issue.expected)}${got}`;
    }
    case 'invalid_value':
      return `${missing}expected ${oneOf(issue.values)}`;
    case 'too_big':
      return `expected at most ${count(issue.maximum, issue.origin)}`;
    case 'too_small':
      return `expected at least ${count(issue.minimum, issue.origin)}`;
    default:
      return issue.message;
  }
}

function oneOf(values: readonly unknown[]): string {
  const quoted = values.slice(0, NAMED_VALUES_MAX).map((value) => JSON.stringify(value));
  if (values.length > NAMED_VALUES_MAX) quoted.push('…');
  return quoted.length === 1 ? (quoted[0] ?? '') : `one of ${quoted.join(', ')}`;
}

const KINDS: Record<string, string> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'an array',
  tuple: 'an array',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

function withArticle(kind: string): string {
  return KINDS[kind] ?? kind;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return withArticle(Array.isArray(value) ? 'array' : typeof value);
}

function count(bound: number | bigint, origin: string): string {
  const one = bound === 1 || bound === 1n;
  if (origin === 'array') return `${bound} ${one ? 'entry' : 'entries'}`;
  return origin === 'string' ? `${bound} ${one ? 'character' : 'characters'}` : String(bound);
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    // A list parameter that was given once is not an array in the query.
    if (key === 0 && typeof value === 'string') return value;
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** What a walk over a body found; `inner` is its path, innermost key first. */
interface Unstorable {
  inner: string[];
  text: string;
}

/** Finds the first value that cannot be stored; `walk` counts what it has seen. */
function findUnstorable(
  value: unknown,
  depth: number,
  walk: { values: number },
): Unstorable | undefined {
  const text = 'expected text without NUL characters and lone surrogates';
  walk.values += 1;
  if (walk.values > JSON_VALUES_MAX) {
    return { inner: [], text: `expected at most ${JSON_VALUES_MAX} values in all` };
  }
  if (typeof value === 'string') return isStorableText(value) ? undefined : { inner: [], text };
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= JSON_DEPTH_MAX) {
    return { inner: [], text: `expected at most ${JSON_DEPTH_MAX} levels of nesting` };
  }
  for (const [key, each] of Object.entries(value)) {
    if (!isStorableText(key)) return { inner: [], text: `${text} in its keys` };
    // A copy made by assignment would take it for the prototype and lose it in silence.
    if (key === '__proto__') return { inner: [key], text: 'this name is not allowed' };
    const found = findUnstorable(each, depth + 1, walk);
    if (found === undefined) continue;
    found.inner.push(key);
    return found;
  }
  return undefined;
}

function foldQuery(query: QueryRecord): Record<string, unknown> {
  const folded = new Map<string, unknown>();
  for (const [sent, value] of Object.entries(query)) {
    if (sent === 'beta') continue;
    for (const each of typeof value === 'string' ? [value] : value) {
      if (each.length > QUERY_VALUE_CHARS_MAX || !isStorableText(each)) {
        const text = `expected at most ${QUERY_VALUE_CHARS_MAX} characters without NUL`;
        throw refusal({ path: [sent], text }, bracketed);
      }
    }
    const list = sent.endsWith('[]');
    const inner = /^([^[\]]+)\[([^[\]]+)\]$/.exec(sent);
    if (inner?.[1] !== undefined && inner[2] !== undefined) {
      const outer = folded.get(inner[1]);
      const range = typeof outer === 'object' && outer !== null ? outer : {};
      folded.set(inner[1], { ...range, [inner[2]]: value });
    } else {
      const name = list ? sent.slice(0, -2) : sent;
      const before = folded.get(name);
      const together = [...(Array.isArray(before) ? before : before === undefined ? [] : [before])];
      const values = [...together, ...(typeof value === 'string' ? [value] : value)];
      folded.set(name, list || values.length > 1 ? values : values[0]);
    }
  }
  return Object.fromEntries(folded);
}
