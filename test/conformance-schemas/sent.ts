// What a client may send, in the official SDK's own types: one member a kind of body, and one event
// of a send. generate.ts turns this interface into sent.schema.json, against which the tests hold
// every body that the official client sent and the server accepted.

import type {
  AgentCreateParams,
  AgentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  EnvironmentCreateParams,
  EnvironmentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type {
  BetaManagedAgentsEventParams,
  EventSendParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type {
  SessionCreateParams,
  SessionUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

// These two of a call's parameters travel as headers.
type Body<Params> = Omit<Params, 'betas' | 'workspace_id'>;

export interface Sent {
  createAgent: Body<AgentCreateParams>;
  createEnvironment: Body<EnvironmentCreateParams>;
  createSession: Body<SessionCreateParams>;
  event: BetaManagedAgentsEventParams;
  sendEvents: Body<EventSendParams>;
  updateAgent: Body<AgentUpdateParams>;
  updateEnvironment: Body<EnvironmentUpdateParams>;
  updateSession: Body<SessionUpdateParams>;
}

export type SentKind = keyof Sent;
