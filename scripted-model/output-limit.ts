// Ends a reply where there is no more room for it: at the request's output limit or at the end of
// the model's context window, whichever comes first.

import { CHARS_PER_TOKEN } from './prompt.ts';
import type { ReplyPlan, ReplyStep } from './reply.ts';
import { stepTokens } from './usage.ts';

/** Drops what does not fit: text is cut, a call, a search or a thought is left out whole. */
export function fitOutput(
  plan: ReplyPlan,
  room: { outputTokens: number; windowTokens: number },
): ReplyPlan {
  let left = Math.min(room.outputTokens, room.windowTokens);
  const steps: ReplyStep[] = [];
  for (const step of plan.steps) {
    const tokens = stepTokens(step);
    if (tokens <= left) {
      left -= tokens;
      steps.push(step);
      continue;
    }
    if (step.kind === 'text') steps.push(...cutText(step, left));
    const isWindow = room.windowTokens < room.outputTokens;
    const stopReason = isWindow ? 'model_context_window_exceeded' : 'max_tokens';
    return { ...plan, steps, stopReason };
  }
  return { ...plan, steps };
}

function cutText(step: Extract<ReplyStep, { kind: 'text' }>, tokens: number): ReplyStep[] {
  const deltas: string[] = [];
  let room = tokens * CHARS_PER_TOKEN;
  for (const delta of step.deltas) {
    if (room <= 0) break;
    deltas.push(delta.slice(0, room));
    room -= delta.length;
  }
  return deltas.join('').trim() === '' ? [] : [{ ...step, deltas }];
}
