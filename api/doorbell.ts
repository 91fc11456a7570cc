// Rings a session's workflow after a commit: one signal, starting the workflow where none is open.
// It never throws and nobody waits for it: what it could not deliver, the relay rings for again.

import type { Client } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { Logger } from 'pino';
import { primaryThreadId } from '../protocol/ids.ts';
import { WORKFLOW_TASK_TIMEOUT_MS } from '../protocol/limits.ts';
import type { SessionSettings, SessionSignal, UserEvents } from '../workflows/messages.ts';
import { SESSION_TASK_QUEUE, SESSION_WORKFLOW, USER_EVENTS_SIGNAL } from '../workflows/messages.ts';

export interface Doorbell {
  ring(sessionId: string, signal: SessionSignal): void;
  /** Waits for the bells that are under way, for a clean shutdown */
  settled(): Promise<void>;
}

const STATUS = defineSearchAttributeKey('HoldfastStatus', SearchAttributeType.KEYWORD);
const AGENT = defineSearchAttributeKey('HoldfastAgent', SearchAttributeType.KEYWORD);
const WORKSPACE = defineSearchAttributeKey('HoldfastWorkspace', SearchAttributeType.KEYWORD);

/** A doorbell over a Temporal client; `settings` go to the workflows it starts. */
export function createDoorbell(client: Client, settings: SessionSettings, log: Logger): Doorbell {
  const underWay = new Set<Promise<void>>();
  return {
    ring(sessionId, signal) {
      const bell = deliver(client, settings, sessionId, signal).catch((error: unknown) => {
        log.warn({ session: sessionId, err: error }, 'the doorbell was not heard; it rings again');
      });
      underWay.add(bell);
      void bell.finally(() => underWay.delete(bell));
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}

async function deliver(
  client: Client,
  settings: SessionSettings,
  sessionId: string,
  signal: SessionSignal,
): Promise<void> {
  const { start } = signal;
  const title = settings.previews && start.title !== null ? start.title : sessionId;
  await client.workflow.signalWithStart(SESSION_WORKFLOW, {
    workflowId: sessionId,
    taskQueue: SESSION_TASK_QUEUE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
    signal: USER_EVENTS_SIGNAL,
    signalArgs: [userEvents(signal, settings.previews)],
    args: [
      {
        start: { ...start, title: null },
        threadId: primaryThreadId(sessionId),
        settings,
      },
    ],
    staticSummary: `${title} · ${settings.previews ? start.agentName : start.agentId}`,
    typedSearchAttributes: [
      { key: STATUS, value: 'running' },
      { key: AGENT, value: start.agentId },
      { key: WORKSPACE, value: start.workspaceId },
    ],
  });
}

function userEvents(signal: SessionSignal, previews: boolean): UserEvents {
  const events = previews
    ? signal.events
    : signal.events.map(({ seq, id, type }) => ({ seq, id, type }));
  return signal.ended === true ? { events, ended: true } : { events };
}
