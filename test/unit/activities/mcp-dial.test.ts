// Which addresses an MCP server may have: any of an operator's own, none that is link-local or a
// metadata service, however it is written and whatever name leads to it.

import { createServer, type Server } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDialler, isRefusedAddress } from '../../../activities/mcp/dial.ts';
import { createMcpServers } from '../../../activities/mcp/mcp-servers.ts';

test.each([
  '169.254.169.254',
  '169.254.0.1',
  'fe80::1',
  'febf::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  '::ffff:169.254.169.254',
  '::169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
])('%s is refused', (address) => {
  expect(isRefusedAddress(address)).toBe(true);
});

test.each(['127.0.0.1', '::1', '10.0.0.1', '192.168.1.1', '172.16.0.1', 'fd12::1', '1.1.1.1'])(
  '%s is allowed',
  (address) => {
    expect(isRefusedAddress(address)).toBe(false);
  },
);

describe('a name', () => {
  let http: Server;
  let port: number;
  beforeAll(async () => {
    http = createServer((_, response) => void response.end('here'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    port = (http.address() as AddressInfo).port;
  });
  afterAll(() => void http.close());

  /** A resolver that knows two names. */
  const lookup: LookupFunction = (hostname, options, callback) => {
    const good = { address: '127.0.0.1', family: 4 };
    const bad = { address: '169.254.169.254', family: 4 };
    const found = hostname === 'good.test' ? [good] : [good, bad];
    if (options.all === true) callback(null, found);
    else callback(null, found.at(-1)!.address, 4);
  };

  test('is dialled at the address that was checked', async () => {
    const dialler = createDialler(lookup);
    const response = await dialler.fetch(new URL(`http://good.test:${port}/`), {});
    expect(await response.text()).toBe('here');
    await dialler.close();
  });

  test.each([
    ['a name with such an address among others', 'http://bad.test/mcp'],
    ['the address itself', 'http://169.254.169.254/mcp'],
    ['the address as one number', 'http://2852039166/mcp'],
    ['the address in another family', 'http://[::ffff:a9fe:a9fe]/mcp'],
  ])('%s is a failure to connect', async (_, url) => {
    const log = pino({ level: 'silent' });
    const servers = createMcpServers({ log, dialler: createDialler(lookup) });
    const options = { refresh: true, signal: new AbortController().signal };
    const server = { type: 'url' as const, name: 'it', url };
    const { failures } = await servers.tools({ sessionId: 'sesn_dial' }, [server], options);
    const words = 'has a link-local address or that of a metadata service, which is not dialled';
    expect(failures).toEqual([
      {
        server: 'it',
        type: 'mcp_connection_failed_error',
        message: `The MCP server "it" ${words}.`,
      },
    ]);
    await servers.close();
  });
});
