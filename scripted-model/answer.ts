// Decides what a checked request is answered with: a verdict, a summary, or the next reply of its
// program, none longer than there is room for. Pure.

import { COMPACTION_MARKER, JUDGE_MARKER, SCRIPTED_WINDOW_TOKENS } from '../protocol/limits.ts';
import { readConversation } from './conversation.ts';
import { judge } from './judge.ts';
import { askedBelow } from './markers.ts';
import { fitOutput } from './output-limit.ts';
import { planReply, planSummary, type ReplyPlan } from './reply.ts';
import { RequestError } from './request-error.ts';
import type { MessagesRequest } from './request.ts';
import { isWebSearch } from './web-search.ts';

/** Plans the answer; throws a `RequestError` where the prompt does not fit the context window. */
export function planAnswer(
  asked: MessagesRequest,
  { promptTokens, attempt }: { promptTokens: number; attempt: number },
): ReplyPlan {
  const { messages, tools = [], max_tokens: outputTokens } = asked;
  const conversation = readConversation(messages);
  const windowTokens = conversation.windowTokens ?? SCRIPTED_WINDOW_TOKENS;
  if (promptTokens > windowTokens) {
    // The upstream's own words: callers know a full window by them alone.
    const sizes = `${promptTokens} tokens > ${windowTokens} maximum`;
    throw new RequestError(400, `prompt is too long: ${sizes}`);
  }
  const room = { outputTokens, windowTokens: windowTokens - promptTokens };
  const toJudge = askedBelow(messages, JUDGE_MARKER);
  if (toJudge !== undefined) return fitOutput(judge(toJudge), room);
  if (askedBelow(messages, COMPACTION_MARKER) !== undefined) {
    return fitOutput(planSummary(conversation), room);
  }
  const plan = planReply(conversation, {
    attempt,
    toolNames: tools.flatMap(({ name }) => name ?? []),
    hasWebSearch: tools.some(isWebSearch),
    isThinkingAllowed: asked.thinking?.type !== 'disabled',
  });
  return fitOutput(plan, room);
}
