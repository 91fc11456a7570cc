// The player of recordings: a server that answers exactly as recorded shows no difference, and one
// that strays is told where. Known differences must each be needed by no more than they say.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readRecording, replayRecording, type Exchange } from '../../helpers/recordings.ts';

const NAME = 'live_managed_agents_full_cycle';

/** Plays `NAME` against a server that gives the recorded answers after `alter` had its way. */
async function replayAgainst(alter: (exchange: Exchange, index: number) => void) {
  const exchanges = readRecording(NAME);
  exchanges.forEach(alter);
  const sent: string[] = [];
  const server = createServer((request, response) => {
    const exchange = exchanges[sent.length]!;
    sent.push(`${request.method} ${request.url}`);
    const headers = exchange.response_header_names.filter((name) =>
      /^anthropic-|^request/.test(name),
    );
    response.writeHead(exchange.status, {
      'content-type': 'application/json',
      ...Object.fromEntries(headers.map((name) => [name, 'x'])),
    });
    response.end(JSON.stringify(exchange.response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    return { ...(await replayRecording(NAME, { baseUrl, apiKey: 'x' })), sent };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('replayRecording', () => {
  it('finds no difference in the recorded answers themselves', async () => {
    const { differences, met, sent } = await replayAgainst(() => undefined);
    expect(differences).toEqual([]);
    expect([...met]).toEqual([]);
    expect(sent).toHaveLength(readRecording(NAME).length);
  });

  it('sends the ids that the server gave, not the recorded ones', async () => {
    const ours = 'sesn_01OursOursOursOursOurs22';
    const theirs = readRecording(NAME)[2]!.response as { id: string };
    const { sent } = await replayAgainst((exchange) => {
      exchange.response = JSON.parse(JSON.stringify(exchange.response).replaceAll(theirs.id, ours));
    });
    expect(sent[3]).toBe(`POST /v1/sessions/${ours}/events`);
  });

  it('names members that are missing, added, of another type or of another value', async () => {
    const { differences } = await replayAgainst((exchange, index) => {
      if (index !== 1) return;
      const { tools: _, ...agent } = exchange.response as Record<string, unknown>;
      exchange.response = { ...agent, mood: 1, description: 'x', version: 2, id: 'sesn_01x' };
    });
    expect(differences.map((text) => text.split(': ')[0])).toEqual([
      'POST /v1/agents description',
      'POST /v1/agents id',
      'POST /v1/agents tools',
      'POST /v1/agents version',
      'POST /v1/agents mood',
    ]);
  });

  it('lets known differences pass, and only on their routes', async () => {
    const { differences, met } = await replayAgainst((exchange, index) => {
      if (index !== 1 && index !== 2) return;
      exchange.response = { ...(exchange.response as object), budget: null };
    });
    expect(differences).toEqual(['POST /v1/agents budget: was absent, is there']);
    expect([...met].map(({ path }) => path.test('budget'))).toEqual([true]);
  });

  it('stops at the first status that differs', async () => {
    const { differences, sent } = await replayAgainst((exchange, index) => {
      if (index === 2) exchange.status = 400;
    });
    expect(sent).toHaveLength(3);
    expect(differences[0]).toContain('status was 200, is 400');
  });
});
