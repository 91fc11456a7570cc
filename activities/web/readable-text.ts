// Text out of pages and PDFs that may be hostile: each is read in a thread of its own, with bounded
// time, heap and buffers, at most WEB_READERS_MAX at once. The event loop of the worker is never
// held up; a document that reaches a bound is a WebFailure.

import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  WEB_READ_BUFFERS_MB,
  WEB_READ_HEAP_MB,
  WEB_READ_MS,
  WEB_READ_WATCH_MS,
  WEB_READERS_MAX,
} from '../../protocol/server-tool-limits.ts';
import { WebFailure } from './web-outcome.ts';

/** What a reading thread is started with. */
export type Unread =
  | { kind: 'html'; html: string; url: string }
  | { kind: 'pdf'; bytes: Uint8Array };

/** What it answers; the title and the text may be empty. */
export interface ReadText {
  title: string;
  text: string;
}

export type Reader = (unread: Unread, signal: AbortSignal) => Promise<ReadText>;

const BYTES_PER_MB = 1024 * 1024;
const THREAD = new URL('./reading-thread.ts', import.meta.url);

/** A reader with its own limit of threads. Its calls throw a WebFailure, or the abort's reason. */
export function createReader(timeoutMs = WEB_READ_MS): Reader {
  let running = 0;
  const waiting = new Set<() => void>();
  const wakeNext = () => {
    for (const wake of waiting) return wake();
  };
  return async (unread, signal) => {
    while (running >= WEB_READERS_MAX) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
    running += 1;
    try {
      signal.throwIfAborted();
      return await readInThread(unread, timeoutMs, signal);
    } finally {
      running -= 1;
      wakeNext();
    }
  };
}

async function readInThread(
  unread: Unread,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReadText> {
  const worker = new Worker(THREAD, {
    workerData: unread,
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: WEB_READ_HEAP_MB, maxYoungGenerationSizeMb: 32 },
  });
  // What the libraries print about strangers' documents is nobody's log.
  worker.stdout.resume();
  worker.stderr.resume();
  const over = new AbortController();
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs), over.signal]);
  try {
    return await new Promise<ReadText>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', () => reject(unreadable('it cannot be read')));
      worker.once('exit', () => reject(unreadable('it cannot be read')));
      ends.addEventListener('abort', () => reject(unreadable('reading it takes too much')), {
        once: true,
      });
      void watchBuffers(worker, over);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    over.abort();
    await worker.terminate();
  }
}

/** Buffers lie outside of the heap, where the thread's own limits do not see them. */
async function watchBuffers(worker: Worker, over: AbortController): Promise<void> {
  while (!over.signal.aborted) {
    try {
      await pause(WEB_READ_WATCH_MS, undefined, { signal: over.signal, ref: false });
      const { external_memory: bytes } = await worker.getHeapStatistics();
      if (bytes > WEB_READ_BUFFERS_MB * BYTES_PER_MB) over.abort();
    } catch {
      // The thread has ended, or the wait has: there is nothing left to watch.
      return;
    }
  }
}

function unreadable(reason: string): WebFailure {
  return new WebFailure('unavailable', `the document was loaded, but ${reason}`);
}
