// Which endpoint serves a model id, with which key, and what the model can do. First match wins;
// the last route matches everything. Keys stay in here and in the client: a route can be logged
// without.

import { type Effort, effortOf } from '../../protocol/effort.ts';
import { MODEL_OUTPUT_TOKENS_MAX } from '../../protocol/limits.ts';

export interface ModelRoute {
  /** Model id, or a prefix ending in `*` */
  model: string;
  baseUrl: string;
  apiKey: string;
  /** Our scripted model: it is told the attempt, which `# fail` counts by */
  isScripted: boolean;
}

export interface ModelAbilities {
  /** `adaptive`: the model decides; `budget`: a fixed allowance of tokens; `none`: not offered */
  thinking: 'adaptive' | 'budget' | 'none';
  /** levels that a request may name */
  efforts: readonly Effort[];
  outputTokensMax: number;
}

/** The route of a model id; throws when a table without a catch-all has none. */
export function findRoute(routes: readonly ModelRoute[], modelId: string): ModelRoute {
  const found = routes.find((route) => isMatch(route.model, modelId));
  if (found === undefined) throw new Error(`no route serves the model ${modelId}`);
  return found;
}

/** What a model of this id can do; unknown families get the plainest request. */
export function abilitiesOf(modelId: string): ModelAbilities {
  return {
    thinking: THINKING.find(([prefix]) => modelId.startsWith(prefix))?.[1] ?? 'none',
    efforts: effortOf(modelId)?.levels ?? [],
    outputTokensMax: MODEL_OUTPUT_TOKENS_MAX,
  };
}

// Extended thinking is on by default (behaviour 6.9); the 4.5 family takes a budget, later ones
// decide.
const THINKING: readonly (readonly [string, ModelAbilities['thinking']])[] = [
  ['claude-haiku-4-5', 'budget'],
  ['claude-sonnet-4-5', 'budget'],
  ['claude-opus-4-5', 'budget'],
  ['claude-', 'adaptive'],
];

function isMatch(pattern: string, modelId: string): boolean {
  return pattern.endsWith('*') ? modelId.startsWith(pattern.slice(0, -1)) : modelId === pattern;
}
