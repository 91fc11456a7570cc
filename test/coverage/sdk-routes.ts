// Every route that the official client can call, read from its source: what it calls, under which
// name, on which path. Nothing here is written by hand, so a new release of the SDK brings its new
// routes along, and the page of coverage asks for their proof.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../helpers/source-files.ts';

export interface SdkRoute {
  /** `GET /v1/sessions/{id}/events` */
  route: string;
  /** as a caller writes them, without the client: `beta.sessions.events.list` */
  methods: string[];
}

const RESOURCES = join(ROOT, 'node_modules/@anthropic-ai/sdk/src/resources');

// Resources of the same client that are no part of Managed Agents: inference itself and the
// administration of an organization, save for the webhooks, which tell of sessions.
const OTHER_PRODUCTS = /^\/v1\/(messages|complete|organizations(?!\/webhooks))(\/|$)/;

const VERB = /this\._client\s*\.(get|post|put|patch|delete|getAPIList)\(\s*/;
const ADDRESS = /(?:path)?(?:'([^']*)'|`([^`]*)`|([\w.]+))/;
const CALL = new RegExp(VERB.source + ADDRESS.source, 'g');
const METHOD = /^ {2}(?:async )?(\w+)(?:<[^>]*>)?\($/gm;
const ONE_LINE_METHOD = /^ {2}(?:async )?(\w+)(?:<[^>]*>)?\(.*\{$/gm;

const camelCase = (words: string): string =>
  words.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** `beta/memory-stores/memory-stores.ts` → `beta.memoryStores`. */
function resourceOf(file: string): string {
  const words = file.replace(/\.ts$/, '').split('/');
  if (words.at(-1) === words.at(-2)) words.pop();
  return words.map(camelCase).join('.');
}

/** `/v1/sessions/${session_id}/threads/${threadID}` → `/v1/sessions/{id}/threads/{id}`. */
const templateOf = (path: string): string => path.replace(/\$?\{[^}]*\}/g, '{id}');

function methodAt(text: string, offset: number): string {
  const starts = [...text.matchAll(METHOD), ...text.matchAll(ONE_LINE_METHOD)]
    .filter(({ index }) => index < offset)
    .toSorted((a, b) => a.index - b.index);
  const name = starts.at(-1)?.[1];
  if (name === undefined) throw new Error(`no method begins before ${text.slice(offset, 80)}`);
  return name;
}

/** The calls of one resource's source, of every product. Throws where it cannot read one. */
export function callsOf(file: string, text: string): { route: string; method: string }[] {
  return [...text.matchAll(CALL)].flatMap((call) => {
    const [, verb, literal, template, expression] = call;
    // An address that an earlier answer gave (the results of a batch) is no route of its own.
    if (expression !== undefined && expression.endsWith('_url')) return [];
    const path = literal ?? template;
    if (!path?.startsWith('/v1/')) throw new Error(`${file}: cannot read ${call[0]}`);
    const method = `${resourceOf(file)}.${methodAt(text, call.index)}`;
    const httpMethod = verb === 'getAPIList' ? 'GET' : verb!.toUpperCase();
    return [{ route: `${httpMethod} ${templateOf(path)}`, method }];
  });
}

function readSdk(): { all: number; routes: SdkRoute[] } {
  const files = readdirSync(RESOURCES, { recursive: true, encoding: 'utf8' });
  const methods = new Map<string, string[]>();
  let all = 0;
  for (const file of files.filter((name) => name.endsWith('.ts')).toSorted()) {
    for (const call of callsOf(file, readFileSync(join(RESOURCES, file), 'utf8'))) {
      all += 1;
      if (OTHER_PRODUCTS.test(call.route.split(' ')[1]!)) continue;
      methods.set(call.route, [...(methods.get(call.route) ?? []), call.method]);
    }
  }
  const routes = [...methods].map(([route, names]) => ({ route, methods: names.toSorted() }));
  return { all, routes: routes.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)) };
}

/** By path, then by verb. */
const sortKey = ({ route }: SdkRoute): string => route.split(' ').toReversed().join(' ');

const sdk = readSdk();

/** Every route of Managed Agents and what goes with it, by path. */
export const SDK_ROUTES: readonly SdkRoute[] = sdk.routes;

/** How many calls the whole client knows, of every product. */
export const SDK_CALLS = sdk.all;

// `{id}/work/poll` is meant before `{id}/work/{id}`: the fewer blanks, the closer.
const patterns = SDK_ROUTES.map(({ route }) => {
  const [verb, template] = route.split(' ') as [string, string];
  const pattern = template.replaceAll('{id}', '[^/]+');
  return { route, verb, path: new RegExp(`^${pattern}$`), blanks: template.split('{id}').length };
}).toSorted((a, b) => a.blanks - b.blanks);

/** The route that a request's method and path (with or without its query) belong to, if any. */
export function sdkRouteOf(method: string, path: string): string | undefined {
  const bare = path.replace(/\?.*$/, '').replace(/\/+$/, '');
  return patterns.find(({ verb, path: pattern }) => verb === method && pattern.test(bare))?.route;
}
