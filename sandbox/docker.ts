// The container engine as this room needs it: the one importer of dockerode. Each method is one or
// two requests to the engine; an engine that does not answer is `EngineUnavailableError`, a
// container or image that is not there is a value, and everything else is thrown as the engine said
// it.
import Docker from 'dockerode';
import { ENGINE_PING_MS, SANDBOX_STOP_GRACE_SECONDS } from '../protocol/limits.ts';
import { EngineUnavailableError } from './sandbox.ts';

export type ContainerSettings = Docker.ContainerCreateOptions;

export interface ContainerFacts {
  id: string;
  /** the engine's word: created, running, paused, exited, dead, removing, restarting */
  state: string;
  exitCode: number;
  oomKilled: boolean;
  labels: Record<string, string>;
}

export interface ListedContainer {
  id: string;
  state: string;
  labels: Record<string, string>;
}

/** One line of progress of a pull or a build. */
export type Progress = (line: string) => void;

export class Engine {
  readonly #docker: Docker;
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#docker = new Docker({ socketPath });
  }

  /** Throws one sentence when the engine does not answer within its time. */
  async ping(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        late.reject(new EngineUnavailableError(this.#absent(`no answer in ${ENGINE_PING_MS} ms`))),
      ENGINE_PING_MS,
    );
    try {
      await Promise.race([this.#ask(() => this.#docker.ping()), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Creates a container; `conflict` where the name is taken. */
  async create(settings: ContainerSettings): Promise<'created' | 'conflict' | 'no image'> {
    try {
      await this.#ask(() => this.#docker.createContainer(settings));
      return 'created';
    } catch (error) {
      if (statusOf(error) === 409) return 'conflict';
      if (statusOf(error) === 404) return 'no image';
      throw error;
    }
  }

  /** The container's facts by name or id, null where there is none. */
  async inspect(name: string): Promise<ContainerFacts | null> {
    const info = await this.#orNull(() => this.#docker.getContainer(name).inspect());
    if (info === null) return null;
    return {
      id: info.Id,
      state: info.State.Status,
      exitCode: info.State.ExitCode,
      oomKilled: info.State.OOMKilled,
      labels: info.Config.Labels ?? {},
    };
  }

  /** Starts; already started is fine. */
  async start(name: string): Promise<void> {
    await this.#unless(304, () => this.#docker.getContainer(name).start());
  }

  /** Stops with the usual grace; stopped or gone already is fine. */
  async stop(name: string): Promise<void> {
    const options = { t: SANDBOX_STOP_GRACE_SECONDS };
    await this.#orNull(() =>
      this.#unless(304, () => this.#docker.getContainer(name).stop(options)),
    );
  }

  /** Ends it at once; ended or gone already is fine. */
  async kill(name: string): Promise<void> {
    await this.#orNull(() => this.#unless(409, () => this.#docker.getContainer(name).kill()));
  }

  async pause(name: string): Promise<void> {
    await this.#ask(() => this.#docker.getContainer(name).pause());
  }

  async unpause(name: string): Promise<void> {
    await this.#ask(() => this.#docker.getContainer(name).unpause());
  }

  /** Removes it, running or not; gone already, or being removed, is fine. */
  async remove(name: string): Promise<void> {
    const options = { force: true, v: true };
    await this.#orNull(() =>
      this.#unless(409, () => this.#docker.getContainer(name).remove(options)),
    );
  }

  /** The last lines a container wrote, for a message about its failure. */
  async lastWords(name: string): Promise<string> {
    const options = { stdout: true, stderr: true, tail: 20, follow: false } as const;
    const logs = await this.#orNull(() => this.#docker.getContainer(name).logs(options));
    if (logs === null) return '';
    // Each piece of a container's log has a header of 8 bytes, control characters in the main.
    const text = logs.toString('utf8').replace(/[^\P{C}\n]/gu, '');
    return text.slice(-2000).trim();
  }

  /** Containers with this label, in any state. */
  async list(label: string): Promise<ListedContainer[]> {
    const filters = { label: [label] };
    const found = await this.#ask(() => this.#docker.listContainers({ all: true, filters }));
    return found.map((info) => ({ id: info.Id, state: info.State, labels: info.Labels }));
  }

  /** Names and labels of the volumes with this label. */
  async listVolumes(label: string): Promise<{ name: string; labels: Record<string, string> }[]> {
    const filters = { label: [label] };
    const { Volumes } = await this.#ask(() => this.#docker.listVolumes({ filters }));
    return (Volumes ?? []).map((volume) => ({ name: volume.Name, labels: volume.Labels ?? {} }));
  }

  /** Removes a volume; gone already is fine. */
  async removeVolume(name: string): Promise<void> {
    await this.#orNull(() => this.#docker.getVolume(name).remove({ force: true }));
  }

  /** Makes the bridge network where there is none of that name; safe in parallel. */
  async ensureNetwork(name: string, options: Record<string, string>): Promise<void> {
    const found = await this.#orNull(() => this.#docker.getNetwork(name).inspect());
    if (found !== null) return;
    await this.#unless(409, () =>
      this.#docker.createNetwork({
        Name: name,
        Driver: 'bridge',
        CheckDuplicate: true,
        Options: options,
        Labels: { 'holdfast.network': name },
      }),
    );
  }

  /** The id of the image of that name, which follows its content; null where there is none here. */
  async imageId(name: string): Promise<string | null> {
    const info = await this.#orNull(() => this.#docker.getImage(name).inspect());
    return info?.Id ?? null;
  }

  /** True where the image is on this machine. */
  async hasImage(name: string): Promise<boolean> {
    return (await this.imageId(name)) !== null;
  }

  /** Fetches an image from its registry; throws as the registry said it. */
  async pull(name: string, signal: AbortSignal, progress: Progress): Promise<void> {
    const stream = await this.#ask(() => this.#docker.pull(name, { abortSignal: signal }));
    await this.#follow(stream, progress, signal);
  }

  /** Makes an image from the archive of a root file system. */
  async importImage(
    archive: NodeJS.ReadableStream,
    name: string,
    progress: Progress,
  ): Promise<void> {
    const [repo, tag = 'latest'] = name.split(':');
    const stream = await this.#ask(() => this.#docker.importImage(archive, { repo, tag }));
    await this.#follow(stream, progress);
  }

  /** Builds an image from a context archive; throws with the builder's own error line. */
  async build(
    context: NodeJS.ReadableStream,
    options: { name: string; args: Record<string, string>; labels: Record<string, string> },
    progress: Progress,
  ): Promise<void> {
    const { name, args, labels } = options;
    const stream = await this.#ask(() =>
      this.#docker.buildImage(context, { t: name, buildargs: args, labels, forcerm: true }),
    );
    await this.#follow(stream, progress);
  }

  async #follow(
    stream: NodeJS.ReadableStream,
    progress: Progress,
    signal?: AbortSignal,
  ): Promise<void> {
    const done = Promise.withResolvers<void>();
    const onAbort = () => done.reject(new Error('no answer in time'));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#docker.modem.followProgress(
      stream,
      (error) => (error === null ? done.resolve() : done.reject(error)),
      (event: { stream?: string; status?: string; error?: string }) => {
        if (event.error !== undefined) done.reject(new Error(event.error));
        const line = (event.stream ?? event.status ?? '').trim();
        if (line !== '') progress(line);
      },
    );
    try {
      await done.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #unless<T>(status: number, request: () => Promise<T>): Promise<T | null> {
    try {
      return await this.#ask(request);
    } catch (error) {
      if (statusOf(error) === status) return null;
      throw error;
    }
  }

  #orNull<T>(request: () => Promise<T>): Promise<T | null> {
    return this.#unless(404, request);
  }

  async #ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (statusOf(error) === null && isConnectionError(error)) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new EngineUnavailableError(this.#absent(reason), { cause: error });
      }
      throw error;
    }
  }

  #absent(reason: string): string {
    const where = `at ${this.socketPath} (${reason})`;
    return `the container engine does not answer ${where}: is Docker running?`;
  }
}

function statusOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null;
  return typeof error.statusCode === 'number' ? error.statusCode : null;
}

const CONNECTION_CODES = ['ECONNREFUSED', 'ENOENT', 'EACCES', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return CONNECTION_CODES.includes(String(error.code));
}
