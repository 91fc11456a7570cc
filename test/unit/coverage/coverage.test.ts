// The tools that write docs/coverage.md: that they list all there is to prove, that they take a
// proof for one only when it is, and that the page changes when what is proven does, and else not.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { PAGE_FILE } from '../../coverage/coverage.ts';
import { EVENT_VARIANTS, SENT_VARIANTS, variantsIn } from '../../coverage/event-variants.ts';
import { GAPS_MAX, isCovered, NEVER, NOT_YET } from '../../coverage/not-yet.ts';
import { pageDifferences, printPage, proofsNamed } from '../../coverage/page.ts';
import { gapsOf, itemsOf, judgeCoverage, type ReadTest } from '../../coverage/proofs.ts';
import { keep, note, readRecords, RECORDS_VARIABLE, takeNotes } from '../../coverage/records.ts';
import { callsOf, SDK_CALLS, SDK_ROUTES, sdkRouteOf } from '../../coverage/sdk-routes.ts';
import { textOfTest } from '../../coverage/test-text.ts';
import { ROOT } from '../../helpers/source-files.ts';

const nothing = judgeCoverage([]);
const LAYERS = '# Layers\n\nA table.';

function made(fields: Partial<ReadTest>): ReadTest {
  return { file: 'test/e2e/a.test.ts', name: 'a claim', line: 1, seen: [], text: '', ...fields };
}

function verdictOn(tests: readonly ReadTest[], key: string) {
  return itemsOf(judgeCoverage(tests)).find((item) => item.key === key)?.verdict;
}

describe('the routes of the SDK', () => {
  it('are all the calls that its source makes', () => {
    const resources = join(ROOT, 'node_modules/@anthropic-ai/sdk/src/resources');
    const text = readdirSync(resources, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(resources, name), 'utf8'))
      .join('\n');
    // Two of them follow an address that a batch names.
    const calls = text.match(/_client\s*\.(get|post|put|patch|delete|getAPIList|request)\(/g);
    expect(SDK_CALLS).toBe(calls!.length - 2);
  });

  it('carry the name that a caller writes', () => {
    expect(SDK_ROUTES).toContainEqual({
      route: 'GET /v1/sessions/{id}/threads/{id}/stream',
      methods: ['beta.sessions.threads.events.stream'],
    });
    expect(SDK_ROUTES).toContainEqual({
      route: 'POST /v1/memory_stores/{id}/memories',
      methods: ['beta.memoryStores.memories.create'],
    });
  });

  it('are found by what a request asks for, the closest first', () => {
    expect(sdkRouteOf('GET', '/v1/environments/env_1/work/poll?beta=true')).toBe(
      'GET /v1/environments/{id}/work/poll',
    );
    expect(sdkRouteOf('GET', '/v1/environments/env_1/work/work_1')).toBe(
      'GET /v1/environments/{id}/work/{id}',
    );
    expect(sdkRouteOf('PUT', '/v1/agents')).toBeUndefined();
  });

  it('are not guessed where the source reads otherwise than it does', () => {
    const text = `  list(\n  ) {\n    return this._client.get(this.path, {\n`;
    expect(() => callsOf('beta/agents.ts', text)).toThrow('cannot read');
  });
});

describe('the variants of events', () => {
  it('are the types and each choice inside them', () => {
    for (const variant of [
      'agent.message',
      'agent.tool_use evaluation=always_ask',
      'session.error error=billing_error',
      'session.status_idle stop_reason=end_turn',
      'user.message content[]=image',
      'event_start event=agent.thinking',
    ]) {
      expect(EVENT_VARIANTS).toContain(variant);
    }
    expect(SENT_VARIANTS).toContain('user.tool_confirmation result=deny');
    expect(new Set(EVENT_VARIANTS.map((variant) => variant.split(' ')[0])).size).toBe(44);
  });

  it('are found in an event, and nothing else is', () => {
    const content = [{ type: 'text', text: 'document' }];
    expect(variantsIn({ type: 'user.message', id: 'sevt_1', content })).toEqual([
      'user.message',
      'user.message content[]=text',
    ]);
    expect(variantsIn({ type: 'user.mumble' })).toEqual([]);
    expect(variantsIn(null)).toEqual([]);
  });
});

