// One session, for as long as it lives: take the next step, do it, apply its result, until the
// session ends or the history is long enough to start a new run. Decisions are session-state.ts;
// this file only drives activities. Messages wait in the event log; the signal is a doorbell, so
// its handler records and, for an interrupt, cancels the running step.

import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setHandler,
  defineQuery,
  defineSignal,
  workflowInfo,
} from '@temporalio/workflow';
import { CONTINUE_IDLE_EVENTS, CONTINUE_STEP_EVENTS } from '../protocol/limits.ts';
import type { Activities } from '../activities/index.ts';
import { SessionDisplay } from './session-display.ts';
import type { SessionRef } from '../activities/messages.ts';
import type { SessionSettings, SessionStart, UserEvents } from './messages.ts';
import {
  ANY_HOST_TASK_QUEUE,
  hostTaskQueue,
  SESSION_STATE_QUERY,
  USER_EVENTS_SIGNAL,
} from './messages.ts';
import {
  cancelOptions,
  commitOptions,
  modelOptions,
  provisionOptions,
  releaseOptions,
} from './policies.ts';
import { apply, newSessionState, nextStep, receive, wantsInterrupt } from './session-state.ts';
import type { RunFacts, SessionState, Step, StepResult } from './session-state.ts';
import { checkTransition } from './transitions.ts';
import { modelErrorType, runTools, type ToolRun } from './tool-steps.ts';

export interface SessionWorkflowInput {
  start: SessionStart;
  threadId: string;
  settings: SessionSettings;
  /** Where the run before this one stopped */
  state?: SessionState;
}

const userEventsSignal = defineSignal<[UserEvents]>(USER_EVENTS_SIGNAL);
const sessionStateQuery = defineQuery<SessionState>(SESSION_STATE_QUERY);

/** Runs one session; closes when it is archived or deleted. */
export async function sessionWorkflow(input: SessionWorkflowInput): Promise<void> {
  const session = new SessionRun(input);
  // Both handlers are set before the first await: signals that started this run are delivered now.
  setHandler(userEventsSignal, (news) => session.receive(news));
  setHandler(sessionStateQuery, () => session.state);
  await session.run();
}

class SessionRun {
  state: SessionState;
  readonly #input: SessionWorkflowInput;
  readonly #ref: SessionRef;
  readonly #display: SessionDisplay;
  /** The step that an interrupt may cancel */
  #scope: CancellationScope | undefined;
  /** Calls that are being stopped behind the back of whatever runs */
  #stopping = 0;
  /** Brings the sandbox up beside the first model call */
  #provisioning: Promise<void> | undefined;

  constructor(input: SessionWorkflowInput) {
    const { sessionId, turn } = input.start;
    this.#input = input;
    this.#ref = { sessionId, threadId: input.threadId };
    this.state = input.state ?? newSessionState(turn);
    this.#display = new SessionDisplay(input);
  }

  receive(news: UserEvents): void {
    this.state = receive(this.state, news);
    // Cancelling the scope of a step that has ended does nothing.
    if (wantsInterrupt(this.state)) this.#scope?.cancel();
  }

