// A workflow history as a JSON file that a diff can show: enums by name, numbers as text, bytes in
// base64.

import { readFileSync, writeFileSync } from 'node:fs';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
export type HistoryMessage = proto.temporal.api.history.v1.IHistory;

/** Writes a history as it came from the server. */
export function writeHistory(file: string, history: HistoryMessage): void {
  const plain = History.toObject(History.fromObject(history), {
    longs: String,
    enums: String,
    bytes: String,
  });
  writeFileSync(file, `${JSON.stringify(plain, withoutMachine, 1)}\n`);
}

/** Leaves out what speaks of the machine it was recorded on; no replay reads it. */
function withoutMachine(key: string, value: unknown): unknown {
  return key === 'stackTrace' || key === 'identity' ? undefined : value;
}

/** Reads one back. */
export function readHistory(file: URL): HistoryMessage {
  return History.fromObject(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
}
