// What a round leaves in Temporal: history events and bytes, for a command that ends within the window of
// the local activity and for one that does not. Counted as the difference between a longer and a shorter
// turn, so that what a turn costs once is not in it.
import { Client, Connection } from '@temporalio/client';
import { newTag } from './model-clock.ts';
import type { Bench, Figures, Row } from './row.ts';
import { rounds } from './sessions.ts';
import { rounded } from './statistics.ts';

export const history: Row = {
  names: ['history_short', 'history_long'],
  about: 'history events and bytes a round, with a short command and with a long one',
  measure: measureHistory,
};

const FEW_ROUNDS = 4;
const MORE_ROUNDS = 24;
/** longer than the window of a local activity */
const LONG_COMMAND = 'sleep 0.6; echo hello';

interface Size {
  events: number;
  bytes: number;
}

async function measureHistory(bench: Bench): Promise<Figures[]> {
  bench.say('history: turns of 4 and 24 rounds, short and long commands');
  const { temporalAddress } = await bench.server();
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  try {
    const measure = async (name: string, command: string): Promise<Figures> => {
      const few = await historyOf(bench, client, rounds(newTag(name), FEW_ROUNDS, command));
      const more = await historyOf(bench, client, rounds(newTag(name), MORE_ROUNDS, command));
      const between = MORE_ROUNDS - FEW_ROUNDS;
      return {
        name,
        events_per_round: rounded((more.events - few.events) / between),
        bytes_per_round: Math.round((more.bytes - few.bytes) / between),
        events_of_24_rounds: more.events,
        bytes_of_24_rounds: more.bytes,
        command,
      };
    };
    const figures = [
      await measure('history_short', 'echo hello'),
      await measure('history_long', LONG_COMMAND),
    ];
    await (await bench.sessions()).deleteAll();
    return figures;
  } finally {
    await connection.close();
  }
}

async function historyOf(bench: Bench, client: Client, message: string): Promise<Size> {
  const sessions = await bench.sessions();
  const id = await sessions.create();
  // A first turn, so that the sandbox is there and no provisioning is counted.
  await sessions.play(id, rounds(newTag('before'), 1));
  const handle = client.workflow.getHandle(id);
  const before = await handle.describe();
  await sessions.play(id, message);
  const after = await handle.describe();
  return {
    events: after.historyLength - before.historyLength,
    bytes: (after.historySize ?? 0) - (before.historySize ?? 0),
  };
}
