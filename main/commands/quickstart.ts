// `npm run quickstart`: the server, then one real session through the official SDK, its events
// printed as they stream, then where to go next. Stays up like `npm start`. `-- --exit` stops after
// the session, with exit code 0 only if it reached `end_turn`; `-- "a message"` sends that message
// instead.
import Anthropic from '@anthropic-ai/sdk';
import { parseArgs } from 'node:util';
import { startAllInOne } from '../all-in-one.ts';
import type { ServerFacts } from '../all-in-one.ts';
import { runProcess } from '../process-life.ts';
import { printEvent } from './quickstart-printer.ts';

const NAME = 'quickstart';
const MODEL = 'claude-sonnet-5-5';
/** a session that takes longer than this is not going to end, `ms` */
const SESSION_MS = 15 * 60_000;

/** For the scripted model: each `$` line is a command it asks for, `=` is what it says. */
const SCRIPTED_MESSAGE = `Show me what you can do.
# think
= I will look around, then write and run a small program.
$ echo "$(uname -sr) on $(nproc) CPUs, in $(pwd) as $(whoami)"
$ printf 'print(sum(n * n for n in range(1, 11)))\\n' > squares.py && python3 squares.py
$& sleep 1; echo one
$& sleep 1; echo two`;

const MODEL_MESSAGE =
  'Write a Python program that prints the first ten squares and their sum, run it, and tell me ' +
  'the sum.';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { exit: { type: 'boolean', default: false } },
});

await runProcess('quickstart', async (startup) => {
  const { config } = startup;
  // The events of the session stand alone on the screen, unless somebody asks for more.
  const quiet = { ...config, auditLog: config.auditLog ?? false };
  const server = await startAllInOne({ ...startup, config: quiet });
  const message = positionals.join(' ') || (server.isScripted ? SCRIPTED_MESSAGE : MODEL_MESSAGE);
  const reason = await playSession(server, message);
  showWayOn(server, reason);
  if (values.exit) startup.end('the session', reason === 'end_turn' ? 0 : 1);
});

/** Plays one turn; the answer is why the session went idle. */
async function playSession(server: ServerFacts, message: string): Promise<string> {
  const client = new Anthropic({ baseURL: server.url, apiKey: server.key });
  const agent = await findOrCreateAgent(client);
  const environment = await findOrCreateEnvironment(client);
  const session = await client.beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    title: 'Quickstart',
  });
  console.log(`\nsession ${session.id}\n`);
  const stream = await client.beta.sessions.events.stream(session.id, undefined, {
    signal: AbortSignal.timeout(SESSION_MS),
  });
  await client.beta.sessions.events.send(session.id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: message }] }],
  });
  for await (const event of stream) {
    printEvent(event);
    if (event.type === 'session.status_idle') return event.stop_reason.type;
    if (event.type === 'session.status_terminated') return 'terminated';
  }
  return 'the stream ended';
}

async function findOrCreateAgent(client: Anthropic): Promise<{ id: string }> {
  for await (const agent of client.beta.agents.list()) {
    if (agent.name === NAME && agent.archived_at === null) return agent;
  }
  return client.beta.agents.create({
    name: NAME,
    model: MODEL,
    system: 'You are a careful engineer. You work in a Linux container.',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
}

async function findOrCreateEnvironment(client: Anthropic): Promise<{ id: string }> {
  for await (const environment of client.beta.environments.list()) {
    if (environment.name === NAME && environment.archived_at === null) return environment;
  }
  return client.beta.environments.create({
    name: NAME,
    config: { type: 'cloud', networking: { type: 'unrestricted' } },
  });
}

function showWayOn(server: ServerFacts, reason: string): void {
  const lines = [
    '',
    `The session is idle: ${reason}. It is kept, and takes the next message at any time.`,
    '',
    `  API          ${server.url}   (ANTHROPIC_BASE_URL for the SDKs)`,
    `  API key      ${server.keyPlace}   (ANTHROPIC_API_KEY)`,
    ...(server.uiUrl === null
      ? []
      : [`  Temporal UI  ${server.uiUrl}   every session is a workflow`]),
    '',
    'Next: the SDK example in README.md; docs/operating.md for settings and a model of your own.',
  ];
  console.log(lines.join('\n'));
  if (!values.exit) console.log('The server stays up; Ctrl-C stops it.');
}