describe('the records of a run', () => {
  it('say of each passed test what it saw, each thing once', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-records-'));
    try {
      keep({ file: 'test/e2e/z.test.ts', name: 'before', line: 1, seen: [] });
      vi.stubEnv(RECORDS_VARIABLE, directory);
      note('event', 'agent.message');
      note('answer', 'GET /v1/agents 2xx');
      note('event', 'agent.message');
      keep({ file: 'test/e2e/b.test.ts', name: 'second', line: 9, seen: takeNotes() });
      keep({ file: 'test/e2e/a.test.ts', name: 'first', line: 3, seen: takeNotes() });
      expect(readRecords(directory)).toEqual([
        { file: 'test/e2e/a.test.ts', name: 'first', line: 3, seen: [] },
        {
          file: 'test/e2e/b.test.ts',
          name: 'second',
          line: 9,
          seen: ['GET /v1/agents 2xx', 'event agent.message'],
        },
      ]);
      expect(readRecords(join(directory, 'of-no-run'))).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('a proof', () => {
  const key = 'POST /v1/agents/{id}/archive';
  const seen = [`${key} 2xx`];

  it('of a route is a test that got its answer and names its call or its path', () => {
    const byCall = made({ seen, text: 'await client.beta.agents\n  .archive(agent.id);' });
    const byPath = made({ seen, text: "post(`/v1/agents/${id}/archive`, '')" });
    for (const test of [byCall, byPath]) {
      expect(verdictOn([test], key)).toEqual({ state: 'proven', by: 'e2e/a › a claim' });
    }
  });

  it('is not a test that merely came by, nor one that names and does not see', () => {
    const passing = made({ seen, text: 'await scene.close();' });
    const refused = made({ seen: [`${key} 4xx`], text: 'client.beta.agents.archive(id)' });
    const other = made({ seen, text: 'client.beta.environments.archive(id)' });
    for (const test of [passing, refused, other]) {
      expect(verdictOn([test], key)).toEqual({ state: 'gap' });
    }
  });

  it('of a variant names the type and the value', () => {
    const variant = 'event session.error error=billing_error';
    const names = "ofType(all, 'session.error')";
    expect(verdictOn([made({ seen: [variant], text: names })], variant)).toEqual({ state: 'gap' });
    const whole = made({ seen: [variant], text: `${names} 'billing_error'` });
    expect(verdictOn([whole], variant)).toMatchObject({ state: 'proven' });
    const name = 'a 402 is a session.error of type billing_error';
    expect(verdictOn([made({ seen: [variant], name })], variant)).toMatchObject({
      state: 'proven',
    });
  });

  it('of something that has an excuse is told, so that the excuse goes', () => {
    const list = 'GET /v1/vaults';
    const test = made({ seen: [`${list} 2xx`], text: 'client.beta.vaults.list()' });
    expect(judgeCoverage([test]).overtaken).toEqual([list]);
    expect(verdictOn([], list)).toEqual({ state: 'not yet', area: 'vaults' });
  });
});

describe('the text of a test', () => {
  const file = 'test/unit/coverage/coverage.test.ts';
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  const textOf = (name: string): string => {
    const line = 1 + lines.findIndex((one) => one.includes(`it('${name}`));
    return textOfTest({ file, name, line });
  };

  it('is its own and that of what it calls by name, here and in other files of the tests', () => {
    const text = textOf('of a route is a test that got');
    expect(text).toContain('byPath');
    expect(text).toContain("name: 'a claim'");
    expect(text).toContain('itemsOf');
    expect(text.includes('of a variant names')).toBe(false);
  });

  it('leaves out comments and what is said must not be', () => {
    expect(textOf('are all the calls').includes('follow an address')).toBe(false);
    expect(textOf('leaves out comments').includes('an unlikely word'.toUpperCase())).toBe(false);
    expect('').not.toBe('AN UNLIKELY WORD');
  });
});

describe('the page', () => {
  const key = 'GET /v1/agents';
  const test = made({ seen: [`${key} 2xx`], text: 'beta.agents.list()' });
  const page = printPage(judgeCoverage([test]), LAYERS);

  it('is the same whichever test proves something', () => {
    const other = printPage(judgeCoverage([{ ...test, name: 'another | claim' }]), LAYERS);
    expect(other === page).toBe(false);
    expect(pageDifferences(page, other)).toEqual([]);
    expect(proofsNamed(page)).toEqual(['e2e/a › a claim']);
    expect(proofsNamed(other)).toEqual(['e2e/a › another ¦ claim']);
  });

  it('differs where a proof was lost or won', () => {
    const lost = pageDifferences(page, printPage(nothing, LAYERS));
    expect(lost).toContain('the page says: | GET /v1/agents | beta.agents.list | proven |');
    expect(lost).toContain('the run shows: | GET /v1/agents | beta.agents.list | **no proof** |');
    expect(pageDifferences(printPage(nothing, LAYERS), page)).toHaveLength(lost.length);
  });

  it('lists every route and variant once', () => {
    for (const { route } of SDK_ROUTES) expect(page.split(`| ${route} |`)).toHaveLength(2);
    const keys = itemsOf(nothing).map((item) => item.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('the table of layers', () => {
  it('names files of test/e2e that are there', () => {
    const rows = readFileSync(join(ROOT, 'test/coverage/layers.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    const column = rows[0]!.indexOf('e2e');
    const names = rows
      .slice(2)
      .flatMap((cells) => cells[column]!.split(/[,;]/))
      .map((name) => name.trim())
      .filter((name) => !['–', 'all', ''].includes(name));
    expect(names.length).toBeGreaterThan(20);
    const files = names.map((name) =>
      name.startsWith('deep/') ? `test/${name}.test.ts` : `test/e2e/${name}.test.ts`,
    );
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe('what may be without a proof', () => {
  const keys = itemsOf(nothing).map((item) => item.key);

  it('is there, and excused once', () => {
    const excuses = [...NOT_YET, ...NEVER];
    for (const pattern of excuses.flatMap(({ covers }) => covers)) {
      expect(keys.filter((key) => pattern.test(key)).length, String(pattern)).toBeGreaterThan(0);
    }
    const twice = keys.filter((key) => excuses.filter((one) => isCovered(key, one)).length > 1);
    expect(twice).toEqual([]);
  });

  it('has its row in docs/differences.md', () => {
    const page = readFileSync(join(ROOT, 'docs/differences.md'), 'utf8');
    const section = page.split(/^## /m).find((text) => text.startsWith('Not yet'))!;
    const rows = section.split('\n').filter((line) => line.startsWith('|'));
    for (const { area, row } of NOT_YET) {
      expect(rows.filter((line) => row.test(line)).length, area).toBeGreaterThan(0);
    }
  });

  it('is nothing of agents, cloud environments, sessions, their events and threads', () => {
    const excused = new Set(gapsOf(nothing));
    const routes = SDK_ROUTES.map(({ route }) => route).filter((route) => !excused.has(route));
    const core = /^\w+ \/v1\/(agents|environments|sessions|models)\b/;
    expect(routes.filter((route) => core.test(route)).toSorted()).toEqual([
      'DELETE /v1/sessions/{id}/resources/{id}',
      'GET /v1/environments/{id}/work',
      'GET /v1/environments/{id}/work/poll',
      'GET /v1/environments/{id}/work/stats',
      'GET /v1/environments/{id}/work/{id}',
      'GET /v1/sessions/{id}/resources',
      'GET /v1/sessions/{id}/resources/{id}',
      'POST /v1/environments/{id}/work/{id}',
      'POST /v1/environments/{id}/work/{id}/ack',
      'POST /v1/environments/{id}/work/{id}/heartbeat',
      'POST /v1/environments/{id}/work/{id}/stop',
      'POST /v1/sessions/{id}/resources',
      'POST /v1/sessions/{id}/resources/{id}',
      'POST /v1/sessions/{id}/threads/{id}/archive',
    ]);
  });

  it('is no more than not-yet.ts allows, on the committed page', () => {
    const page = readFileSync(PAGE_FILE, 'utf8');
    expect(page.split('**no proof**').length - 2).toBeLessThanOrEqual(GAPS_MAX);
  });
});
