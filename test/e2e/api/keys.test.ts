// Keys by hand: `npm run keys` as a process of its own beside a server that runs, and what its keys
// open until they are revoked.

import Anthropic from '@anthropic-ai/sdk';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS_COMMAND_MS } from '../../../protocol/limits.ts';
import { createWorkspace } from '../../../store/keys.ts';
import { type ApiServer, startApiServer } from '../../helpers/api-server.ts';
import { ROOT } from '../../helpers/source-files.ts';
import { until } from '../../helpers/until.ts';

let server: ApiServer;

beforeAll(async () => {
  server = await startApiServer();
});

afterAll(() => server.close());

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(words: string[], environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env.PATH, HOLDFAST_DATA: server.dataDir, ...environment };
  const program = join(ROOT, 'main/commands/keys.ts');
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...words], { env }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

async function mint(...words: string[]): Promise<{ key: string; keyId: string }> {
  const { code, stdout, stderr } = await run(['mint', ...words]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^apikey_/)]);
  return { key: stdout.trim(), keyId: stderr.split(' ', 1)[0]! };
}

function clientOf(apiKey: string): Anthropic {
  return new Anthropic({ baseURL: server.url, apiKey, maxRetries: 0 });
}

describe('a minted key', () => {
  it('is printed once, alone, opens its workspace, and is listed by its ending only', async () => {
    const { key, keyId } = await mint('--name', 'for CI');
    expect(key).toMatch(/^sk-holdfast-[\w-]{43}$/);
    const { response } = await clientOf(key).beta.agents.list().withResponse();
    expect(response.headers.get('anthropic-workspace-id')).toBe(server.workspaceId);
    const { code, stdout } = await run(['list']);
    expect(code).toBe(0);
    const line = stdout.split('\n').find((text) => text.startsWith(keyId));
    expect(line).toMatch(/for CI +default \(wrkspc_\w+\) +2\d{3}-\S+ \S+Z +/);
    expect(line).toContain(`…${key.slice(-4)} `);
    expect(stdout).not.toContain(key.slice(0, -4));
    const [row] = await server.sql<{ text: string }[]>`
      select row_to_json(k)::text as text from api_keys k where id = ${keyId}`;
    expect(row!.text).not.toContain(key.slice(12));
  });

  it('of a key that is short, nothing is shown', async () => {
    const { stdout } = await run(['list']);
    // The keys of these tests.
    expect(stdout.split('\n').find((line) => line.includes(' first '))).not.toContain('…');
  });

  it('its use is noted, without a request that waits for it, and once a minute', async () => {
    const { key, keyId } = await mint('--name', 'used');
    const lastUse = async (): Promise<Date | null> => {
      const [row] = await server.sql<{ at: Date | null }[]>`
        select last_used_at as at from api_keys where id = ${keyId}`;
      return row!.at;
    };
    expect(await lastUse()).toBeNull();
    await clientOf(key).beta.agents.list();
    const first = await until('the use is noted', async () => (await lastUse()) ?? undefined);
    await clientOf(key).beta.agents.list();
    expect(await lastUse()).toEqual(first);
  });
});

describe('workspaces', () => {
  it('a new one has keys of its own, named by its id or its name', async () => {
    const made = await run(['workspace-create', 'team blue']);
    const id = made.stdout.trim();
    expect([made.code, id]).toEqual([0, expect.stringMatching(/^wrkspc_01/)]);
    const keys = [
      await mint('--name', 'a', '--workspace', 'team blue'),
      await mint('--name', 'b', '--workspace', id),
    ];
    for (const { key } of keys) {
      const { response } = await clientOf(key).beta.agents.list().withResponse();
      expect(response.headers.get('anthropic-workspace-id')).toBe(id);
    }
    const { stdout } = await run(['workspaces']);
    expect(stdout).toMatch(new RegExp(`^${id} +team blue +2\\S+ \\S+Z +2$`, 'm'));
    const { code, stderr } = await run(['workspace-create', 'team blue']);
    expect([code, stderr]).toEqual([1, `${id} has this name already.\n`]);
  });

  it('a name that several have, and one that reads as an id, are refused', async () => {
    const twins = [
      await createWorkspace(server.sql, 'twin'),
      await createWorkspace(server.sql, 'twin'),
    ];
    const { code, stderr, stdout } = await run(['mint', '--name', 'x', '--workspace', 'twin']);
    expect([code, stdout]).toEqual([1, '']);
    for (const id of twins) expect(stderr).toContain(id);
    const named = await run(['workspace-create', 'wrkspc_mine']);
    expect([named.code, named.stderr]).toEqual([1, expect.stringContaining('reads as an id')]);
    const unknown = await run(['mint', '--name', 'x', '--workspace', 'nowhere']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no such')]);
  });
});

describe('a revoked key', () => {
  it('opens nothing any more, and its streams end with the error that says so', async () => {
    const [byId, byKey, kept] = [
      await mint('--name', 'by id'),
      await mint('--name', 'by key'),
      await mint('--name', 'kept'),
    ];
    const session = await server.insertSession('idle');
    const [stream, other] = await Promise.all(
      [byId, kept].map(({ key }) => clientOf(key).beta.sessions.events.stream(session)),
    );
    const ended = (async () => {
      for await (const _ of stream!);
    })();
    const isOver = expect(ended).rejects.toMatchObject({
      error: { error: { type: 'authentication_error', message: 'The API key was revoked.' } },
    });
    await clientOf(byKey.key).beta.agents.list();
    const outcomes = [await run(['revoke', byId.keyId]), await run(['revoke', byKey.key])];
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0]);
    expect(outcomes[1]!.stdout).toContain(`${byKey.keyId} (by key) is revoked`);
    expect(JSON.stringify(outcomes)).not.toContain(byKey.key);
    await isOver;
    for (const { key } of [byId, byKey]) {
      await until('it is refused', () =>
        clientOf(key)
          .beta.agents.list()
          .then(
            () => false,
            (error: unknown) => error instanceof Anthropic.AuthenticationError,
          ),
      );
    }
    // The stream of another key on the same session goes on.
    const read = (async () => {
      for await (const event of other!) return event.type;
    })();
    await clientOf(kept.key).beta.sessions.events.send(session, {
      events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
    });
    expect(await read).toBe('user.message');
    other!.controller.abort();
  });

  it('keeps the time of its first revocation; the last of a workspace is said to be', async () => {
    const made = await run(['workspace-create', 'lonely']);
    const { keyId } = await mint('--name', 'only', '--workspace', made.stdout.trim());
    const first = await run(['revoke', keyId]);
    expect(first.stdout).toContain('No key opens the workspace lonely now');
    const [before] = await server.sql`select revoked_at from api_keys where id = ${keyId}`;
    expect((await run(['revoke', keyId])).code).toBe(0);
    const [after] = await server.sql`select revoked_at from api_keys where id = ${keyId}`;
    expect(after).toEqual(before);
  });

  it('one that is unknown is an error that does not repeat it', async () => {
    const { code, stderr } = await run(['revoke', 'sk-holdfast-not-a-key']);
    expect([code, stderr]).toEqual([1, 'There is no such key; `list` shows them all.\n']);
  });
});

