// Results of tool calls as events: pure. Each kind of call has its kind of result, under an id that
// follows from the call's, so that whoever gives the result arrives at the same event.

import { type NewEvent, stepEvent } from '../../store/events.ts';

/** A call as far as its result must name it. */
export interface AnsweredCall {
  /** Id of the call's event */
  id: string;
  /** Type of the call's event; absent for `agent.tool_use` */
  type?: string;
  /** The provider's id of the tool use */
  toolUseId: string;
}

export interface CallResult {
  content: readonly unknown[];
  isError: boolean;
}

/** The result of a call. */
export function resultEvent(
  session: { sessionId: string; threadId: string },
  call: AnsweredCall,
  result: CallResult,
): NewEvent {
  const step = { sessionId: session.sessionId, threadId: session.threadId, key: call.id };
  const said = { content: result.content, is_error: result.isError };
  return stepEvent(step, 0, { ...named(call), ...said }, { tool_use_id: call.toolUseId });
}

/**
 * An error that the server gives in a tool's stead. Of a custom tool it is the result that its
 * client would have sent: no other event answers one, and the SDK's tool runner goes by it.
 */
export function errorResult(
  session: { sessionId: string; threadId: string },
  call: AnsweredCall,
  text: string,
): NewEvent {
  return resultEvent(session, call, { content: [{ type: 'text', text }], isError: true });
}

function named({ id, type }: AnsweredCall) {
  switch (type) {
    case 'agent.mcp_tool_use':
      return { type: 'agent.mcp_tool_result', mcp_tool_use_id: id };
    case 'agent.custom_tool_use':
      return { type: 'user.custom_tool_result', custom_tool_use_id: id };
    default:
      return { type: 'agent.tool_result', tool_use_id: id };
  }
}
