// What the server may answer, in the official SDK's own types: one member a kind of answer.
// generate.ts turns this interface into wire.schema.json, against which the tests hold every answer
// and event. Add a member here when a resource gets its first route, then run generate.ts.

import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  BetaEnvironment,
  BetaEnvironmentDeleteResponse,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { BetaModelInfo } from '@anthropic-ai/sdk/resources/beta/models';
import type {
  BetaManagedAgentsSendSessionEvents,
  BetaManagedAgentsSessionEvent,
  BetaManagedAgentsStreamSessionEvents,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type {
  BetaManagedAgentsDeletedSession,
  BetaManagedAgentsSession,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type {
  BetaManagedAgentsSessionThread,
  BetaManagedAgentsStreamSessionThreadEvents,
} from '@anthropic-ai/sdk/resources/beta/sessions/threads';
import type { ErrorType } from '@anthropic-ai/sdk/resources/shared';

// sdk 1.11.0: PageCursorResponse and BidirectionalPageCursorResponse
interface Page<Item> {
  data: Item[];
  next_page: string | null;
}

interface TwoWayPage<Item> extends Page<Item> {
  prev_page: string | null;
}

// sdk 1.11.0: PageResponse
interface IdPage<Item> {
  data: Item[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

// docs: api/errors. The SDK's ErrorType leaves out the type that goes with 413.
interface ErrorBody {
  type: 'error';
  error: {
    type: ErrorType | 'request_too_large';
    message: string;
    details?: { error_code?: string };
  };
  request_id: string;
}

export interface Wire {
  agent: BetaManagedAgentsAgent;
  agentPage: Page<BetaManagedAgentsAgent>;
  deletedEnvironment: BetaEnvironmentDeleteResponse;
  deletedSession: BetaManagedAgentsDeletedSession;
  environment: BetaEnvironment;
  environmentPage: Page<BetaEnvironment>;
  error: ErrorBody;
  eventPage: Page<BetaManagedAgentsSessionEvent>;
  model: BetaModelInfo;
  modelPage: IdPage<BetaModelInfo>;
  sentEvents: BetaManagedAgentsSendSessionEvents;
  session: BetaManagedAgentsSession;
  sessionPage: TwoWayPage<BetaManagedAgentsSession>;
  streamEvent: BetaManagedAgentsStreamSessionEvents;
  thread: BetaManagedAgentsSessionThread;
  threadPage: Page<BetaManagedAgentsSessionThread>;
  threadStreamEvent: BetaManagedAgentsStreamSessionThreadEvents;
}

export type WireKind = keyof Wire;
