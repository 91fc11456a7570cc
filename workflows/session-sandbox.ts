// The machine that holds a session's sandbox, as its workflow sees it: brought up beside the first
// model call, asked to stop what an interrupt left running, let go of at the end. The name of the
// machine is the workflow's state; this file only keeps what is under way.

import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { SessionRef } from '../activities/messages.ts';
import { ANY_HOST_TASK_QUEUE, hostTaskQueue } from './messages.ts';
import { cancelOptions, commitOptions, provisionOptions, releaseOptions } from './policies.ts';

/** Where the name of the machine is kept; null before the sandbox is up, and after its loss. */
export interface HostOfState {
  get(): string | null;
  set(host: string | null): void;
}

export class SessionSandbox {
  readonly #ref: SessionRef;
  readonly #host: HostOfState;
  /** Calls that are being stopped behind the back of whatever runs */
  #stopping = 0;
  #provisioning: Promise<void> | undefined;

  constructor(ref: SessionRef, host: HostOfState) {
    this.#ref = ref;
    this.#host = host;
  }

  get host(): string | null {
    return this.#host.get();
  }

  /** Something is under way that a new run would lose. */
  get isBusy(): boolean {
    return this.#provisioning !== undefined || this.#stopping > 0;
  }

  /** The machine is lost: the sandbox is to come up elsewhere. */
  forget(): void {
    this.#host.set(null);
  }

  /** Starts bringing the sandbox up; errors are kept for the first tool call to meet. */
  provision(): Promise<void> {
    this.#provisioning ??= CancellationScope.nonCancellable(async () => {
      const { provisionSandbox } = proxyActivities<Activities>({
        ...provisionOptions,
        taskQueue: ANY_HOST_TASK_QUEUE,
        summary: 'sandbox',
      });
      try {
        const { hostId } = await provisionSandbox(this.#ref);
        this.#host.set(hostId);
      } finally {
        this.#provisioning = undefined;
      }
    });
    // The failure is met by whoever awaits it; alone it must not fail the workflow task.
    this.#provisioning.catch(() => {});
    return this.#provisioning;
  }

  /**
   * Stops calls that an interrupt may have left running on their machine, whenever that answers
   * again: its worker may be dead. Nobody waits for it: the session is idle meanwhile.
   */
  cancelCalls(calls: { id: string }[], host: string): void {
    const stopped = CancellationScope.nonCancellable(() => {
      const { cancelCalls } = proxyActivities<Activities>({
        ...cancelOptions,
        taskQueue: hostTaskQueue(host),
        summary: 'stop what was interrupted',
      });
      return cancelCalls({ ...this.#ref, calls });
    });
    this.#stopping += 1;
    void stopped.catch(() => {}).then(() => (this.#stopping -= 1));
  }

  /** Removes the sandbox, or leaves it to the reconciler of a machine that does not answer. */
  async release(): Promise<void> {
    if (this.#provisioning !== undefined) await this.#provisioning.catch(() => {});
    const { markReleased } = proxyActivities<Activities>(commitOptions);
    const host = this.#host.get();
    if (host !== null) {
      const { releaseSandbox } = proxyActivities<Activities>({
        ...releaseOptions,
        taskQueue: hostTaskQueue(host),
        summary: 'sandbox',
      });
      await releaseSandbox(this.#ref).catch(() => {});
    }
    await markReleased(this.#ref);
  }
}
