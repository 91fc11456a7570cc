// Nothing is accepted and ignored: what this server does not do yet is a 400 that says so, and what
// asks for nothing passes.

import { describe, expect, test } from 'vitest';
import { createAgentRequest, updateAgentRequest } from '../../../protocol/agents.ts';
import {
  createEnvironmentRequest,
  updateEnvironmentRequest,
} from '../../../protocol/environments.ts';
import { sendEventsRequest } from '../../../protocol/events.ts';
import {
  refuseNotYetAgent,
  refuseNotYetEnvironment,
  refuseNotYetEvents,
  refuseNotYetSession,
} from '../../../protocol/not-yet.ts';
import { parseBody } from '../../../protocol/parse.ts';
import { createSessionRequest, updateSessionRequest } from '../../../protocol/sessions.ts';
import { CLIENT_EVENTS } from './event-examples.ts';

const TOOLSET = { type: 'agent_toolset_20260401' };

const agent = (extra: object) => () => {
  refuseNotYetAgent(parseBody(createAgentRequest, { name: 'n', model: 'm', ...extra }));
  refuseNotYetAgent(parseBody(updateAgentRequest, extra));
};
const environment = (config: object) => () => {
  refuseNotYetEnvironment(parseBody(createEnvironmentRequest, { name: 'n', config }));
  refuseNotYetEnvironment(parseBody(updateEnvironmentRequest, { config }));
};
const session = (extra: object) => () => {
  const request = { agent: 'agent_1', environment_id: 'env_1', ...extra };
  refuseNotYetSession(parseBody(createSessionRequest, request));
};
const sessionUpdate = (request: object) => () =>
  refuseNotYetSession(parseBody(updateSessionRequest, request));
const send = (event: object) => () =>
  refuseNotYetEvents(parseBody(sendEventsRequest, { events: [event] }).events);

describe('refused, with the field named', () => {
  test.each<[string, () => void]>([
    ['skills', agent({ skills: [{ type: 'anthropic', skill_id: 'pdf' }] })],
    ['multiagent', agent({ multiagent: { type: 'multiagent_20261001' } })],
    ['execution_identity', agent({ execution_identity: { type: 'aws_role', role_arn: 'arn:x' } })],
    ['model.effort', agent({ model: { id: 'm', effort: 'low' } })],
    ['config.type', environment({ type: 'self_hosted' })],
    ['config.packages', environment({ type: 'cloud', packages: { pip: ['numpy'] } })],
    [
      'config.networking.allowed_hosts',
      environment({ type: 'cloud', networking: { type: 'limited', allowed_hosts: ['a.com'] } }),
    ],
    [
      'config.networking.allow_package_managers',
      environment({ type: 'cloud', networking: { type: 'limited', allow_package_managers: true } }),
    ],
    [
      'agent.skills',
      session({
        agent: {
          type: 'agent_with_overrides',
          id: 'agent_1',
          skills: [{ type: 'anthropic', skill_id: 'pdf' }],
        },
      }),
    ],
    ['resources', session({ resources: [{ type: 'file', file_id: 'file_1' }] })],
    ['vault_ids', session({ vault_ids: ['vlt_1'] })],
    ['initial_events.0.type', session({ initial_events: [CLIENT_EVENTS['user.define_outcome']] })],
    ['vault_ids', sessionUpdate({ vault_ids: [] })],
    ['events.0.type', send(CLIENT_EVENTS['user.define_outcome'])],
    [
      'events.0.content',
      send({
        type: 'user.message',
        content: [{ type: 'image', source: { type: 'file', file_id: 'file_1' } }],
      }),
    ],
  ])('%s', (field, run) => {
    expect(run).toThrow(`${field}: not supported yet by this server (`);
  });
});

describe('accepted, because it asks for nothing', () => {
  test.each<[string, () => void]>([
    ['empty lists', agent({ mcp_servers: [], skills: [], tools: [], multiagent: null })],
    ['the default toolset', agent({ tools: [TOOLSET] })],
    [
      'what is the default anyway',
      agent({
        model: { id: 'm', speed: 'standard', effort: null },
        execution_identity: { type: 'service_account' },
        tools: [{ ...TOOLSET, default_config: { permission_policy: { type: 'always_allow' } } }],
      }),
    ],
    ['the effort of a Claude model', agent({ model: { id: 'claude-x', effort: 'low' } })],
    [
      'web tools switched off by name',
      agent({ tools: [{ ...TOOLSET, configs: [{ name: 'web_fetch', enabled: false }] }] }),
    ],
    ['a bare limited', environment({ type: 'cloud', networking: { type: 'limited' } })],
    [
      'a limited without exceptions',
      environment({
        type: 'cloud',
        packages: { pip: [] },
        networking: { type: 'limited', allowed_hosts: [], allow_mcp_servers: false },
      }),
    ],
    ['no resources and vaults', session({ resources: [], vault_ids: [], initial_events: [] })],
    ['no budget', sessionUpdate({ budget: null, agent: {} })],
    ['a message', send(CLIENT_EVENTS['user.message'])],
    ['an interrupt', send(CLIENT_EVENTS['user.interrupt'])],
  ])('%s', (_, run) => {
    expect(run).not.toThrow();
  });
});
