// MCP servers that other people wrote, over both transports: npm's "everything" server and one made
// with the Python SDK; and the small server of our own end-to-end tests. Real processes, real HTTP;
// a package that cannot be installed fails the file.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMcpServers, type McpServers } from '../../activities/mcp/mcp-servers.ts';
import { DOT_PNG, startMcpServer, type TestMcpServer } from '../helpers/mcp-server.ts';
import { until } from '../helpers/until.ts';

const run = promisify(execFile);
const EVERYTHING = new URL(
  import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
);
const PYTHON_PACKAGE = 'mcp==2.3.0';
const PYTHON_SERVER = `
import os, sys
from mcp.server import MCPServer
server = MCPServer("python")
@server.tool()
def add(a: int, b: int) -> int:
    "Adds two numbers."
    return a + b
@server.tool()
def boom() -> str:
    raise ValueError("it broke")
@server.tool()
def die() -> str:
    os._exit(1)
server.run(transport=sys.argv[1], host="127.0.0.1", port=int(sys.argv[2]))
`;

const session = { sessionId: 'sesn_mcp' };
const never = new AbortController().signal;
const refresh = { refresh: true, signal: never };
const keep = { refresh: false, signal: never };

let servers: McpServers;
let pythonPackages = '';
const children: ChildProcess[] = [];
beforeAll(async () => {
  await installPython();
  servers = createMcpServers({ log: pino({ level: 'silent' }) });
});
afterEach(() => servers.forget(session.sessionId));
afterAll(async () => {
  await servers.close();
  for (const child of children) child.kill('SIGKILL');
  await rm(pythonPackages, { recursive: true, force: true });
});

const named = (url: string) => ({ type: 'url' as const, name: 'it', url });
const textOf = (outcome: { content: unknown[] }): string => JSON.stringify(outcome.content);

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a server program and waits until its port answers. */
async function startProgram(
  port: number,
  command: readonly [string, ...string[]],
  env: Record<string, string>,
): Promise<ChildProcess> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  children.push(child);
  await until('the MCP server listens', async () => {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    return fetch(`http://127.0.0.1:${port}/none`).then(
      () => true,
      () => false,
    );
  });
  return child;
}

async function startEverything(transport: string): Promise<number> {
  const port = await freePort();
  const command = [process.execPath, EVERYTHING.pathname, transport] as const;
  await startProgram(port, command, { PORT: String(port) });
  return port;
}

/** Installs the Python SDK, once for the file; pip keeps what it has downloaded. */
async function installPython(): Promise<void> {
  pythonPackages = await mkdtemp(join(tmpdir(), 'holdfast-mcp-'));
  const quiet = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
  const target = ['--target', pythonPackages, PYTHON_PACKAGE];
  await run('python3', ['-m', 'pip', 'install', ...quiet, ...target]);
}

async function startPython(transport: string): Promise<number> {
  const port = await freePort();
  const command = ['python3', '-c', PYTHON_SERVER, transport, String(port)] as const;
  await startProgram(port, command, { PYTHONPATH: pythonPackages });
  return port;
}

