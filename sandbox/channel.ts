// The host's end of a sandbox's socket: listens, lets one runner in at a time, and hands its
// checked frames on. Whatever comes in is untrusted: bounds and shapes are checked, a connection
// that breaks them is closed, and nothing thrown in here reaches the process.
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  RUNNER_CONNECTIONS_MAX,
  RUNNER_FRAME_BYTES_MAX,
  RUNNER_HELLO_MS,
  RUNNER_SMALL_FRAME_BYTES_MAX,
} from '../protocol/limits.ts';
import {
  asRunnerFrame,
  encodeFrame,
  FrameError,
  FrameReader,
  RUNNER_PROTOCOL,
} from './runner/frames.ts';
import type { HostFrame, RunnerFrame } from './runner/frames.ts';

export interface ChannelEvents {
  /** a runner said hello and is the one we talk to from now on */
  onReady(bootId: string): void;
  /** a frame after the hello; throw `FrameError` to have the connection closed as broken */
  onFrame(frame: RunnerFrame, bytes: number): void;
  /** the runner's connection ended; `violation` says what it did wrong, null when it just closed */
  onClosed(violation: string | null): void;
  /** a result may come, which is the one frame that may be large */
  expectsResult(): boolean;
}

export class Channel {
  readonly #path: string;
  readonly #events: ChannelEvents;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #runner: Socket | null = null;

  constructor(path: string, events: ChannelEvents) {
    this.#path = path;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#runner !== null;
  }

  /** Makes the socket anew and listens; a stale one of an earlier process is replaced. */
  async listen(): Promise<void> {
    if (this.#server !== null) return;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    // The container's user must get through; other users of the host are kept out one level higher.
    chmodSync(dirname(this.#path), 0o755);
    rmSync(this.#path, { force: true });
    const server = createServer((socket) => this.#admit(socket));
    server.maxConnections = RUNNER_CONNECTIONS_MAX;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        this.#server = null;
        reject(error);
      });
      server.listen(this.#path, resolve);
    });
    server.on('error', () => {});
    chmodSync(this.#path, 0o666);
  }

  /** Sends one frame; false where no runner is connected. Throws `FrameError` for one too large. */
  send(frame: HostFrame): boolean {
    const bytes = encodeFrame(frame);
    if (this.#runner === null) return false;
    this.#runner.write(bytes);
    return true;
  }

  /** Ends the runner's connection without another word about it. */
  disconnect(): void {
    const runner = this.#runner;
    this.#runner = null;
    runner?.destroy();
  }

  /** Stops listening and ends every connection; the socket file goes as well. */
  close(): void {
    this.#server?.close();
    this.#server = null;
    this.disconnect();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #admit(socket: Socket): void {
    this.#sockets.add(socket);
    const reader = new FrameReader(RUNNER_SMALL_FRAME_BYTES_MAX);
    const setBound = () => {
      const isAwaited = socket === this.#runner && this.#events.expectsResult();
      reader.maxBytes = isAwaited ? RUNNER_FRAME_BYTES_MAX : RUNNER_SMALL_FRAME_BYTES_MAX;
    };
    const helloTimer = setTimeout(() => socket.destroy(), RUNNER_HELLO_MS);
    let violation: string | null = null;
    socket.on('data', (chunk) => {
      try {
        setBound();
        for (const value of reader.push(chunk)) {
          const frame = asRunnerFrame(value);
          if (socket === this.#runner) {
            if (frame.type === 'hello') throw new FrameError('a second hello');
            if (frame.type !== 'result' && reader.frameBytes > RUNNER_SMALL_FRAME_BYTES_MAX) {
              throw new FrameError(`a large frame of type ${frame.type}`);
            }
            this.#events.onFrame(frame, reader.frameBytes);
            // The frame may have ended the connection; what follows it in the chunk is void then.
            if (socket !== this.#runner) return;
          } else {
            this.#welcome(socket, frame);
            clearTimeout(helloTimer);
          }
          setBound();
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        violation = error.message;
        socket.destroy();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(helloTimer);
      this.#sockets.delete(socket);
      if (this.#runner !== socket) return;
      this.#runner = null;
      this.#events.onClosed(violation);
    });
  }

  #welcome(socket: Socket, frame: RunnerFrame): void {
    if (frame.type !== 'hello') throw new FrameError('a first frame that is not a hello');
    if (frame.protocol !== RUNNER_PROTOCOL) throw new FrameError('a runner of another protocol');
    // The one that is connected stays: another process inside cannot push the runner out.
    if (this.#runner !== null) throw new FrameError('a second runner');
    this.#runner = socket;
    this.#events.onReady(frame.bootId);
  }
}
