// Usage, cost and budgets of sessions and threads, as responses and events carry them. Money is
// whole cents as text, so that no rounding of floats ever touches it.

import * as z from 'zod';
import { BUDGET_AMOUNT_DIGITS_MAX } from './field-limits.ts';

/** sdk 1.11.0: BetaMonetaryAmount: whole cents as text, no leading zero. */
const money = z.strictObject({ amount: z.string(), currency: z.literal('USD') });

const amount = z
  .string()
  .regex(
    new RegExp(`^[1-9]\\d{0,${BUDGET_AMOUNT_DIGITS_MAX - 1}}$`),
    'expected whole cents above zero as a string, without leading zeros',
  );

/** Shape of `budget` in a request. docs: managed-agents/budgets. */
export const budgetRequest = z.strictObject({
  type: z.literal('limit'),
  max_list_cost: z.strictObject({ amount, currency: z.literal('USD') }),
});

/** Shape of `budget` in a response. */
export const budgetShape = z.strictObject({ type: z.literal('limit'), max_list_cost: money });

const tokens = {
  active_seconds: z.number().optional(),
  cache_creation: z
    .strictObject({
      ephemeral_1h_input_tokens: z.number().optional(),
      ephemeral_5m_input_tokens: z.number().optional(),
    })
    .optional(),
  cache_read_input_tokens: z.number().optional(),
  input_tokens: z.number().optional(),
  output_tokens: z.number().optional(),
};
const serverToolUse = z.strictObject({
  web_fetch_requests: z.number().optional(),
  web_search_requests: z.number().optional(),
});

/** Shape of `usage` of a session or a thread. */
export const usageShape = z.strictObject({
  ...tokens,
  list_cost: money.nullable().optional(),
  server_tool_use: serverToolUse.nullable().optional(),
});

/** Shape of `usage` in a `session.usage` event, where nothing is null. */
export const usageSnapshot = z.strictObject({
  ...tokens,
  list_cost: money.optional(),
  server_tool_use: serverToolUse.optional(),
});

/** Shape of `model_usage` of one model request. */
export const modelUsage = z.strictObject({
  cache_creation_input_tokens: z.number(),
  cache_read_input_tokens: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  speed: z.enum(['standard', 'fast']).nullable().optional(),
});
