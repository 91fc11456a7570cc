// Clients that race each other and the session's workflow, over a real PostgreSQL: sends, answers,
// interrupts, updates, archive and delete against the appends of a turn, in any interleaving, with
// lost bells and steps that two attempts take at once. Whoever wins, the log keeps its promises.

import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { byDepth } from '../helpers/depth.ts';
import { MODEL } from '../helpers/scene.ts';
import { CLAIMS } from './log-claims.ts';
import { type Play, play } from './race-moves.ts';
import { type Outcome, RacedSession } from './raced-session.ts';

const PLAYS = byDepth(200, 2000);
/** plays that run side by side, each with a session of its own */
const LANES = 4;
/** no play begins after it: a busy machine plays fewer */
const PLAYING_MS = byDepth(30_000, 600_000);
const PLAYS_MIN = 50;

let server: ApiServer;
const outcomes: Outcome[] = [];
/** Plays that broke off: an error that is no refusal, or a session that never rests */
const broken: string[] = [];

beforeAll(async () => {
  server = await startApiServer();
  const client = new Anthropic({ baseURL: server.url, apiKey: server.key });
  const agent = await client.beta.agents.create({ name: 'an agent', model: MODEL });
  const environment = await client.beta.environments.create({
    name: 'an environment',
    config: { type: 'cloud' },
  });
  const fields = { agent: agent.id, environment_id: environment.id };
  const until = performance.now() + PLAYING_MS;
  const plays = fc.sample(play, PLAYS);
  const playOn = async (): Promise<void> => {
    for (let next = plays.pop(); next !== undefined; next = plays.pop()) {
      if (performance.now() > until) return;
      await playOne(client, fields, next);
    }
  };
  await Promise.all(Array.from({ length: LANES }, playOn));
}, 2 * PLAYING_MS);

afterAll(async () => {
  await server.close();
});

async function playOne(
  client: Anthropic,
  fields: { agent: string; environment_id: string },
  drawn: Play,
): Promise<void> {
  const { capCents } = drawn;
  const max_list_cost = { amount: String(capCents), currency: 'USD' as const };
  const budget = capCents === null ? {} : { budget: { type: 'limit' as const, max_list_cost } };
  const { id: sessionId } = await client.beta.sessions.create({ ...fields, ...budget });
  const { sql, workspaceId } = server;
  const session = new RacedSession(sql, { workspaceId, sessionId }, drawn);
  try {
    outcomes.push(await session.play());
  } catch (error) {
    broken.push(told(session.story, error));
  }
}

/** What happened, and what was wrong with it. */
function told(story: readonly string[], error: unknown): string {
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `\n${story.join('\n')}\n\n${said}`;
}

function logOf({ log, row }: Outcome): string[] {
  const lines = log.map(({ seq, position, type, id, body }) => {
    const { id: _, type: __, usage: ___, content, ...rest } = body;
    const more = JSON.stringify(rest) + (content === undefined ? '' : JSON.stringify(content));
    return `${seq} (${position}) ${type} ${id} ${more}`;
  });
  return ['── the log', ...lines, JSON.stringify(row)];
}

test('every session is played to its rest, and nothing but refusals is met on the way', () => {
  const [shortest] = broken.toSorted((a, b) => a.length - b.length);
  if (shortest !== undefined) expect.fail(`${broken.length} plays broke, one of them:${shortest}`);
  expect(outcomes.length).toBeGreaterThan(PLAYS_MIN);
});

test.each(Object.keys(CLAIMS))('%s', (name) => {
  const against = outcomes.flatMap((outcome) => {
    try {
      CLAIMS[name]!(outcome);
      return [];
    } catch (error) {
      return [told([...outcome.story, ...logOf(outcome)], error)];
    }
  });
  const [shortest] = against.toSorted((a, b) => a.length - b.length);
  if (shortest === undefined) return;
  expect.fail(`${against.length} of ${outcomes.length} plays, one of them:${shortest}`);
});

test('the plays were races: every kind of refusal was met', () => {
  const met = outcomes.flatMap(({ refusals }) => refusals.map(({ message }) => message)).join('\n');
  const kinds = [
    /answered already/,
    /closed by an interrupt/,
    /requires_action/,
    /reached its budget/,
    /is running and cannot be/,
    /terminated/,
    /not found/,
    /expected the session to be idle/,
    /must be greater than the session's consumed/,
  ];
  for (const kind of kinds) expect(met).toMatch(kind);
});
