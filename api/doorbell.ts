// Rings a session's workflow after a commit: one signal, starting the workflow where none is open.
// It never throws and nobody waits for it: what it could not deliver, the relay rings for again.

import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { Logger } from 'pino';
import { primaryThreadId } from '../protocol/ids.ts';
import { SIGNAL_PREVIEW_CHARS_MAX, WORKFLOW_TASK_TIMEOUT_MS } from '../protocol/limits.ts';
import type {
  SessionSettings,
  SessionSignal,
  SessionStart,
  UserEvents,
} from '../workflows/messages.ts';
import { SESSION_TASK_QUEUE, SESSION_WORKFLOW, USER_EVENTS_SIGNAL } from '../workflows/messages.ts';

export interface Doorbell {
  /** Resolves with whether Temporal has taken the signal; never rejects */
  ring(sessionId: string, signal: SessionSignal): Promise<boolean>;
  /** Waits for the bells that are under way, for a clean shutdown */
  settled(): Promise<void>;
}

const STATUS = defineSearchAttributeKey('HoldfastStatus', SearchAttributeType.KEYWORD);
const AGENT = defineSearchAttributeKey('HoldfastAgent', SearchAttributeType.KEYWORD);
const WORKSPACE = defineSearchAttributeKey('HoldfastWorkspace', SearchAttributeType.KEYWORD);

/**
 * A doorbell over a Temporal client; `settings` go to the workflows it starts, `hidden` are the
 * values that no history may show.
 */
export function createDoorbell(
  client: Client,
  settings: SessionSettings,
  guard: { log: Logger; hidden: readonly string[] },
): Doorbell {
  const underWay = new Set<Promise<boolean>>();
  return {
    ring(sessionId, signal) {
      const shown = shownSignal(signal, settings.previews, guard.hidden);
      const bell = deliver(client, settings, shown).then(
        () => true,
        (error: unknown) => {
          guard.log.warn(
            { session: sessionId, err: error },
            'the doorbell was not heard; it rings again',
          );
          return false;
        },
      );
      underWay.add(bell);
      void bell.finally(() => underWay.delete(bell));
      return bell;
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}

interface ShownSignal {
  start: SessionStart;
  news: UserEvents;
  /** One line for the list of workflows */
  summary: string;
}

async function deliver(
  client: Client,
  settings: SessionSettings,
  { start, news, summary }: ShownSignal,
): Promise<void> {
  const { sessionId } = start;
  // A session that had a turn has an open run, and a signal alone is the cheaper request.
  if (start.turn > 0 && (await signalOpenRun(client, sessionId, news))) return;
  await client.workflow.signalWithStart(SESSION_WORKFLOW, {
    workflowId: sessionId,
    taskQueue: SESSION_TASK_QUEUE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
    signal: USER_EVENTS_SIGNAL,
    signalArgs: [news],
    args: [{ start, threadId: primaryThreadId(sessionId), settings }],
    staticSummary: summary,
    typedSearchAttributes: [
      { key: STATUS, value: 'running' },
      { key: AGENT, value: start.agentId },
      { key: WORKSPACE, value: start.workspaceId },
    ],
  });
}

/** False where no run is open: the session was never rung for, or Temporal has forgotten it. */
async function signalOpenRun(
  client: Client,
  sessionId: string,
  news: UserEvents,
): Promise<boolean> {
  try {
    await client.workflow.getHandle(sessionId).signal(USER_EVENTS_SIGNAL, news);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/**
 * What of a signal may enter Temporal: ids, and with previews the title, the agent's name and the
 * beginning of each message, all without the secrets this server knows.
 */
function shownSignal(
  signal: SessionSignal,
  previews: boolean,
  hidden: readonly string[],
): ShownSignal {
  const { agentName, title, ...start } = signal.start;
  // Redacted before it is cut, or half a secret would survive at the cut.
  const shown = (text: string): string =>
    hidden
      .reduce((clean, secret) => clean.replaceAll(secret, '[redacted]'), text)
      .slice(0, SIGNAL_PREVIEW_CHARS_MAX)
      .toWellFormed();
  const events = signal.events.map(({ seq, id, type, preview }) =>
    previews && preview !== undefined
      ? { seq, id, type, preview: shown(preview) }
      : { seq, id, type },
  );
  const shownAs = shown(`${title ?? start.sessionId} · ${agentName}`);
  return {
    start: previews ? { ...start, shownAs } : start,
    news: {
      events,
      ...(signal.ended === true ? { ended: true } : {}),
      ...(signal.resumed === true ? { resumed: true } : {}),
    },
    summary: previews ? shownAs : `${start.sessionId} · ${start.agentId}`,
  };
}
