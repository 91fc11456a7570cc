// What a web tool answers: blocks for the model, or a failure whose text begins with the documented
// code. Failures are thrown inside this folder and become results in one place (web-tools.ts).

import type * as sdk from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { storableText } from '../../protocol/text.ts';

/** A content block of `agent.tool_result`. */
export type ToolResultContent = NonNullable<
  sdk.BetaManagedAgentsAgentToolResultEvent['content']
>[number];

export interface WebOutcome {
  content: ToolResultContent[];
  isError: boolean;
  /** Searches that were made, as `usage.server_tool_use.web_search_requests` counts them */
  searches: number;
}

/** sdk 1.11.0: WebFetchToolResultErrorCode and WebSearchToolResultErrorCode. */
export type WebFailureCode =
  | 'invalid_tool_input'
  | 'url_too_long'
  | 'url_not_allowed'
  | 'url_not_in_prior_context'
  | 'url_not_accessible'
  | 'unsupported_content_type'
  | 'content_too_large'
  | 'query_too_long'
  | 'too_many_requests'
  | 'unavailable';

/** A call that failed in a way the model is told of; `reason` is a sentence without its stop. */
export class WebFailure extends Error {
  override readonly name = 'WebFailure';
  readonly code: WebFailureCode;

  constructor(code: WebFailureCode, reason: string) {
    super(`${code}: ${reason}`);
    this.code = code;
  }
}

/** The result of a call that failed. */
export function failureOutcome(failure: WebFailure): WebOutcome {
  const text = storableText(failure.message);
  return { content: [{ type: 'text', text }], isError: true, searches: 0 };
}
