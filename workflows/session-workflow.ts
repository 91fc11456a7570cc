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
import { SESSION_STATE_QUERY, USER_EVENTS_SIGNAL } from './messages.ts';
import { commitOptions, modelOptions } from './policies.ts';
import { SessionSandbox } from './session-sandbox.ts';
import * as machine from './session-state.ts';
import type { RunFacts, SessionState, Step, StepResult } from './session-state.ts';
import { checkTransition } from './transitions.ts';
import { modelErrorType, ToolCalls } from './tool-steps.ts';

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

/** The result of a model request that was given up; rethrows what is no failure of it. */
function modelFailed(error: unknown): StepResult {
  if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
  return { kind: 'model_failed', errorType: modelErrorType(error) };
}

class SessionRun {
  state: SessionState;
  readonly #input: SessionWorkflowInput;
  readonly #ref: SessionRef;
  readonly #display: SessionDisplay;
  readonly #sandbox: SessionSandbox;
  readonly #tools: ToolCalls;
  /** The step that an interrupt may cancel */
  #scope: CancellationScope | undefined;

  constructor(input: SessionWorkflowInput) {
    const { sessionId, turn } = input.start;
    this.#input = input;
    this.#ref = { sessionId, threadId: input.threadId };
    this.state = input.state ?? machine.newSessionState(turn);
    this.#display = new SessionDisplay(input);
    this.#sandbox = new SessionSandbox(this.#ref, {
      get: () => this.state.host,
      set: (host) => (this.state = { ...this.state, host }),
    });
    this.#tools = new ToolCalls(this.#ref, this.#sandbox);
  }

  receive(news: UserEvents): void {
    this.state = machine.receive(this.state, news);
    // Cancelling the scope of a step that has ended does nothing.
    if (machine.wantsInterrupt(this.state)) this.#scope?.cancel();
  }

  async run(): Promise<void> {
    for (;;) {
      const step = machine.nextStep(this.state, this.#runFacts());
      this.#display.show(step, this.state);
      // No await between taking this step and continuing as new: a signal that arrives in the same
      // activation fails this workflow task and is seen by its repetition, so none is lost.
      if (step.kind === 'continue_as_new') {
        await continueAsNew<typeof sessionWorkflow>({ ...this.#input, state: this.state });
      }
      if (step.kind === 'terminate') return this.#sandbox.release();
      const { phase } = this.state;
      const result = await this.#perform(step);
      this.state = machine.apply(this.state, step, result);
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
      case 'compact':
        return this.#cancellable(() => this.#compact(step));
      case 'run_tools':
        return this.#cancellable(() => this.#runTools(step));
      case 'read_answers':
        return this.#readAnswers(step);
      case 'go_idle':
        return this.#goIdle(step);
      default:
        throw new Error(`the step ${step.kind} is not performed here`);
    }
  }

  async #awaitUser(): Promise<StepResult> {
    const { messagesThrough, phase } = this.state;
    await condition(
      () =>
        this.state.messagesThrough > messagesThrough ||
        this.state.phase !== phase ||
        machine.hasNewAnswers(this.state) ||
        machine.wantsInterrupt(this.state) ||
        this.state.isEnded,
    );
    return { kind: 'woken' };
  }

  /**
   * Runs a step that an interrupt stops; its activities commit what they had to close first. Calls
   * that still run belong to the scope they were begun in.
   */
  #cancellable(work: () => Promise<StepResult>): Promise<StepResult> {
    if (this.#scope === undefined || !this.#tools.isBusy) this.#scope = new CancellationScope();
    return this.#scope.run(work).catch((error: unknown) => {
      if (isCancellation(error)) return { kind: 'interrupted' };
      throw error;
    });
  }

  async #callModel(step: Extract<Step, { kind: 'call_model' }>): Promise<StepResult> {
    if (this.#input.start.usesSandbox && this.state.host === null) void this.#sandbox.provision();
    const { callModel } = proxyActivities<Activities>({
      ...modelOptions,
      summary: `model ${step.round} · ${this.#input.start.model}`,
    });
    try {
      return await callModel(this.#modelCall(step));
    } catch (error) {
      return modelFailed(error);
    }
  }

  async #compact(step: Extract<Step, { kind: 'compact' }>): Promise<StepResult> {
    const { compactContext } = proxyActivities<Activities>({ ...modelOptions, summary: 'compact' });
    try {
      return await compactContext(this.#modelCall(step));
    } catch (error) {
      return modelFailed(error);
    }
  }

  #modelCall({ turn, round, compactions }: { turn: number; round: number; compactions: number }) {
    return { ...this.#ref, turn, round, ...(compactions === 0 ? {} : { compactions }) };
  }

  /** Where others of the round wait for clients, an answer is looked at while calls run. */
  #runTools(step: Extract<Step, { kind: 'run_tools' }>): Promise<StepResult> {
    if (!this.state.calls.some(machine.needsClient) && !this.#tools.isBusy) {
      return this.#tools.run(step.calls);
    }
    return this.#tools.runUntil(step.calls, () => machine.hasNewAnswers(this.state));
  }

  #readAnswers(step: Extract<Step, { kind: 'read_answers' }>): Promise<StepResult> {
    const { readAnswers } = proxyActivities<Activities>({ ...commitOptions, summary: 'answers' });
    const { through } = step;
    const stepKey = `t${step.turn}.r${step.round}.read.${through}`;
    return readAnswers({ ...this.#ref, stepKey, through });
  }

  async #goIdle(step: Extract<Step, { kind: 'go_idle' }>): Promise<StepResult> {
    await this.#tools.ended();
    const { commitStatus } = proxyActivities<Activities>({
      ...commitOptions,
      summary: `idle · ${step.reason.type}`,
    });
    const inSandbox = machine.callsInSandbox(step.calls);
    const calls = step.calls.map(({ id }) =>
      inSandbox.some((call) => call.id === id) ? { id } : { id, isElsewhere: true as const },
    );
    const { host } = this.state;
    const result = await commitStatus({
      ...this.#ref,
      ...(host === null ? {} : { host }),
      stepKey: `t${step.turn}.r${step.round}.idle.${step.reason.type}.${step.through}`,
      turn: step.turn,
      round: step.round,
      reason: step.reason,
      calls,
    });
    const mayRun = result.kind === 'went_idle' && result.mayRun === true;
    if (mayRun && host !== null) this.#sandbox.cancelCalls(inSandbox, host);
    return result;
  }

  #runFacts(): RunFacts {
    const info = workflowInfo();
    const early = this.#input.settings.continueAsNewEvents;
    return {
      historyEvents: info.historyLength,
      isContinueSuggested: info.continueAsNewSuggested,
      isBusy: this.#sandbox.isBusy || this.#tools.isBusy,
      idleEventsMax: early?.idle ?? CONTINUE_IDLE_EVENTS,
      stepEventsMax: early?.step ?? CONTINUE_STEP_EVENTS,
    };
  }
}
