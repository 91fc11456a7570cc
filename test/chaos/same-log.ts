// Two logs of one story, side by side: ids become numbers in the order in which they appear, times
// go, and what a kill may leave behind is taken out and counted. Whatever else differs is a fault.

import type { SessionEvent } from '../helpers/scene.ts';

/** What a kill may have left in a log. */
export interface Traces {
  /** model requests that were cut and repeated: a start and an end with `is_error` each */
  cutRequests: number;
  /** tool calls whose result says that the command may have run */
  lostCalls: number;
}

export interface PlainLog {
  /** one line an event */
  lines: string[];
  traces: Traces;
}

const ID = /^(sevt|sthr|sesn|agent|env)_[0-9A-Za-z]+$/;
const TIMES = new Set(['processed_at', 'created_at', 'active_seconds']);
/** A time within a text, as the web tools say when they fetched a page. */
const TIME_WITHIN = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
/** Token counts: another result for the model is another number of tokens. */
const COUNTS = new Set(['usage', 'model_usage']);

/**
 * A log without ids and times. With `isLossy` also without what follows from a lost call: the text
 * of its result, and token counts.
 */
export function plainLog(events: readonly SessionEvent[], isLossy = false): PlainLog {
  const cut = new Set<string>();
  for (const event of events) {
    if (event.type !== 'span.model_request_end' || event.is_error !== true) continue;
    cut.add(event.id).add(event.model_request_start_id);
  }
  const lost = events.filter(isLost);
  const numbers = new Map<string, string>();
  const lines = inOrderOfCalls(events.filter(({ id }) => !cut.has(id))).map((event) => {
    const shown =
      isLossy && lost.includes(event) ? { ...event, content: [], is_error: null } : event;
    return JSON.stringify(plain(shown, numbers, isLossy));
  });
  return { lines, traces: { cutRequests: cut.size / 2, lostCalls: lost.length } };
}

/** Positions of the lost calls among a log's tool results. */
export function lostPositions(events: readonly SessionEvent[]): number[] {
  const results = inOrderOfCalls(events).filter(({ type }) => type === 'agent.tool_result');
  return results.flatMap((event, index) => (isLost(event) ? [index] : []));
}

/** The same log as if those calls had been lost, for a comparison with one in which they were. */
export function losing(events: readonly SessionEvent[], positions: number[]): SessionEvent[] {
  let index = -1;
  return inOrderOfCalls(events).map((event) => {
    if (event.type !== 'agent.tool_result') return event;
    index += 1;
    if (!positions.includes(index)) return event;
    return { ...event, is_error: true, content: [{ type: 'text', text: 'may have run' }] };
  });
}

function isLost(event: SessionEvent): boolean {
  return (
    event.type === 'agent.tool_result' &&
    event.is_error === true &&
    JSON.stringify(event.content).includes('may have run')
  );
}

/** Results of parallel calls stand in the order in which they ended, which is nobody's promise. */
function inOrderOfCalls(events: readonly SessionEvent[]): SessionEvent[] {
  const calls = events.filter(({ type }) => type === 'agent.tool_use').map(({ id }) => id);
  const ordered = [...events];
  const isResult = (index: number): boolean => ordered[index]?.type === 'agent.tool_result';
  const rank = (event: SessionEvent): number =>
    event.type === 'agent.tool_result' ? calls.indexOf(event.tool_use_id) : -1;
  for (let from = 0; from < ordered.length; from += 1) {
    if (!isResult(from)) continue;
    let to = from + 1;
    while (isResult(to)) to += 1;
    const run = ordered.slice(from, to).sort((a, b) => rank(a) - rank(b));
    ordered.splice(from, run.length, ...run);
    from = to;
  }
  return ordered;
}

function plain(value: unknown, numbers: Map<string, string>, isLossy: boolean): unknown {
  if (typeof value === 'string') {
    const kind = ID.exec(value)?.[1];
    if (kind === undefined) return value.replace(TIME_WITHIN, 'a time');
    if (!numbers.has(value)) numbers.set(value, `${kind} ${numbers.size + 1}`);
    return numbers.get(value);
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, numbers, isLossy));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(withoutCache(value))
    .filter(([key]) => !TIMES.has(key) && !(isLossy && COUNTS.has(key)))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(kept.map(([key, inner]) => [key, plain(inner, numbers, isLossy)]));
}

/**
 * Which part of what a model reads comes from its provider's cache depends on everybody's requests,
 * and on whether the scripted model was killed as well; how much it reads does not.
 */
function withoutCache(value: object): object {
  if (!('input_tokens' in value)) return value;
  const { list_cost: _, ...usage } = value as { list_cost?: unknown } & Record<string, unknown>;
  const kinds = Object.entries(usage).filter(([key]) => /^cache_|^input_tokens$/.test(key));
  const read = kinds.flatMap(([, count]) =>
    typeof count === 'number' ? count : (Object.values(count as object) as number[]),
  );
  const rest = Object.entries(usage).filter(([key]) => !/^cache_|^input_tokens$/.test(key));
  return { ...Object.fromEntries(rest), read_tokens: read.reduce((sum, count) => sum + count, 0) };
}
