// What a workflow hands to an activity and what it gets back. Ids, numbers and short previews only:
// message bodies and tool outputs stay in the event log, so that Temporal payloads stay tiny.

/** What names a session in every activity's argument. */
export interface SessionRef {
  sessionId: string;
  threadId: string;
}

/** A tool call of the current round that has no result in the log yet. */
export interface PendingCall {
  /** Id of the agent.tool_use event */
  id: string;
  name: string;
  answeredBy: 'sandbox' | 'web' | 'mcp' | 'client';
  /** What a client must send before the call can go on; absent once nothing stands in its way */
  needs?: 'confirmation' | 'result';
  /** Making the call twice does no harm; only said of calls that no sandbox journals */
  isRepeatable?: true;
  /** First characters of the command, for the history; absent when previews are off */
  summary?: string;
}

/** Why a turn that the model did not end by itself goes idle. */
export type IdleReason =
  | { type: 'interrupt'; isParked?: boolean }
  | { type: 'tool_use_limit' }
  /** Calls wait for clients */
  | { type: 'requires_action' }
  | { type: 'budget_reached' }
  /** Too many compactions in a row */
  | { type: 'compaction_limit' }
  /** Only the type: what the endpoint said may quote the conversation, so it stays in the log */
  | { type: 'model_failed'; errorType: string };

/** What a finished append reports about the inbox; see StepOutcome in store/events.ts. */
export interface InboxReport {
  seq: number;
  /** True or absent, like all of these: a history holds a thousand of them */
  idle?: true;
  messagesThrough?: number;
  interruptsThrough?: number;
  answersThrough?: number;
}

export interface CallModelInput extends SessionRef {
  turn: number;
  round: number;
  /** Compactions since the last reply; absent where there was none */
  compactions?: number;
}

export type CallModelResult =
  | ({
      kind: 'replied';
      calls?: PendingCall[];
      consumedThrough?: number;
      /** Read, cache included, and written */
      tokens: [number, number];
      /** The conversation is to be compacted before the next call */
      isFull?: true;
    } & InboxReport)
  /** Cancelled; what it left open is closed by commitStatus */
  | { kind: 'interrupted' }
  /** A turn was to start, but everything had been read already (a repeated doorbell) */
  | { kind: 'nothing_new'; seq: number }
  /** The cap is reached, or the session's own limit of rounds: no request was made */
  | { kind: 'budget_reached' | 'rounds_reached' }
  /** The conversation is too long for the model */
  | { kind: 'overflowed' }
  /** The log refused: the session was archived or deleted */
  | { kind: 'ended' };

export type CompactContextResult =
  | { kind: 'compacted'; tokens: [number, number] }
  | { kind: 'interrupted' | 'budget_reached' | 'ended' };

export interface RunToolInput extends SessionRef {
  /** Id of the agent.tool_use event; the sandbox knows the call by it */
  callId: string;
}

/** Whether the call has its result in the log now. */
export interface RunToolResult {
  isAnswered: boolean;
}

export interface ReadAnswersInput extends SessionRef {
  stepKey: string;
  /** Newest answer that we were told of */
  through: number;
}

export type ReadAnswersResult =
  | ({
      kind: 'answers_read';
      /** Calls that wait no longer, and why: they may run, or their result is in the log */
      resolved: { id: string; how: 'allow' | 'deny' | 'result' }[];
      through: number;
    } & InboxReport)
  | { kind: 'ended' };

export interface CommitStatusInput extends SessionRef {
  stepKey: string;
  turn: number;
  round: number;
  reason: IdleReason;
  /** Calls that may lack a result; each gets an error result, unless they are waited for */
  calls: { id: string; isElsewhere?: true }[];
  /** Machine that holds the sandbox; absent before it is up */
  host?: string;
}

export type CommitStatusResult =
  | ({
      kind: 'went_idle';
      /** The calls are not known to be gone: their sandbox is elsewhere, or hard to reach */
      mayRun?: true;
    } & InboxReport)
  | { kind: 'ended' };

export interface AnswerCallsInput extends SessionRef {
  calls: { id: string }[];
  /** What the model is told; its text is made in the activity, so that none enters a history */
  reason: 'interrupted' | 'host_lost' | 'sandbox_failed' | 'call_lost';
}

export interface CancelCallsInput extends SessionRef {
  calls: { id: string }[];
}

export interface HostInput {
  hostId: string;
}
