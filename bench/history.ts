// What a round leaves in Temporal: history events and bytes, for a command that ends within the
// window of the local activity and for one that does not. A round is what lies between two model
// calls, so what a turn costs once is not in it.
import { Client, Connection } from '@temporalio/client';
import { newTag } from './model-clock.ts';
import type { Bench, Figures, Row } from './row.ts';
import { rounds } from './sessions.ts';
import { median, rounded } from './statistics.ts';

export const history: Row = {
  names: ['history_short', 'history_long'],
  about: 'history events and bytes a round, with a short command and with a long one',
  measure: measureHistory,
};

const FEW_ROUNDS = 4;
const MORE_ROUNDS = 24;
/** longer than the window of a local activity */
const LONG_COMMAND = 'sleep 0.6; echo hello';

async function measureHistory(bench: Bench): Promise<Figures[]> {
  bench.say(`history: turns of ${FEW_ROUNDS} and ${MORE_ROUNDS} rounds, short and long commands`);
  const { temporalAddress } = await bench.server();
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  try {
    const short = await measureCommand(bench, client, 'echo hello');
    const long = await measureCommand(bench, client, LONG_COMMAND);
    await (await bench.sessions()).deleteAll();
    return [
      { name: 'history_short', ...short },
      { name: 'history_long', ...long },
    ];
  } finally {
    await connection.close();
  }
}

async function measureCommand(
  bench: Bench,
  client: Client,
  command: string,
): Promise<Record<string, unknown>> {
  const few = await playAndLook(bench, client, rounds(newTag('few'), FEW_ROUNDS, command));
  const more = await playAndLook(bench, client, rounds(newTag('more'), MORE_ROUNDS, command));
  const bytes = (more.bytes - few.bytes) / (MORE_ROUNDS - FEW_ROUNDS);
  return {
    events_per_round: median(more.eventsOfRounds),
    events_per_round_max: Math.max(...more.eventsOfRounds),
    bytes_per_round: rounded(bytes),
    events_of_24_rounds: more.events,
    command,
  };
}

/** Plays a turn in a session whose sandbox is there already; the answer is what it added. */
async function playAndLook(
  bench: Bench,
  client: Client,
  message: string,
): Promise<{ events: number; bytes: number; eventsOfRounds: number[] }> {
  const sessions = await bench.sessions();
  const id = await sessions.create();
  await sessions.play(id, rounds(newTag('before'), 1));
  const handle = client.workflow.getHandle(id);
  const before = await handle.describe();
  await sessions.play(id, message);
  const after = await handle.describe();
  const { events } = await handle.fetchHistory();
  const modelCalls = (events ?? [])
    .slice(before.historyLength)
    .flatMap(({ activityTaskScheduledEventAttributes: scheduled }, index) =>
      scheduled?.activityType?.name === 'callModel' ? [index] : [],
    );
  return {
    events: after.historyLength - before.historyLength,
    bytes: (after.historySize ?? 0) - (before.historySize ?? 0),
    eventsOfRounds: modelCalls.slice(1).map((at, index) => at - modelCalls[index]!),
  };
}
