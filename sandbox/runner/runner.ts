// The program that is a sandbox container's main process. It dials the host's socket (and dials
// again whenever the host went away), runs the calls it is sent and keeps every result until the
// host has acknowledged it, so a call that is sent twice runs once. Usage: runner.mjs [--container]
// [socket directory] [working directory] [output directory]; `--container` says that every process
// it can see is its own.
import { randomUUID } from 'node:crypto';
import { watch } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RUNNER_FRAME_BYTES_MAX, RUNNER_REDIAL_PAUSE_MS } from '../../protocol/limits.ts';
import { CallStore } from './call-store.ts';
import { asHostFrame, encodeFrame, FrameError, FrameReader, RUNNER_PROTOCOL } from './frames.ts';
import type { HostFrame, RunnerFrame } from './frames.ts';
import { Tools } from './tools.ts';

const { values: flags, positionals } = parseArgs({
  options: { container: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [socketDirectory = '/run/holdfast', workdir = '/workspace', outputDirectory] = positionals;
const FIRST_REDIAL_PAUSE_MS = 10;

const bootId = randomUUID();
const calls = new CallStore();
const tools = new Tools({
  workdir,
  outputDirectory: outputDirectory ?? '/mnt/session/tool-output',
  env: process.env,
  ownsContainer: flags.container,
});
/** calls that the host at the other end of this connection has asked for and has no result of */
const asked = new Set<string>();
let connection: Socket | null = null;
let redialPauseMs = FIRST_REDIAL_PAUSE_MS;
let redialTimer: NodeJS.Timeout | undefined;

function send(frame: RunnerFrame): void {
  if (connection === null) return;
  try {
    connection.write(encodeFrame(frame));
  } catch (error) {
    if (!(error instanceof FrameError) || frame.type !== 'result') throw error;
    const text = 'the result is too large to be sent';
    const { callId } = frame;
    send({ type: 'result', callId, content: [{ type: 'text', text }], isError: true });
  }
}

function onCall(frame: HostFrame & { type: 'call' }): void {
  const { callId } = frame;
  const known = calls.find(callId);
  if (known === 'forgotten') {
    send({ type: 'lost', callId, reason: 'its result is no longer kept' });
    return;
  }
  asked.add(callId);
  if (known === undefined) return void runCall(frame);
  if (known.isStarted) answer({ type: 'started', callId });
  if (known.result !== null) answer({ type: 'result', callId, ...known.result });
}

// A host that was restarted has not asked for what the one before it did: it will, and until then
// takes what it is told for a break of the rules.
function answer(frame: RunnerFrame & { type: 'started' | 'result' }): void {
  if (!asked.has(frame.callId)) return;
  if (frame.type === 'result') asked.delete(frame.callId);
  send(frame);
}

async function runCall(frame: HostFrame & { type: 'call' }): Promise<void> {
  const { callId } = frame;
  const call = calls.begin(callId);
  const result = await tools.run(frame.tool, frame.input, {
    signal: call.abort.signal,
    onStarted: () => {
      call.isStarted = true;
      answer({ type: 'started', callId });
    },
  });
  calls.finish(callId, result);
  answer({ type: 'result', callId, ...result });
}

function onFrame(frame: HostFrame): void {
  switch (frame.type) {
    case 'call':
      return onCall(frame);
    case 'cancel':
      return calls.cancel(frame.callId);
    case 'acknowledge':
      return calls.acknowledge(frame.callId);
    case 'ping':
      return send({ type: 'pong', n: frame.n });
  }
}

function dial(): void {
  if (connection !== null) return;
  clearTimeout(redialTimer);
  const socket = connect(join(socketDirectory, 'runner.sock'));
  connection = socket;
  const reader = new FrameReader(RUNNER_FRAME_BYTES_MAX);
  socket.on('connect', () => {
    asked.clear();
    redialPauseMs = FIRST_REDIAL_PAUSE_MS;
    send({ type: 'hello', protocol: RUNNER_PROTOCOL, bootId });
  });
  socket.on('data', (chunk) => {
    try {
      for (const frame of reader.push(chunk)) onFrame(asHostFrame(frame));
    } catch (error) {
      process.stderr.write(`runner: the host sent a bad frame: ${String(error)}\n`);
      socket.destroy();
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    connection = null;
    redialTimer = setTimeout(dial, redialPauseMs);
    redialPauseMs = Math.min(redialPauseMs * 2, RUNNER_REDIAL_PAUSE_MS);
  });
}

function stop(): void {
  tools.close();
  process.exit(0);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
try {
  // A new socket in the directory is a host that listens again: dial at once instead of at the
  // timer.
  watch(socketDirectory, dial).on('error', () => {});
} catch {
  // Without inotify the timer alone has to do.
}
dial();
