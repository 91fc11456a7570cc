// The web tools in a session: fetching a page and searching, within the agent's settings and
// policies. docs: managed-agents/tools. The web is a server on loopback, which the operator of this
// server has opened; what the tools do with hostile pages is test/unit/activities/web's.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  confirmation,
  ofType,
  Scene,
  stopReasonOf,
  type StreamEvent,
  waitingOf,
} from '../../helpers/scene.ts';
import { openDatabase } from '../../../store/database.ts';
import { startServer, type TestServer } from '../../helpers/server.ts';

const FACTS = { results: [{ url: 'https://example.com/a', title: 'A', content: 'About A.' }] };

let web: Server;
let site: string;
let server: TestServer;
let scene: Scene;

beforeAll(async () => {
  web = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x');
    if (pathname === '/search') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(FACTS));
    } else if (pathname === '/long') {
      response.setHeader('content-type', 'text/plain');
      response.end('word '.repeat(30_000));
    } else {
      response.setHeader('content-type', 'text/html');
      response.end('<html><title>News</title><body><p>All is <b>well</b>.</p></body></html>');
    }
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  server = await startServer({
    HOLDFAST_WEB_PRIVATE_HOSTS: '127.0.0.1',
    HOLDFAST_SEARCH_URL: site,
  });
  scene = await Scene.open(server);
});

afterAll(async () => {
  await scene.close();
  await server.close();
  web.close();
});

const fetching = (url: string) => `@web_fetch ${JSON.stringify({ url })}`;
const resultText = (events: readonly StreamEvent[]) =>
  JSON.stringify(ofType(events, 'agent.tool_result').map(({ content }) => content));

function documentText(events: readonly StreamEvent[]): string {
  const [block] = ofType(events, 'agent.tool_result')[0]?.content ?? [];
  return block?.type === 'document' && block.source.type === 'text' ? block.source.data : '';
}

describe('web_fetch', () => {
  it('reads a page as text; the call is a tool use like any other', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn(fetching(`${site}/news`));
    expect(ofType(events, 'agent.tool_use')).toMatchObject([
      { name: 'web_fetch', evaluated_permission: 'allow', evaluation: { type: 'always_allow' } },
    ]);
    const [result] = ofType(events, 'agent.tool_result');
    expect(result).toMatchObject({ is_error: false });
    expect(result?.content).toMatchObject([{ type: 'document', source: { type: 'text' } }]);
    expect(resultText(events)).toContain('All is well.');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('keeps a long text whole in a file of the sandbox and shows both of its ends', async () => {
    const talk = await scene.newTalk();
    await talk.turn('$ true');
    const events = await talk.turn(fetching(`${site}/long`));
    const [result] = ofType(events, 'agent.tool_result');
    expect(result?.content).toMatchObject([{ type: 'document', title: `${site}/long` }]);
    const text = documentText(events);
    expect(text.length).toBeLessThan(20_000);
    const path = /\/mnt\/session\/tool-output\/[\w.-]+/.exec(text)?.[0];
    const next = await talk.turn(`$ wc -c < ${path}`);
    expect(resultText(next)).toContain('150000');
  });

  it('shows as much of a long text as a tool may where there is no sandbox', async () => {
    const toolset = {
      type: 'agent_toolset_20260401' as const,
      default_config: { enabled: false },
      configs: [{ name: 'web_fetch' as const, enabled: true }],
    };
    const agent = { type: 'agent_with_overrides' as const, id: scene.agentId, tools: [toolset] };
    const talk = await scene.newTalk({ agent });
    const events = await talk.turn(fetching(`${site}/long`));
    expect(documentText(events)).toMatch(/^(word ){20000}\n\n\[output truncated: 50000 of 150000 /);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('is held to the domains and the policy of its settings', async () => {
    const tools = [
      {
        type: 'agent_toolset_20260401' as const,
        configs: [
          {
            name: 'web_fetch' as const,
            allowed_domains: ['example.com'],
            permission_policy: { type: 'always_ask' as const },
          },
        ],
      },
    ];
    const agent = { type: 'agent_with_overrides' as const, id: scene.agentId, tools };
    const talk = await scene.newTalk({ agent });
    const tape = await talk.tape();
    const [call] = waitingOf(await talk.turn(fetching(`${site}/news`)));
    await talk.send(confirmation(call!, 'allow'));
    const events = await tape.untilIdle(2);
    expect(ofType(events, 'agent.tool_result')).toMatchObject([{ is_error: true }]);
    expect(resultText(events)).toContain('url_not_allowed');
  });

  it('whose settings are no longer valid stops the turn, until they are mended', async () => {
    const talk = await scene.newTalk();
    const sql = openDatabase(server.databaseUrl, { connectionsMax: 1 });
    // What an older server accepted: no client can store it any more.
    await sql`
      update sessions set agent = jsonb_set(agent, '{tools,0,configs}',
        '[{"name": "web_fetch", "type": "web_fetch", "enabled": true, "url_sources": null,
           "permission_policy": {"type": "always_allow"}, "allowed_domains": ["localhost"]}]')
       where id = ${talk.id}`;
    await sql.end();
    const events = await talk.turn('= hello');
    const [failed] = ofType(events, 'session.error');
    expect(failed?.error).toMatchObject({
      type: 'unknown_error',
      message: expect.stringContaining('allowed_domains'),
      retry_status: { type: 'exhausted' },
    });
    expect(stopReasonOf(events)).toBe('retries_exhausted');
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    await talk.client.beta.sessions.update(talk.id, { agent: { tools } });
    expect(stopReasonOf(await talk.turn('= hello'))).toBe('end_turn');
  });

  it.each([
    ['both lists', { allowed_domains: ['a.com'], blocked_domains: ['b.com'] }],
    ['an empty list', { allowed_domains: [] }],
    ['an address', { blocked_domains: ['10.0.0.1'] }],
    ['no budget of tokens', { max_content_tokens: 0 }],
  ])('is refused with %s', async (_, settings) => {
    const configs = [{ name: 'web_fetch' as const, ...settings }];
    const tools = [{ type: 'agent_toolset_20260401' as const, configs }];
    const created = scene.client.beta.agents.create({ name: 'a', model: 'claude-opus-5-5', tools });
    await expect(created).rejects.toMatchObject({ status: 400 });
  });
});

describe('web_search', () => {
  it('finds pages, and each search is on the bill', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('@web_search {"query":"what is A"}');
    expect(ofType(events, 'agent.tool_result')[0]?.content).toMatchObject([
      { type: 'search_result', source: 'https://example.com/a', title: 'A' },
    ]);
    expect(ofType(events, 'session.usage').at(-1)?.usage.server_tool_use).toEqual({
      web_search_requests: 1,
      web_fetch_requests: 0,
    });
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('stands beside a command of the same reply', async () => {
    const talk = await scene.newTalk();
    const events = await talk.turn('$& echo shell\n@& web_search {"query":"A"}');
    expect(ofType(events, 'agent.tool_result')).toHaveLength(2);
    expect(stopReasonOf(events)).toBe('end_turn');
  });
});
