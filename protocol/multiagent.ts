// Multiagent configuration of agents and sessions: shapes only, held against the SDK so that stored
// and typed bodies agree. Nothing here runs yet (not-yet.ts refuses it in requests).

import * as z from 'zod';
import { textOf } from './fields.ts';
import { MODEL_ID_CHARS_MAX, MULTIAGENT_ENTRIES_MAX } from './field-limits.ts';
import { ID_CHARS_MAX } from './limits.ts';

const typed = <T extends string>(type: T) => z.strictObject({ type: z.literal(type) });
const disabled = typed('disabled');
const onOrOff = z.discriminatedUnion('type', [typed('enabled'), disabled]);

/** Shape of a reference to an agent; without `version` the newest is meant. */
export const agentParams = z.strictObject({
  type: z.literal('agent'),
  id: textOf(ID_CHARS_MAX, 1),
  version: z.int().min(1).optional(),
});

const advisorParams = z.strictObject({
  type: z.literal('advisor'),
  model: textOf(MODEL_ID_CHARS_MAX, 1),
});
const advisorSwitch = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('enabled'), model: textOf(MODEL_ID_CHARS_MAX, 1) }),
  disabled,
]);
const predefinedAgent = z.union([
  textOf(ID_CHARS_MAX, 1),
  z.discriminatedUnion('type', [agentParams, typed('self')]),
]);
const membersRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enabled'),
    inline_agents: onOrOff.nullable().optional(),
    predefined_agents: z.array(predefinedAgent).max(MULTIAGENT_ENTRIES_MAX).nullable().optional(),
  }),
  disabled,
]);

/** Shape of `multiagent` in a request. */
export const multiagentRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('coordinator'),
    agents: z
      .array(
        z.union([
          textOf(ID_CHARS_MAX, 1),
          z.discriminatedUnion('type', [agentParams, typed('self'), advisorParams]),
        ]),
      )
      .min(1)
      .max(MULTIAGENT_ENTRIES_MAX),
  }),
  z.strictObject({
    type: z.literal('multiagent_20261001'),
    advisor: advisorSwitch.nullable().optional(),
    subagents: membersRequest.nullable().optional(),
    workflows: membersRequest.nullable().optional(),
  }),
]);

const agentReference = z.strictObject({
  type: z.literal('agent'),
  id: z.string(),
  version: z.number(),
});
/** Shape of an advisor in a response. */
export const advisorShape = z.strictObject({ type: z.literal('advisor'), model: z.string() });

const members = <T extends z.ZodType>(agent: T) =>
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('enabled'),
      inline_agents: onOrOff,
      predefined_agents: z.array(agent),
    }),
    disabled,
  ]);

const topology = <T extends z.ZodType>(agent: T) =>
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('coordinator'),
      agents: z.array(z.union([agent, advisorShape])),
    }),
    z.strictObject({
      type: z.literal('multiagent_20261001'),
      advisor: advisorSwitch,
      subagents: members(agent),
      workflows: members(agent),
    }),
  ]);

/** Shape of `multiagent` on an agent: members by reference. */
export const multiagentShape = topology(agentReference);

/** Shape of `multiagent` on a session: members in full, given the shape of such a member. */
export const sessionMultiagentShape = topology;