  async run(): Promise<void> {
    for (;;) {
      const step = nextStep(this.state, this.#runFacts());
      this.#display.show(step, this.state);
      // No await between taking this step and continuing as new: a signal that arrives in the same
      // activation fails this workflow task and is seen by its repetition, so none is lost.
      if (step.kind === 'continue_as_new') {
        await continueAsNew<typeof sessionWorkflow>({ ...this.#input, state: this.state });
      }
      if (step.kind === 'terminate') return this.#release();
      const { phase } = this.state;
      const result = await this.#perform(step);
      this.state = apply(this.state, step, result);
      checkTransition(phase, step.kind, this.state.phase);
    }
  }

  // Not async, and each step one scope: every promise in workflow code costs the SDK a stack trace.
  #perform(step: Step): Promise<StepResult> {
    switch (step.kind) {
      case 'await_user':
        return this.#awaitUser();
      case 'call_model':
        return this.#cancellable(() => this.#callModel(step));
      case 'run_tools':
        return this.#cancellable(() => runTools(step.calls, this.#toolRun()));
      case 'go_idle':
        return this.#goIdle(step);
      default:
        throw new Error(`the step ${step.kind} is not performed here`);
    }
  }

  async #awaitUser(): Promise<StepResult> {
    const { messagesThrough } = this.state;
    await condition(
      () =>
        this.state.messagesThrough > messagesThrough ||
        wantsInterrupt(this.state) ||
        this.state.isEnded,
    );
    return { kind: 'woken' };
  }

  /** Runs a step that an interrupt stops; its activities commit what they had to close first. */
  #cancellable(work: () => Promise<StepResult>): Promise<StepResult> {
    this.#scope = new CancellationScope();
    return this.#scope.run(work).catch((error: unknown) => {
      if (isCancellation(error)) return { kind: 'interrupted' };
      throw error;
    });
  }

  async #callModel(step: Extract<Step, { kind: 'call_model' }>): Promise<StepResult> {
    if (this.#input.start.usesSandbox && this.state.host === null) void this.#provision();
    const { callModel } = proxyActivities<Activities>({
      ...modelOptions,
      summary: `model ${step.round} · ${this.#input.start.model}`,
    });
    try {
      return await callModel({ ...this.#ref, turn: step.turn, round: step.round });
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      return { kind: 'model_failed', errorType: modelErrorType(error) };
    }
  }

  async #goIdle(step: Extract<Step, { kind: 'go_idle' }>): Promise<StepResult> {
    const { commitStatus } = proxyActivities<Activities>({
      ...commitOptions,
      summary: `idle · ${step.reason.type}`,
    });
    const calls = step.calls.map(({ id }) => ({ id }));
    const { host } = this.state;
    const result = await commitStatus({
      ...this.#ref,
      ...(host === null ? {} : { host }),
      stepKey: `t${step.turn}.r${step.round}.idle.${step.reason.type}.${step.through}`,
      reason: step.reason,
      calls,
    });
    const mayRun = result.kind === 'went_idle' && result.mayRun === true;
    if (mayRun && host !== null) this.#cancelCalls(calls, host);
    return result;
  }

  /**
   * Stops calls that an interrupt may have left running on their machine, whenever that answers
   * again: its worker may be dead. Nobody waits for it: the session is idle meanwhile.
   */
  #cancelCalls(calls: { id: string }[], host: string): void {
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

  /** Starts bringing the sandbox up; errors are kept for the first tool call to meet. */
  #provision(): Promise<void> {
    this.#provisioning ??= CancellationScope.nonCancellable(async () => {
      const { provisionSandbox } = proxyActivities<Activities>({
        ...provisionOptions,
        taskQueue: ANY_HOST_TASK_QUEUE,
        summary: 'sandbox',
      });
      try {
        const { hostId } = await provisionSandbox(this.#ref);
        this.state = { ...this.state, host: hostId };
      } finally {
        this.#provisioning = undefined;
      }
    });
    // The failure is met by whoever awaits it; alone it must not fail the workflow task.
    this.#provisioning.catch(() => {});
    return this.#provisioning;
  }

  #toolRun(): ToolRun {
    return {
      ref: this.#ref,
      host: () => this.state.host,
      provision: () => this.#provision(),
      forgetHost: () => {
        this.state = { ...this.state, host: null };
      },
    };
  }

  async #release(): Promise<void> {
    if (this.#provisioning !== undefined) await this.#provisioning.catch(() => {});
    const { markReleased } = proxyActivities<Activities>(commitOptions);
    if (this.state.host !== null) {
      const { releaseSandbox } = proxyActivities<Activities>({
        ...releaseOptions,
        taskQueue: hostTaskQueue(this.state.host),
        summary: 'sandbox',
      });
      await releaseSandbox(this.#ref).catch(() => {});
    }
    await markReleased(this.#ref);
  }

  #runFacts(): RunFacts {
    const info = workflowInfo();
    const early = this.#input.settings.continueAsNewEvents;
    return {
      historyEvents: info.historyLength,
      isContinueSuggested: info.continueAsNewSuggested,
      isBusy: this.#provisioning !== undefined || this.#stopping > 0,
      idleEventsMax: early?.idle ?? CONTINUE_IDLE_EVENTS,
      stepEventsMax: early?.step ?? CONTINUE_STEP_EVENTS,
    };
  }
}
