// One kill and its proof: stories begin, something is killed at its moment, it comes back, the
// stories end; then every log must be the undisturbed one. Writes one row of the table, also when
// it fails.

import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, inject } from 'vitest';
import type { SessionEvent } from '../helpers/scene.ts';
import { textOf, typesOf } from '../helpers/scene.ts';
import { addRow, type KillRow } from './kill-table.ts';
import { losing, lostPositions, plainLog, type Traces } from './same-log.ts';
import type { Performance, Stage, Story } from './stage.ts';

export interface Kill {
  /** what is killed, as the table names it */
  what: string;
  stories: readonly Story[];
  /** turns that are performed before anything else; 0 where absent */
  calmTurns?: number;
  /** sends without retries, so a send that loses its answer stays without one */
  isSentOnce?: boolean;
  /** after the calm turns, before the story goes on */
  prepare?: () => Promise<void>;
  /** resolves at the moment of the kill with its name for the table */
  moment: (cast: readonly Performance[]) => Promise<string>;
  kill: (cast: readonly Performance[]) => Promise<unknown>;
  /** starts again what does not come back by itself; resolves when it serves */
  recover?: () => Promise<unknown>;
  /** more than the log: files, processes, the model's requests */
  afterwards?: (cast: readonly Performance[]) => Promise<void>;
  /** at most, in each session */
  may?: Partial<Traces>;
}

/** Performs, kills, waits and compares; resolves with what the kill left in each log. */
export async function prove(stage: Stage, kill: Kill): Promise<Traces[]> {
  const references = await Promise.all(kill.stories.map((story) => stage.reference(story)));
  const cast = await stage.cast(kill.stories);
  const row = newRow(kill, cast);
  try {
    await disturb(kill, cast, row);
    const traces = await Promise.all(
      cast.map((each, index) => compare(each, references[index]!, kill.may ?? {})),
    );
    await kill.afterwards?.(cast);
    row.result = resultOf(traces);
    return traces;
  } catch (error) {
    row.isFailed = true;
    row.result = `FAILED: ${String((error as Error).message).split('\n')[0]}`;
    throw error;
  } finally {
    addRow(inject('chaos').rowsFile, row);
    await Promise.all(cast.map((each) => each.close()));
  }
}

function newRow(kill: Kill, cast: readonly Performance[]): KillRow {
  return {
    file: basename(expect.getState().testPath ?? ''),
    what: kill.what,
    when: '-',
    cut: 0,
    sessions: cast.length,
    downMs: null,
    recoveryMs: null,
    endMs: 0,
    result: '',
    isFailed: false,
  };
}

async function disturb(kill: Kill, cast: readonly Performance[], row: KillRow): Promise<void> {
  const calm = kill.calmTurns ?? 0;
  await Promise.all(cast.map((each) => calmly(each, calm)));
  await kill.prepare?.();
  const performances = Promise.all(cast.map((each) => each.perform(calm, kill.isSentOnce)));
  // Whatever it rejects with is met below, or after a moment that never came.
  performances.catch(() => {});
  row.when = await Promise.race([kill.moment(cast), failureOf(performances)]);
  const cut = cast.filter((each) => each.isUnderWay);
  row.cut = cut.length;
  const killedAt = Date.now();
  await kill.kill(cast);
  if (cut.length === 0) throw new Error('the kill came too late: every session was idle');
  if (kill.recover !== undefined) {
    await kill.recover();
    row.downMs = Date.now() - killedAt;
  }
  await performances;
  row.endMs = Date.now() - killedAt;
  const waits = await Promise.all(cut.map((each) => waitAfter(each, killedAt)));
  row.recoveryMs = Math.max(...waits);
}

async function calmly(each: Performance, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await each.say(turn);
    await each.idle(turn + 1);
  }
}

/** Never resolves; rejects when the performances fail while a moment is still waited for. */
function failureOf(performances: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => performances.catch(reject));
}

/** How long after the kill the session's next event was written, `ms`. */
async function waitAfter(each: Performance, killedAt: number): Promise<number> {
  const times = (await each.history()).map((event) =>
    'processed_at' in event && event.processed_at ? Date.parse(event.processed_at) : 0,
  );
  return Math.min(...times.filter((time) => time > killedAt)) - killedAt;
}

/** Holds one session's log, list and stream, against the undisturbed one. */
async function compare(
  each: Performance,
  reference: SessionEvent[],
  may: Partial<Traces>,
): Promise<Traces> {
  const log = await each.history();
  checkStream(each, log);
  const lost = lostPositions(log);
  const found = plainLog(log, lost.length > 0);
  const wanted = plainLog(losing(reference, lost), lost.length > 0);
  expect(found.lines, `the log of "${each.story.name}"`).toEqual(wanted.lines);
  const { cutRequests, lostCalls } = found.traces;
  expect(cutRequests, 'cut model requests').toBeLessThanOrEqual(may.cutRequests ?? 0);
  expect(lostCalls, 'lost tool calls').toBeLessThanOrEqual(may.lostCalls ?? 0);
  return found.traces;
}

/** The stream over all its connections: no gap, no duplicate, nothing that the list has not. */
function checkStream(each: Performance, log: readonly SessionEvent[]): void {
  const { events, previews } = each.reader;
  const name = `the stream of "${each.story.name}"`;
  expect(
    events.map(({ seq }) => seq),
    `${name} (${typesOf(events.map(({ event }) => event)).join(', ')})`,
  ).toEqual(log.map((_, index) => index + 1));
  const streamed = events.map(({ event }) => ('id' in event ? event.id : ''));
  expect(new Set(streamed).size, `${name}: ids`).toBe(log.length);
  expect(streamed.toSorted(), `${name}: ids`).toEqual(log.map(({ id }) => id).toSorted());
  for (const { id, text } of previews.values()) {
    const event = log.find((one) => one.id === id);
    if (event?.type !== 'agent.message') continue;
    expect(textOf(event).startsWith(text), `the preview of ${id} is a prefix`).toBe(true);
  }
}

function resultOf(traces: readonly Traces[]): string {
  const cut = traces.reduce((sum, { cutRequests }) => sum + cutRequests, 0);
  const lost = traces.reduce((sum, { lostCalls }) => sum + lostCalls, 0);
  const extras = [
    ...(cut > 0 ? [`${cut} cut model request${cut > 1 ? 's' : ''}`] : []),
    ...(lost > 0 ? [`${lost} call${lost > 1 ? 's' : ''} may have run`] : []),
  ];
  return extras.length === 0 ? 'same log' : `same log, ${extras.join(', ')}`;
}

/** Waits until every performance has so many of this event, then a little longer; for `moment`. */
export async function after(
  cast: readonly Performance[],
  event: { type: Parameters<Performance['has']>[0]; count: number; delayMs: number },
): Promise<string> {
  await Promise.all(cast.map((each) => each.has(event.type, event.count)));
  await pause(event.delayMs);
  return `${event.delayMs} ms after ${event.type} ${event.count}`;
}
