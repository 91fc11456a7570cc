// What Temporal has been told about a session: every event of every run of its workflow, with all
// payloads decoded, and what a person reads about it in the UI. For tests that hold histories to
// their promises: small, readable, and without a word of what was said.

import { Client, Connection } from '@temporalio/client';

export interface HistoryEvent {
  /** as Temporal names it, `ACTIVITY_TASK_SCHEDULED` for instance */
  type: string;
  /** everything in it as text: payloads, failures, headers, summaries */
  text: string;
  /** the summary that the UI shows; empty where there is none */
  summary: string;
  /** type of the scheduled activity or local activity; empty for other events */
  activity: string;
}

export interface WorkflowFacts {
  status: string;
  /** the line under which a list of workflows shows it */
  staticSummary: string;
  /** the details pane, markdown */
  currentDetails: string;
  searchAttributes: Record<string, unknown>;
  historyLength: number;
}

/** An activity that runs or waits for its next attempt, as the UI shows it. */
export interface PendingActivity {
  activity: string;
  /** number of the attempt that runs or comes next */
  attempt: number;
  /** type and text of the last failure; null where there was none */
  failure: { type: string; message: string } | null;
  /** when the next attempt is due, ms since 1970; null while one runs */
  nextAttemptAt: number | null;
}

export class TemporalHistory {
  readonly #connection: Connection;
  readonly #client: Client;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#client = new Client({ connection });
  }

  static async open(address: string): Promise<TemporalHistory> {
    return new TemporalHistory(await Connection.connect({ address }));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Every event of every run, oldest run first. */
  async events(workflowId: string): Promise<HistoryEvent[]> {
    const runs: { runId: string; startTime: Date }[] = [];
    const query = `WorkflowId = '${workflowId}'`;
    for await (const run of this.#client.workflow.list({ query })) runs.push(run);
    const current = await this.#client.workflow.getHandle(workflowId).describe();
    // The newest run may not be visible to queries yet.
    if (!runs.some(({ runId }) => runId === current.runId)) runs.push(current);
    runs.sort((left, right) => left.startTime.getTime() - right.startTime.getTime());
    const events: HistoryEvent[] = [];
    for (const { runId } of runs) {
      const history = await this.#client.workflow.getHandle(workflowId, runId).fetchHistory();
      for (const event of history.events ?? []) events.push(read(event));
    }
    return events;
  }

  /** Ids of all workflows there are, in any state. */
  async workflowIds(): Promise<string[]> {
    const ids = new Set<string>();
    for await (const run of this.#client.workflow.list()) ids.add(run.workflowId);
    return [...ids];
  }

  /** What a workflow waits for from its workers. */
  async pendingActivities(workflowId: string): Promise<PendingActivity[]> {
    const { raw } = await this.#client.workflow.getHandle(workflowId).describe();
    return (raw.pendingActivities ?? []).map((pending) => {
      const { lastFailure, nextAttemptScheduleTime: next } = pending;
      const type = lastFailure?.applicationFailureInfo?.type ?? '';
      return {
        activity: pending.activityType?.name ?? '',
        attempt: pending.attempt ?? 0,
        failure: lastFailure == null ? null : { type, message: lastFailure.message ?? '' },
        nextAttemptAt: next == null ? null : Number(next.seconds) * 1000,
      };
    });
  }

  async facts(workflowId: string): Promise<WorkflowFacts> {
    const handle = this.#client.workflow.getHandle(workflowId);
    const description = await handle.describe();
    const metadata = await handle.query<{ currentDetails?: string }>(
      '__temporal_workflow_metadata',
    );
    const attributes = description.typedSearchAttributes.getAll();
    return {
      status: description.status.name,
      staticSummary: (await description.staticSummary()) ?? '',
      currentDetails: metadata.currentDetails ?? '',
      searchAttributes: Object.fromEntries(
        attributes.map(({ key, value }) => [key.name, value as unknown]),
      ),
      historyLength: description.historyLength,
    };
  }
}

const TYPE_PREFIX = 'EVENT_TYPE_';

function read(event: object): HistoryEvent {
  const record = event as {
    eventType?: number | string;
    userMetadata?: { summary?: unknown } | null;
    activityTaskScheduledEventAttributes?: { activityType?: { name?: string } } | null;
    markerRecordedEventAttributes?: { markerName?: string } | null;
  };
  const text = textOf(event);
  const local = /"activity_type":"(\w+)"/.exec(text)?.[1];
  return {
    type: typeName(record),
    text,
    summary: summaryOf(textOf(record.userMetadata?.summary ?? '')),
    activity: record.activityTaskScheduledEventAttributes?.activityType?.name ?? local ?? '',
  };
}

/** A summary is a payload of its own: one JSON text. */
function summaryOf(payload: string): string {
  const text = payload.trim();
  return text === '' ? '' : (JSON.parse(text) as string);
}

/** The name of the attributes that are set says what the event is. */
function typeName(event: { eventType?: number | string }): string {
  if (typeof event.eventType === 'string') return event.eventType.replace(TYPE_PREFIX, '');
  const attributes = Object.entries(event).find(
    ([name, value]) => name.endsWith('EventAttributes') && value != null,
  );
  const words = attributes?.[0].replace('EventAttributes', '') ?? 'unknown';
  return words.replaceAll(/([A-Z])/g, '_$1').toUpperCase();
}

/** Every text in a value at any depth, bytes read as UTF-8, one a line. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return '';
  const entries: [string, unknown][] = Object.entries(value);
  return entries
    .flatMap(([name, each]) => {
      const text = textOf(each);
      // Metadata of payloads and numbers of the protocol say nothing about what was said.
      return text === '' || name === 'encoding' ? [] : [text];
    })
    .join('\n');
}
