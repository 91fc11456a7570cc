// What each model does with effort: which levels it takes and at which it works of its own accord.
// An agent that names no effort is stored and run without one, and shown with its model's own,
// since answers always have one (behaviour.md 2). docs: build-with-claude/effort.

import type { BetaManagedAgentsModelConfig } from '@anthropic-ai/sdk/resources/beta/agents/agents';

/** Every level, lowest first. sdk 1.11.0: OutputConfig.effort. */
export const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

export interface EffortAbility {
  /** lowest first; none: the model refuses a request that names one */
  levels: readonly Effort[];
  /** the level of a request that names none */
  own: Effort;
}

const ALL: EffortAbility = { levels: EFFORTS, own: 'high' };
const ALL_FROM_MEDIUM: EffortAbility = { levels: EFFORTS, own: 'medium' };
const WITHOUT_XHIGH: EffortAbility = { levels: ['low', 'medium', 'high', 'max'], own: 'high' };
const UP_TO_HIGH: EffortAbility = { levels: ['low', 'medium', 'high'], own: 'high' };
const NONE: EffortAbility = { levels: [], own: 'high' };

/** By the beginning of the model id, first match wins; the last row is for newer models. */
const ABILITIES: readonly (readonly [string, EffortAbility])[] = [
  ['claude-haiku-4-5', NONE],
  ['claude-sonnet-4-5', NONE],
  ['claude-opus-4-5', UP_TO_HIGH],
  ['claude-sonnet-4-6', WITHOUT_XHIGH],
  ['claude-opus-4-6', WITHOUT_XHIGH],
  ['claude-mythos-preview', WITHOUT_XHIGH],
  ['claude-haiku-5-5', ALL_FROM_MEDIUM],
  ['claude-opus-5-5', ALL_FROM_MEDIUM],
  ['claude-', ALL],
];

/** What a model does with effort; undefined for a model that is not Claude: nobody can know. */
export function effortOf(modelId: string): EffortAbility | undefined {
  return ABILITIES.find(([prefix]) => modelId.startsWith(prefix))?.[1];
}

/** The agent as answers show it: with its model's own effort where it names none. */
export function withShownEffort<T extends { model: BetaManagedAgentsModelConfig }>(agent: T): T {
  const { id, effort, ...rest } = agent.model;
  const shown = effort ?? { type: effortOf(id)?.own ?? 'high' };
  return { ...agent, model: { id, effort: shown, ...rest } };
}
