// What one model request used and what that costs at list price: pure. The price is that of the
// model the session asked for, by the terms that the answer was served under.

import { addDollars, requestCost } from '../../protocol/models/list-cost.ts';
import type { ModelCatalog } from '../../protocol/models/model-catalog.ts';
import type { TokenUsage } from '../../store/events.ts';
import type { ModelMessage } from './anthropic.ts';

/** Usage of a reply as the session's counters take it; without cost where no price is known. */
export function pricedUsage(
  models: ModelCatalog,
  modelId: string,
  { usage }: Pick<ModelMessage, 'usage'>,
): TokenUsage {
  const tokens = tokenUsage(usage);
  const price = models.find(modelId)?.price ?? null;
  if (price === null) return tokens;
  const { speed, inference_geo } = usage as { speed?: string; inference_geo?: string };
  const cost = requestCost(price, tokens, { speed, inference_geo });
  return { ...tokens, cost, price_version: price.version };
}

function tokenUsage(usage: ModelMessage['usage']) {
  const written = usage.cache_creation_input_tokens ?? 0;
  const oneHour = usage.cache_creation?.ephemeral_1h_input_tokens ?? 0;
  const searches = usage.server_tool_use?.web_search_requests ?? 0;
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
    cache_creation_5m_tokens: written - oneHour,
    cache_creation_1h_tokens: oneHour,
    ...(searches === 0 ? {} : { web_searches: searches }),
  };
}

/** Several usages as one; the cost of the whole is unknown where that of a part is. */
export function addUsage(first: TokenUsage, ...others: readonly TokenUsage[]): TokenUsage {
  return others.reduce((sum, each) => {
    const { cost: _, ...tokens } = sum;
    const isPriced = sum.cost !== undefined && each.cost !== undefined;
    return {
      ...tokens,
      input_tokens: sum.input_tokens + each.input_tokens,
      output_tokens: sum.output_tokens + each.output_tokens,
      cache_read_input_tokens: sum.cache_read_input_tokens + each.cache_read_input_tokens,
      cache_creation_5m_tokens: sum.cache_creation_5m_tokens + each.cache_creation_5m_tokens,
      cache_creation_1h_tokens: sum.cache_creation_1h_tokens + each.cache_creation_1h_tokens,
      ...(isPriced ? { cost: addDollars(sum.cost!, each.cost!) } : {}),
    };
  }, first);
}
