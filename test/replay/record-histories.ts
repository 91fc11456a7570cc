// Records the histories that replay.test.ts plays back, from a real server and its real Temporal:
//   node test/replay/record-histories.ts Run it when the workflow changes on purpose (with a patch
// id once something is released), look at the diff of test/histories, and commit it with the
// change.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { Client, Connection } from '@temporalio/client';
import { startServer, type TestServer } from '../helpers/server.ts';
import { writeHistory } from './history-file.ts';

const HISTORIES = new URL('../histories/', import.meta.url).pathname;

interface Story {
  name: string;
  /** Started with workflows that continue as new early */
  isEarly?: boolean;
  /** Further fields of the session */
  fields?: Partial<Anthropic.Beta.Sessions.SessionCreateParams>;
  tell(client: Anthropic, sessionId: string): Promise<void>;
}

const ASKED = '@&write {"file_path":"/workspace/f","content":"x"}';
const LOOK_UP = '@&look_up {}';
const cap = (amount: string) => ({
  type: 'limit' as const,
  max_list_cost: { amount, currency: 'USD' as const },
});

const STORIES: Story[] = [
  { name: 'plain-turn', tell: (client, id) => turn(client, id, '= hello') },
  { name: 'short-tools', tell: (client, id) => turn(client, id, '$ echo 1\n$& echo 2\n$& echo 3') },
  { name: 'long-tool', tell: (client, id) => turn(client, id, '$ sleep 1; echo late') },
  {
    name: 'steering',
    tell: async (client, id) => {
      const stream = await client.beta.sessions.events.stream(id);
      await say(client, id, '$ sleep 1\n$ sleep 1\n$ sleep 1');
      let isSteered = false;
      for await (const event of stream) {
        if (event.type === 'agent.tool_use' && !isSteered) {
          isSteered = true;
          await say(client, id, '= steered');
        }
        if (event.type === 'session.status_idle') return;
      }
    },
  },
  {
    name: 'interrupt',
    tell: async (client, id) => {
      const stream = await client.beta.sessions.events.stream(id);
      await say(client, id, '$ sleep 600');
      for await (const event of stream) {
        if (event.type === 'agent.tool_use') {
          await client.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
        }
        if (event.type === 'session.status_idle') break;
      }
      await turn(client, id, '= and on');
    },
  },
  { name: 'model-failed', tell: (client, id) => turn(client, id, '# fail 400 1\n= never said') },
  {
    name: 'continue-as-new',
    isEarly: true,
    tell: (client, id) =>
      turn(client, id, '$ echo 1\n$ echo 2\n$ echo 3\n$ echo 4\n$ echo 5\n$ echo 6'),
  },
  {
    name: 'waiting',
    tell: async (client, id) => {
      const stream = await client.beta.sessions.events.stream(id);
      await say(client, id, ['$& sleep 1', ASKED, ASKED, LOOK_UP, '', '$ echo after'].join('\n'));
      const early = { isSent: false };
      for await (const event of stream) {
        // One is answered while a command runs, the rest one by one while the session waits.
        if (event.type === 'agent.tool_use' && event.name === 'write' && !early.isSent) {
          early.isSent = true;
          await answer(client, id, event.id);
        }
        if (event.type !== 'session.status_idle') continue;
        if (event.stop_reason.type !== 'requires_action') return;
        await answer(client, id, event.stop_reason.event_ids[0]!);
      }
    },
  },
  {
    name: 'waiting-interrupted',
    tell: async (client, id) => {
      await turn(client, id, LOOK_UP);
      const stream = await client.beta.sessions.events.stream(id);
      await client.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
      for await (const event of stream) if (event.type === 'session.status_idle') break;
      await turn(client, id, '= and on');
    },
  },
  {
    name: 'budget',
    fields: { budget: cap('1') },
    tell: async (client, id) => {
      await turn(client, id, '# usage input=100000 output=1\n$ echo dear\n\n$ echo later');
      const stream = await client.beta.sessions.events.stream(id);
      await client.beta.sessions.update(id, { budget: cap('1000') });
      for await (const event of stream) if (event.type === 'session.status_idle') return;
    },
  },
  {
    name: 'compacted',
    tell: (client, id) =>
      turn(client, id, '$ echo 1\n# usage input=990000 output=1\n$ echo 2\n\n$ echo 3'),
  },
  { name: 'server-tool', tell: (client, id) => turn(client, id, '@web_search {"query":"a"}') },
  {
    name: 'archived',
    tell: async (client, id) => {
      await turn(client, id, '$ echo last');
      await client.beta.sessions.archive(id);
    },
  },
];

/** Answers a call that waits: allows it, or gives the result of a custom tool. */
async function answer(client: Anthropic, id: string, callId: string): Promise<void> {
  const { events } = client.beta.sessions;
  const [call] = (await events.list(id)).data.filter((event) => event.id === callId);
  const isCustom = call?.type === 'agent.custom_tool_use';
  await events.send(id, {
    events: [
      isCustom
        ? { type: 'user.custom_tool_result', custom_tool_use_id: callId }
        : { type: 'user.tool_confirmation', tool_use_id: callId, result: 'allow' },
    ],
  });
}

async function say(client: Anthropic, id: string, text: string): Promise<void> {
  await client.beta.sessions.events.send(id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
}

async function turn(client: Anthropic, id: string, text: string): Promise<void> {
  const stream = await client.beta.sessions.events.stream(id);
  await say(client, id, text);
  for await (const event of stream) if (event.type === 'session.status_idle') return;
}

async function record(server: TestServer, stories: Story[]): Promise<void> {
  const client = new Anthropic({ baseURL: server.url, apiKey: server.apiKey });
  const connection = await Connection.connect({ address: server.temporalAddress });
  const temporal = new Client({ connection });
  const agent = await client.beta.agents.create({
    name: 'recorder',
    model: 'claude-sonnet-4-6',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
      {
        type: 'custom',
        name: 'look_up',
        description: 'Looks something up.',
        input_schema: { type: 'object' },
      },
    ],
  });
  const environment = await client.beta.environments.create({
    name: `recorder ${Date.now()}`,
    config: { type: 'cloud' },
  });
  for (const story of stories) {
    const session = await client.beta.sessions.create({
      agent: agent.id,
      environment_id: environment.id,
      title: story.name,
      ...story.fields,
    });
    await story.tell(client, session.id);
    const runs = temporal.workflow.list({ query: `WorkflowId = '${session.id}'` });
    const ids: string[] = [];
    // The list is written behind the event log: ask until the newest run is in it.
    while (ids.length === 0) for await (const run of runs) ids.unshift(run.runId);
    for (const [index, runId] of ids.entries()) {
      const history = await temporal.workflow.getHandle(session.id, runId).fetchHistory();
      const file = join(HISTORIES, `${story.name}${ids.length > 1 ? `-${index + 1}` : ''}.json`);
      writeHistory(file, history);
      console.log(`${file}: ${history.events?.length} events`);
    }
    await client.beta.sessions.delete(session.id);
  }
  await connection.close();
}

const EARLY: Record<string, string> = { HOLDFAST_CONTINUE_AS_NEW_EVENTS: '25' };

mkdirSync(HISTORIES, { recursive: true });
for (const isEarly of [false, true]) {
  const server = await startServer(isEarly ? EARLY : {});
  try {
    await record(
      server,
      STORIES.filter((story) => (story.isEarly ?? false) === isEarly),
    );
  } finally {
    await server.close();
  }
}
