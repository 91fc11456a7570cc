// The readers of the row readers_1000, as a process of their own: so many connections of Node's
// HTTP client on one stream, which must all carry the same frames. Started by stream-readers.ts
// with an order as its argument; says over the fork's channel when all are open, then, when each
// has seen the turn end, what they read and when.
import { Agent, get, type IncomingMessage } from 'node:http';
import { nowMs } from '../statistics.ts';

/** What the process is told. */
export interface ReaderOrder {
  url: string;
  headers: Record<string, string>;
  readers: number;
  /** the frame that ends the reading has this in its data */
  until: string;
}

/** When one frame had come to the first reader and to the last, milliseconds since 1970. */
export interface FrameTimes {
  firstAt: number;
  lastAt: number;
}

/** What it answers: first that all readers are open, then what they read. */
export type ReaderReport =
  | { kind: 'open'; openedMs: number }
  | { kind: 'read'; frames: string[]; times: FrameTimes[] }
  | { kind: 'failed'; reason: string };

/** so many connections are opened at once; the kernel's queue of unaccepted ones is not endless */
const OPENED_AT_ONCE = 100;

const PROCESSED_AT = /,"processed_at":"[^"]*"/;

/** One connection: its frames as they are on the wire, pings left out, and when each came. */
class Reader {
  readonly frames: string[] = [];
  readonly receivedAt: number[] = [];
  readonly ended = Promise.withResolvers<void>();
  #unread = '';

  constructor(order: ReaderOrder, answer: IncomingMessage) {
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      const at = nowMs();
      const parts = (this.#unread + chunk).split('\n\n');
      this.#unread = parts.pop()!;
      for (const frame of parts) {
        if (frame.startsWith('event: ping')) continue;
        // Set when the event is processed, so one that waited has it only for who came later.
        this.frames.push(frame.replace(PROCESSED_AT, ''));
        this.receivedAt.push(at);
        if (frame.includes(order.until)) this.ended.resolve();
      }
    });
    answer.once('close', () => this.ended.reject(new Error('a stream ended before its turn')));
  }
}

async function openReader(order: ReaderOrder, agent: Agent): Promise<Reader> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(order.url, { agent, headers: order.headers }, resolve).once('error', reject);
  const answer = await promise;
  if (answer.statusCode !== 200) throw new Error(`a stream was refused: ${answer.statusCode}`);
  return new Reader(order, answer);
}

/** Reads one turn; throws unless every reader has every frame once and in the same order. */
async function read(order: ReaderOrder, say: (report: ReaderReport) => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: order.readers });
  const openedFrom = performance.now();
  const readers: Reader[] = [];
  while (readers.length < order.readers) {
    const count = Math.min(OPENED_AT_ONCE, order.readers - readers.length);
    const opened = Array.from({ length: count }, () => openReader(order, agent));
    readers.push(...(await Promise.all(opened)));
  }
  say({ kind: 'open', openedMs: performance.now() - openedFrom });
  await Promise.all(readers.map(({ ended }) => ended.promise));
  const { frames } = readers[0]!;
  const expected = frames.join('\n');
  const other = readers.findIndex((reader) => reader.frames.join('\n') !== expected);
  if (other >= 0) throw new Error(`reader ${other} read ${readers[other]!.frames.join('\n')}`);
  const times = frames.map((_, index) => {
    const all = readers.map(({ receivedAt }) => receivedAt[index]!);
    return { firstAt: Math.min(...all), lastAt: Math.max(...all) };
  });
  say({ kind: 'read', frames, times });
  agent.destroy();
}

if (import.meta.main) {
  const say = (report: ReaderReport): void => void process.send!(report);
  read(JSON.parse(process.argv[2]!) as ReaderOrder, say).then(
    () => process.disconnect(),
    (error: unknown) => {
      say({ kind: 'failed', reason: String(error) });
      process.disconnect();
    },
  );
}
