// The official clients as judges: unmodified packages from their registries run one story of an
// application against a real server. Only ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY are theirs to
// know. What each program saw, line by line, is the same in every language.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type Client, clients, type Command } from './installed-clients.ts';

/** installing a client and compiling its program, on a machine that has nothing yet, `ms` */
const PREPARE_MS = 10 * 60_000;
/** one story takes some 5 s on an idle machine */
const STORY_MS = 60_000;

const TURN = [
  'user.message',
  'session.status_running',
  'session.thread_status_running',
  'span.model_request_start',
  'agent.message',
  'span.model_request_end',
  'session.thread_status_idle',
  'session.usage',
  'session.status_idle',
];

function stepsOf({ version, isNewer }: Client): object[] {
  const newer = [
    {
      step: 'deltas',
      started: ['agent.thinking', 'agent.message'],
      several: true,
      prefixes: true,
      words: 60,
    },
    {
      step: 'tool runner',
      calls: Array(2).fill({ name: 'get_weather', posted: true, is_error: false }),
      cities: ['Oslo', 'Rome'],
      model_read_it: true,
      stop: 'end_turn',
    },
  ];
  return [
    { step: 'client', version },
    {
      step: 'created',
      version: 1,
      tools: ['agent_toolset_20260401', 'custom'],
      bash: 'always_ask',
      environment: 'cloud',
      status: 'idle',
    },
    { step: 'turn', types: TURN, text: 'Hello.', stop: 'end_turn' },
    { step: 'asked', permissions: ['ask', 'ask'], stop: 'requires_action' },
    {
      step: 'one allowed',
      types: ['user.tool_confirmation', ...TURN.slice(-3)],
      stop: 'requires_action',
    },
    {
      step: 'one denied',
      results: 2,
      allowed: 'allowed',
      allowed_is_error: false,
      denied_says_why: true,
      denied_is_error: true,
      stop: 'end_turn',
    },
    {
      step: 'custom tool',
      name: 'get_weather',
      input: { city: 'Paris' },
      model_read_it: true,
      stop: 'end_turn',
    },
    {
      step: 'interrupted',
      before: 'running',
      is_error: true,
      echoed: 1,
      stop: 'end_turn',
      next: 'Something else.',
    },
    {
      step: 'pages',
      agent_found: 1,
      sessions: 3,
      session_pages: 3,
      events_agree: true,
      events_over_pages: true,
      all_was_streamed: true,
      ...(isNewer && { and_back: true }),
    },
    ...(isNewer ? newer : []),
    {
      step: 'ended',
      archived: 'terminated',
      deleted: 'session_deleted',
      stream_ended: true,
      retrieved: 404,
      error: 'not_found_error',
      environment_archived: true,
      environment_deleted: 'environment_deleted',
      agent_archived: true,
    },
  ];
}

/** Runs the program of a client against the server of the suite; the steps that it saw. */
async function tellStory({ program, arguments: words, environment }: Command): Promise<object[]> {
  const { url, apiKey } = inject('server');
  const { PATH, HOME } = process.env;
  const { stdout } = await promisify(execFile)(program, words, {
    env: { PATH, HOME, ...environment, ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: apiKey },
    timeout: STORY_MS,
  });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as object);
}

describe.each(clients)('$name $version', (client) => {
  let command: Command;

  beforeAll(async () => {
    command = await client.prepare();
  }, PREPARE_MS);

  it('is what its registry published', async () => {
    await client.verify();
  });

  it('is served the whole story', async () => {
    expect(await tellStory(command)).toEqual(stepsOf(client));
  });
});
