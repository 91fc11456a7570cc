// What crosses the border between the API and a session workflow: where it starts, its one signal,
// its query and its queues. Ids, numbers and short previews only; bodies stay in the event log.

export const SESSION_WORKFLOW = 'sessionWorkflow';
export const USER_EVENTS_SIGNAL = 'userEvents';
export const SESSION_STATE_QUERY = 'state';
export const SESSION_TASK_QUEUE = 'holdfast';
/** Any machine that runs sandboxes */
export const ANY_HOST_TASK_QUEUE = 'holdfast-any-host';

/** The queue of the machine that holds a session's sandbox. */
export function hostTaskQueue(hostId: string): string {
  return `holdfast-host-${hostId}`;
}

/** Where a session workflow starts from; used only when no run is open. */
export interface SessionStart {
  sessionId: string;
  workspaceId: string;
  /** Number of the newest turn in the log, so that a new run never repeats a step key */
  turn: number;
  agentId: string;
  model: string;
  /** The agent has tools that run in a sandbox */
  usesSandbox: boolean;
  /** Title and agent's name for a person; absent where previews are off */
  shownAs?: string;
}

export interface SignalEvent {
  seq: number;
  id: string;
  type: string;
  /** First 200 characters of the text, for a person who reads the history */
  preview?: string;
}

/** The payload of the signal: a doorbell that names what is new. Repeating it is harmless. */
export interface UserEvents {
  events: SignalEvent[];
  /** The session was archived or deleted: release the sandbox and close */
  ended?: boolean;
  /** The budget that paused the session was raised or removed */
  resumed?: boolean;
}

/** What the API hands to the doorbell after a commit. */
export interface SessionSignal extends UserEvents {
  /** The names are for the title that a person sees, where previews are on */
  start: SessionStart & { agentName: string; title: string | null };
}

/** Settings that a run keeps until it continues as new. */
export interface SessionSettings {
  /** Off: no text of a client, a model or a command enters Temporal */
  previews: boolean;
  /** A test's switch: continue as new this early */
  continueAsNewEvents?: { idle: number; step: number };
}
