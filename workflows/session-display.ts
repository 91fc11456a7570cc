// What a person sees of a session in the Temporal UI: the details pane (status, turn, round, the
// last steps) and the search attributes. It reads the state and never changes it; with previews off
// it shows names and numbers only.

import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { PendingCall } from '../activities/messages.ts';
import type { SessionSettings, SessionStart } from './messages.ts';
import type { SessionState, Step } from './session-state.ts';

const STATUS = defineSearchAttributeKey('HoldfastStatus', SearchAttributeType.KEYWORD);
const STEPS_SHOWN = 5;

export class SessionDisplay {
  readonly #start: SessionStart;
  readonly #steps: string[] = [];
  #status: string | undefined;

  constructor(input: { start: SessionStart; settings: SessionSettings }) {
    this.#start = input.start;
    // A run is started with a status, and one that continues another has that one's.
    this.#status = workflowInfo().typedSearchAttributes.get(STATUS);
  }

  show(step: Step, state: SessionState): void {
    const status = statusDuring(step);
    if (status !== undefined && status !== this.#status) {
      this.#status = status;
      // Only here, at the edges: each upsert is a history event and a write of Temporal's list.
      upsertSearchAttributes([{ key: STATUS, value: status }]);
    }
    const line = describe(step);
    if (line !== undefined) {
      this.#steps.push(line);
      if (this.#steps.length > STEPS_SHOWN) this.#steps.shift();
    }
    // A step says where it stands; the state follows only when it is done.
    const { turn, round } = 'turn' in step ? step : state;
    setCurrentDetails(
      [
        // A run that continued another has no summary of its own: the title stands here too.
        ...(this.#start.shownAs === undefined ? [] : [`### ${this.#start.shownAs}`, '']),
        `**${this.#status}** · turn ${turn} · round ${round}`,
        `- ${state.tokensIn} tokens in, ${state.tokensOut} out`,
        `- session \`${this.#start.sessionId}\` · \`GET /v1/sessions/${this.#start.sessionId}\``,
        `- agent \`${this.#start.agentId}\``,
        `- sandbox ${state.host === null ? 'not needed yet' : `on host \`${state.host}\``}`,
        '',
        'Last steps:',
        ...this.#steps.map((text) => `1. ${text}`),
      ].join('\n'),
    );
  }
}

function statusDuring(step: Step): string | undefined {
  switch (step.kind) {
    case 'call_model':
    case 'compact':
    case 'run_tools':
      return 'running';
    case 'await_user':
      return 'idle';
    case 'terminate':
      return 'terminated';
    default:
      return undefined;
  }
}

function describe(step: Step): string | undefined {
  switch (step.kind) {
    case 'call_model':
      return `model ${step.turn}.${step.round}`;
    case 'compact':
      return 'compact';
    case 'run_tools':
      return step.calls.map(describeCall).join(', ');
    case 'go_idle':
      return `idle: ${step.reason.type}`;
    default:
      return undefined;
  }
}

function describeCall(call: PendingCall): string {
  return call.summary === undefined ? call.name : `\`${call.summary.replaceAll('`', "'")}\``;
}