describe('what cannot be done', () => {
  it.each([
    [[], 'Name a verb.'],
    [['mnit'], 'There is no verb mnit.'],
    [['mint'], 'A name is needed'],
    [['mint', '--name', ' '], 'A name is needed'],
    [['mint', '--name', 'a\nb'], 'A name is needed'],
    [['mint', '--name', 'x', 'extra'], 'mint takes no "extra".'],
    [['mint', '--nmae', 'x'], "'--nmae'"],
    [['list', '--name', 'x'], '--name and --workspace go with mint.'],
    [['revoke'], 'revoke takes the id of a key, or the key'],
    [['workspace-create'], 'workspace-create takes a name'],
  ])('wrong words show the usage and end with 2: %j', async (words, sentence) => {
    const { code, stdout, stderr } = await run(words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(sentence);
    expect(stderr).toContain('Usage: npm run keys -- <verb>');
  });

  it('help is no mistake', async () => {
    const { code, stdout } = await run(['--help']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('workspace-create <name>')]);
  });

  it('without a server’s data, or with a database that is down, it says what to do', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
    try {
      const { code, stderr } = await run(['list'], { HOLDFAST_DATA: empty });
      expect([code, stderr]).toEqual([1, expect.stringContaining('Start the server (npm start)')]);
    } finally {
      rmSync(empty, { recursive: true });
    }
    const port = await unusedPort();
    const url = `postgres://nobody:nothing@127.0.0.1:${port}/none`;
    const { code, stderr } = await run(['list'], { HOLDFAST_DATABASE_URL: url });
    expect(code).toBe(1);
    expect(stderr).toContain(`PostgreSQL does not answer at 127.0.0.1:${port}`);
    expect(stderr).not.toContain('nothing@');
  });

  it('a database that never answers is not waited for for ever', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    const url = `postgres://nobody:nothing@127.0.0.1:${port}/none`;
    const startedAt = performance.now();
    const [mute, locked] = await Promise.all([
      run(['list'], { HOLDFAST_DATABASE_URL: url }),
      server.sql.begin(async (tx) => {
        await tx`lock table api_keys in access exclusive mode`;
        return run(['list']);
      }),
    ]);
    expect(performance.now() - startedAt).toBeLessThan(KEYS_COMMAND_MS + 5000);
    expect([mute.code, mute.stderr]).toEqual([1, expect.stringContaining('does not answer at')]);
    expect([locked.code, locked.stderr]).toEqual([1, expect.stringContaining('within 15 s')]);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('an empty database, and a login that is refused, are named', async () => {
    await server.sql`create database nothing_yet`;
    const { host, user, pass } = server.sql.options as unknown as Record<string, string>;
    const [port] = server.sql.options.port;
    const at = `127.0.0.1:${port}`;
    const empty = `postgres://${user}:${pass}@${at}/nothing_yet`;
    expect(host).toBeDefined();
    const outcome = await run(['list'], { HOLDFAST_DATABASE_URL: empty });
    expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('is empty')]);
    const wrong = `postgres://${user}:wrong@${at}/nothing_yet`;
    const refused = await run(['list'], { HOLDFAST_DATABASE_URL: wrong });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^PostgreSQL refuses the connection: [^\n]+\n$/);
  });
});

/** A port of this machine that nobody listens on. */
async function unusedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
