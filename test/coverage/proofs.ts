// Which test proves what. A proof is more than a sighting: the test passed, it saw the thing itself
// in an answer that fitted the SDK's type, and its own text names it. Of several, the first by file
// and name is shown, so that a test that happened to see something more changes nothing.

import { EVENT_VARIANTS, SENT_VARIANTS } from './event-variants.ts';
import { isCovered, NEVER, NOT_YET } from './not-yet.ts';
import type { TestRecord } from './records.ts';
import { SDK_ROUTES } from './sdk-routes.ts';

export type Verdict =
  | { state: 'proven'; by: string }
  | { state: 'not yet'; area: string }
  | { state: 'never'; reason: string }
  | { state: 'gap' };

export interface Item {
  /** `GET /v1/agents`, `event agent.message`, `sent user.message` */
  key: string;
  /** of a route, how the SDK calls it */
  methods: readonly string[];
  verdict: Verdict;
}

export interface Coverage {
  routes: Item[];
  events: Item[];
  sent: Item[];
  /** entries of not-yet.ts that a test proves */
  overtaken: string[];
}

/** A record and what its test says. */
export type ReadTest = TestRecord & { text: string };

/** `test/e2e/api/lists.test.ts`, `cursors > …` → `e2e/api/lists › cursors > …`. */
export function proofOf({ file, name }: { file: string; name: string }): string {
  const short = file.replace(/^test\//, '').replace(/\.test\.ts$/, '');
  return `${short} › ${name.replaceAll('|', '¦')}`;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Whether a test calls the route: as the SDK does, or by its path. */
function namesRoute(test: ReadTest, { route, methods }: { route: string; methods: string[] }) {
  const path = route.split(' ')[1]!.split('{id}').map(escaped).join('[^/\\s\'"`]+');
  const calls = methods.map((method) => {
    const words = method.replace(/^beta\./, '').split('.');
    return String.raw`\b${words.join(String.raw`\s*\.\s*`)}\s*\(`;
  });
  return new RegExp([...calls, `${path}[?'"\`\\s]`].join('|')).test(test.text);
}

const saysWord = (test: ReadTest, word: string): boolean =>
  test.text.includes(`'${word}'`) || new RegExp(`\\b${escaped(word)}\\b`).test(test.name);

/** Whether a test names an event's type, and the value that makes it this variant. */
function namesVariant(test: ReadTest, variant: string): boolean {
  const [type = '', member] = variant.split(' ');
  const value = member?.split('=')[1];
  return saysWord(test, type) && (value === undefined || saysWord(test, value));
}

function verdictOn(key: string, by: ReadTest | undefined): Verdict {
  if (by !== undefined) return { state: 'proven', by: proofOf(by) };
  const area = NOT_YET.find((entry) => isCovered(key, entry))?.area;
  if (area !== undefined) return { state: 'not yet', area };
  const reason = NEVER.find((entry) => isCovered(key, entry))?.reason;
  return reason === undefined ? { state: 'gap' } : { state: 'never', reason };
}

/** Judges every route and variant by the tests of one run, given in their order. */
export function judgeCoverage(tests: readonly ReadTest[]): Coverage {
  const events = (kind: 'event' | 'sent', variants: readonly string[]): Item[] =>
    variants.map((variant) => {
      const key = `${kind} ${variant}`;
      const by = tests.find((test) => test.seen.includes(key) && namesVariant(test, variant));
      return { key, methods: [], verdict: verdictOn(key, by) };
    });
  const coverage = {
    routes: SDK_ROUTES.map(({ route, methods }) => {
      const isIn = (test: ReadTest): boolean => test.seen.includes(`${route} 2xx`);
      const by = tests.find((test) => isIn(test) && namesRoute(test, { route, methods }));
      return { key: route, methods, verdict: verdictOn(route, by) };
    }),
    events: events('event', EVENT_VARIANTS),
    sent: events('sent', SENT_VARIANTS),
  };
  const proven = itemsOf(coverage).filter(({ verdict }) => verdict.state === 'proven');
  const excused = [...NOT_YET, ...NEVER];
  const overtaken = proven
    .map(({ key }) => key)
    .filter((key) => excused.some((entry) => isCovered(key, entry)));
  return { ...coverage, overtaken };
}

/** Everything that was judged. */
export function itemsOf({ routes, events, sent }: Omit<Coverage, 'overtaken'>): Item[] {
  return [...routes, ...events, ...sent];
}

/** What has no proof and no excuse. */
export function gapsOf(coverage: Coverage): string[] {
  return itemsOf(coverage)
    .filter(({ verdict }) => verdict.state === 'gap')
    .map(({ key }) => key);
}