describe.each([
  { transport: 'streamableHttp', path: '/mcp' },
  { transport: 'sse', path: '/sse' },
])('the everything server over $transport', ({ transport, path }) => {
  let server: ReturnType<typeof named>;
  beforeAll(async () => {
    server = named(`http://127.0.0.1:${await startEverything(transport)}${path}`);
  });

  test('its tools are listed with descriptions and schemas', async () => {
    const { tools, failures } = await servers.tools(session, [server], refresh);
    expect(failures).toEqual([]);
    const echo = tools.find(({ name }) => name === 'echo');
    expect(echo).toMatchObject({
      server: 'it',
      modelName: 'mcp__it__echo',
      inputSchema: { type: 'object', required: ['message'] },
    });
    expect(tools.length).toBeGreaterThan(8);
  });

  test('a call gives its text, and a wrong input gives an error the model can read', async () => {
    const call = { server, tool: 'echo', input: { message: 'hello' } };
    const outcome = await servers.call(session, call, never);
    expect(outcome).toEqual({ content: [{ type: 'text', text: 'Echo: hello' }], isError: false });
    const wrong = await servers.call(session, { ...call, input: { message: 7 } }, never);
    expect(wrong.isError).toBe(true);
    expect(textOf(wrong)).toContain('message');
    const unknown = await servers.call(session, { ...call, tool: 'no-such-tool' }, never);
    expect(unknown.isError).toBe(true);
    expect(textOf(unknown)).toContain('no-such-tool');
  });

  test('images, resources, links and structured content become blocks', async () => {
    const call = (tool: string, input: Record<string, unknown> = {}) =>
      servers.call(session, { server, tool, input }, never);
    const image = await call('get-tiny-image');
    expect(image.content.map(({ type }) => type)).toContain('image');
    const reference = await call('get-resource-reference', { resourceType: 'Text', resourceId: 1 });
    expect(reference.content).toContainEqual(
      expect.objectContaining({
        type: 'document',
        source: expect.objectContaining({ media_type: 'text/plain' }),
      }),
    );
    expect(textOf(await call('get-resource-links', { count: 2 }))).toContain('resource demo://');
    expect((await call('get-structured-content', { location: 'New York' })).isError).toBe(false);
  });

  test('a long operation reports progress and ends', async () => {
    const input = { duration: 0.4, steps: 4 };
    const call = { server, tool: 'trigger-long-running-operation', input };
    expect(textOf(await servers.call(session, call, never))).toContain('completed');
  });
});

describe.each([
  { transport: 'streamable-http', path: '/mcp' },
  { transport: 'sse', path: '/sse' },
])('a Python server over $transport', ({ transport, path }) => {
  let server: ReturnType<typeof named>;
  beforeAll(async () => {
    server = named(`http://127.0.0.1:${await startPython(transport)}${path}`);
  });

  test('it lists, calls, and fails as a result', async () => {
    const { tools, failures } = await servers.tools(session, [server], refresh);
    expect(failures).toEqual([]);
    expect(tools.map(({ name }) => name).toSorted()).toEqual(['add', 'boom', 'die']);
    const sum = await servers.call(session, { server, tool: 'add', input: { a: 2, b: 3 } }, never);
    expect(sum).toEqual({ content: [{ type: 'text', text: '5' }], isError: false });
    const broken = await servers.call(session, { server, tool: 'boom', input: {} }, never);
    expect(broken.isError).toBe(true);
    expect(textOf(broken)).toContain('boom');
  });

  test('one that dies in a call gives an error result, and fails at the next turn', async () => {
    await servers.tools(session, [server], refresh);
    const died = await servers.call(session, { server, tool: 'die', input: {} }, never);
    expect(died.isError).toBe(true);
    expect(textOf(died)).toContain('may have been called');
    const { tools, failures } = await servers.tools(session, [server], refresh);
    expect(tools).toEqual([]);
    expect(failures).toEqual([
      {
        server: 'it',
        type: 'mcp_connection_failed_error',
        message: 'The MCP server "it" could not be reached (ECONNREFUSED).',
      },
    ]);
  });
});

