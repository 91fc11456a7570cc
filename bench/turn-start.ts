// How soon a message is at work: from the accepted POST to the model request, in a session that was
// never used and in one that waits; and how soon its reader sees the first words of the answer.
// Beside them what the engine alone takes, and what the SDK alone takes straight from the model.
import Anthropic from '@anthropic-ai/sdk';
import { setTimeout as pause } from 'node:timers/promises';
import { type EngineFloor, measureEngineFloor } from './engine-floor.ts';
import { newTag, requestsOf } from './model-clock.ts';
import { type Bench, type Figures, type Row, size } from './row.ts';
import { MODEL, type SendTimes } from './sessions.ts';
import { inPairs, median, nowMs, percentile, rounded } from './statistics.ts';

export const turnStart: Row = {
  names: ['turn_start', 'noop_round_trip'],
  about: 'POST accepted → model request sent; beside it the engine without us',
  measure: measureTurnStart,
};

export const firstPreview: Row = {
  names: ['first_preview'],
  about: 'model request arrives → the reader of the stream has the first piece of text',
  measure: measureFirstPreview,
};

/** long enough for the workflow task that parks a session to end, `ms` */
const PARKED_MS = 50;
const PREVIEW_WORDS = 20;

interface Start extends SendTimes {
  /** when the model had the request, milliseconds since 1970 */
  requestedAt: number;
}

async function measureTurnStart(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 100, 20);
  bench.say(`turn_start: ${count} first turns, ${count} later ones; the engine alone`);
  const server = await bench.server();
  const sessions = await bench.sessions();
  const first: Start[] = [];
  const later: Start[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = await sessions.create();
    // The command waits for the sandbox: the later turn must not share the machine with its start.
    first.push(await startTurn(bench, id, '$ true\n= hello'));
    later.push(await startTurn(bench, id, '= hello again'));
  }
  const floor = await measureEngineFloor(server.temporalAddress, {
    inRow: count * 2,
    signals: count,
  });
  await sessions.deleteAll();
  return [turnFigures(first, later, floor), noopFigures(floor)];
}

function turnFigures(first: Start[], later: Start[], floor: EngineFloor): Figures {
  const after = (starts: Start[]): number[] =>
    starts.map(({ acceptedAt, requestedAt }) => requestedAt - acceptedAt);
  const fromSent = (starts: Start[]): number[] =>
    starts.map(({ sentAt, requestedAt }) => requestedAt - sentAt);
  const baseline = median(floor.signalToActivity);
  return {
    name: 'turn_start',
    p50_ms: rounded(median(after(later))),
    p95_ms: rounded(percentile(after(later), 0.95)),
    baseline_p50_ms: rounded(baseline),
    ratio: rounded(median(after(later)) / baseline),
    first_turn_p50_ms: rounded(median(after(first))),
    first_turn_baseline_p50_ms: rounded(median(floor.startToActivity)),
    from_sent_p50_ms: rounded(median(fromSent(later))),
    first_turn_from_sent_p50_ms: rounded(median(fromSent(first))),
    baseline: 'signal sent → no-op activity started, same Temporal',
    turns: later.length,
  };
}

function noopFigures({ activityGaps }: EngineFloor): Figures {
  return {
    name: 'noop_round_trip',
    p50_ms: rounded(median(activityGaps)),
    p95_ms: rounded(percentile(activityGaps, 0.95)),
    activities: activityGaps.length,
  };
}

async function startTurn(bench: Bench, sessionId: string, words: string): Promise<Start> {
  const [server, sessions] = [await bench.server(), await bench.sessions()];
  const before = (await requestsOf(server.modelUrl, sessionId)).length;
  // The session's id is in its first message, by which the model's list finds the conversation.
  const times = await sessions.play(sessionId, `${sessionId}\n${words}`);
  await pause(PARKED_MS);
  const requests = await requestsOf(server.modelUrl, sessionId);
  return { ...times, requestedAt: requests[before]!.received_at_ms };
}

async function measureFirstPreview(bench: Bench): Promise<Figures[]> {
  const count = size(bench, 40, 8);
  bench.say(`first_preview: ${count} streamed answers, and as many straight from the model`);
  const { modelUrl } = await bench.server();
  const ours: number[] = [];
  const oursFromSend: number[] = [];
  const direct: number[] = [];
  await inPairs(
    count,
    async () => {
      const tag = newTag('preview');
      const times = await firstPreviewOf(bench, tag);
      const [request] = await requestsOf(modelUrl, tag);
      ours.push(times.seenAt - request!.received_at_ms);
      oursFromSend.push(times.seenAt - times.sentAt);
    },
    async () => {
      const tag = newTag('direct');
      const seenAt = await firstTextOf(modelUrl, tag);
      const [request] = await requestsOf(modelUrl, tag);
      direct.push(seenAt - request!.received_at_ms);
    },
  );
  await (await bench.sessions()).deleteAll();
  return [
    {
      name: 'first_preview',
      p50_ms: rounded(median(ours)),
      p95_ms: rounded(percentile(ours, 0.95)),
      baseline_p50_ms: rounded(median(direct)),
      ratio: rounded(median(ours) / median(direct)),
      from_sent_p50_ms: rounded(median(oursFromSend)),
      baseline: 'the SDK straight from the model',
    },
  ];
}

function streamedAnswer(tag: string): string {
  return `${tag}\n# tokens ${PREVIEW_WORDS}`;
}

async function firstPreviewOf(
  bench: Bench,
  tag: string,
): Promise<{ sentAt: number; seenAt: number }> {
  const sessions = await bench.sessions();
  const id = await sessions.create();
  const stream = await sessions.client.beta.sessions.events.stream(id, {
    event_deltas: ['agent.message'],
  });
  const sentAt = nowMs();
  await sessions.send(id, streamedAnswer(tag));
  let seenAt = Number.NaN;
  for await (const event of stream) {
    if (event.type === 'event_delta' && Number.isNaN(seenAt)) seenAt = nowMs();
    if (event.type === 'session.status_idle') break;
  }
  if (Number.isNaN(seenAt)) throw new Error(`no preview came in session ${id}`);
  return { sentAt, seenAt };
}

async function firstTextOf(modelUrl: string, tag: string): Promise<number> {
  const client = new Anthropic({ baseURL: modelUrl, apiKey: 'any', maxRetries: 0 });
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: streamedAnswer(tag) }];
  const stream = client.messages.stream({ model: MODEL, max_tokens: 1_000, messages });
  let seenAt = Number.NaN;
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && Number.isNaN(seenAt)) seenAt = nowMs();
  }
  return seenAt;
}