describe('a session and its server', () => {
  let scripted: TestMcpServer;
  let server: ReturnType<typeof named>;
  beforeAll(async () => {
    scripted = await startMcpServer();
    server = named(scripted.url);
  });
  afterAll(() => scripted.close());

  const call = (tool: string, input: Record<string, unknown> = {}, signal = never) =>
    servers.call(session, { server, tool, input }, signal);
  const asked = (method: string) => scripted.methods.filter((each) => each === method).length;

  test('the tools of its own kinds come back as they are', async () => {
    expect(await call('image')).toEqual({
      content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: DOT_PNG } },
      ],
      isError: false,
    });
    expect(await call('fail')).toEqual({
      content: [{ type: 'text', text: 'it did not work' }],
      isError: true,
    });
    const big = await call('big', { n: 200_000 });
    expect(big.content[0]).toEqual({ type: 'text', text: 'x'.repeat(200_000) });
  });

  test('a connected server is neither connected nor listed again', async () => {
    await servers.tools(session, [server], refresh);
    const before = scripted.methods.length;
    await servers.tools(session, [server], refresh);
    await servers.tools(session, [server], keep);
    expect(scripted.methods.length).toBe(before);
  });

  test('asked for at once by several, it is connected once', async () => {
    const before = asked('initialize');
    await Promise.all([1, 2, 3].map(() => servers.tools(session, [server], refresh)));
    expect(asked('initialize')).toBe(before + 1);
  });

  test('a changed list is seen by the next request for tools', async () => {
    await servers.tools(session, [server], refresh);
    scripted.addTool('late');
    await until('the new tool is listed', async () => {
      const { tools } = await servers.tools(session, [server], keep);
      return tools.some(({ name }) => name === 'late');
    });
  });

  test('a cancelled call is cancelled at the server', async () => {
    const before = scripted.cancelled;
    const cancel = new AbortController();
    const slow = call('slow', { ms: 60_000 }, cancel.signal);
    await until('the call runs', () => (scripted.calls.get('slow') ?? 0) > 0);
    cancel.abort(new Error('interrupted'));
    await expect(slow).rejects.toThrow('interrupted');
    await until('the server knows', () => scripted.cancelled === before + 1);
  });

  test('a session that expired is opened again, and the call made once', async () => {
    await servers.tools(session, [server], refresh);
    const calls = scripted.calls.get('echo') ?? 0;
    const opened = asked('initialize');
    await scripted.forgetSessions();
    expect(await call('echo', { text: 'still here' })).toMatchObject({ isError: false });
    expect(scripted.calls.get('echo')).toBe(calls + 1);
    expect(asked('initialize')).toBe(opened + 1);
  });

  test('a call that the death of the server broke off is not repeated', async () => {
    const calls = scripted.calls.get('slow') ?? 0;
    const slow = call('slow', { ms: 60_000 });
    await until('the call runs', () => (scripted.calls.get('slow') ?? 0) === calls + 1);
    await scripted.goAway();
    await scripted.comeBack();
    const outcome = await slow;
    expect(outcome.isError).toBe(true);
    expect(textOf(outcome)).toContain('may have been called');
    expect(scripted.calls.get('slow')).toBe(calls + 1);
    expect(await call('echo', { text: 'again' })).toMatchObject({ isError: false });
  });

  test('a server that is away is one failure a turn, and is back at the next', async () => {
    await scripted.goAway();
    const away = await servers.tools(session, [server], refresh);
    expect(away.failures).toHaveLength(1);
    expect(await servers.tools(session, [server], keep)).toEqual({ tools: [], failures: [] });
    await scripted.comeBack();
    expect(await servers.tools(session, [server], keep)).toEqual({ tools: [], failures: [] });
    const back = await servers.tools(session, [server], refresh);
    expect(back.failures).toEqual([]);
    expect(back.tools.length).toBeGreaterThan(5);
  });
});

describe('credentials', () => {
  test('they go with every request, a rotated one at once, and are shown nowhere', async () => {
    const scripted = await startMcpServer();
    scripted.wantToken('first-secret');
    let token: string | null = null;
    const own = createMcpServers({
      log: pino({ level: 'silent' }),
      credentials: () =>
        Promise.resolve(token === null ? null : { authorization: `Bearer ${token}` }),
    });
    const server = named(scripted.url);
    const refused = await own.tools(session, [server], refresh);
    expect(refused.failures).toEqual([
      {
        server: 'it',
        type: 'mcp_authentication_failed_error',
        message: 'The MCP server "it" refused the credentials, or the lack of any (HTTP 401).',
      },
    ]);
    token = 'first-secret';
    expect((await own.tools(session, [server], refresh)).failures).toEqual([]);
    const call = { server, tool: 'echo', input: { text: 'my first-secret, my second-secret' } };
    expect(textOf(await own.call(session, call, never))).not.toContain('first-secret');
    scripted.wantToken('second-secret');
    const outdated = await own.call(session, call, never);
    expect(outdated.isError).toBe(true);
    expect(textOf(outdated)).toContain('refused the credentials');
    token = 'second-secret';
    expect(await own.call(session, call, never)).toMatchObject({ isError: false });
    await own.close();
    await scripted.close();
  });
});
