// What the web may do to `web_fetch`, and what it must not achieve: reach private addresses, hold
// the worker up, fill its memory, or never end. Each bound is met by a real server.

import { performance } from 'node:perf_hooks';
import type { Transform } from 'node:stream';
import { createDeflate, createGzip, deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createAddressGuard } from '../../../../activities/web/address-guard.ts';
import { WEB_BODY_BYTES_MAX } from '../../../../protocol/server-tool-limits.ts';
import { pace, until } from '../../../helpers/until.ts';
import { codeOf, fetchUrl, resolveHere, serve, serveBody, textOf } from './sites.ts';

/** Spaces, packed as they are made. */
async function packedSpaces(packer: Transform, mebibytes: number): Promise<Buffer> {
  const spaces = Buffer.alloc(1024 * 1024, 0x20);
  const chunks: Buffer[] = [];
  packer.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (let count = 0; count < mebibytes; count += 1) {
    if (!packer.write(spaces)) await new Promise((resolve) => packer.once('drain', resolve));
  }
  const ended = new Promise((resolve) => packer.once('end', resolve));
  packer.end();
  await ended;
  return Buffer.concat(chunks);
}

/** The longest time for which this thread's event loop did not turn while `work` ran. */
async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  await work();
  clearInterval(timer);
  return longest;
}

describe('private addresses', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://100.100.100.200/',
    'http://169.254.169.254/latest/meta-data/',
    'http://168.63.129.16/',
    'http://192.0.0.192/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    'http://[::]/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[fd00:ec2::254]/',
    'http://[ff02::1]/',
  ])('%s is not dialled', async (url) => {
    expect(codeOf(await fetchUrl(url))).toBe('url_not_allowed');
  });

  test('a name that resolves to a private address is not dialled', async () => {
    const port = await serveBody('secret', 'text/plain');
    const outcome = await fetchUrl(`http://rebound.example.org:${port}/`);
    expect(textOf(outcome)).toBe('url_not_allowed: rebound.example.org is not a public host');
  });

  test('localhost is not dialled, whoever resolves it', async () => {
    expect(codeOf(await fetchUrl('http://localhost/'))).toBe('url_not_allowed');
  });

  test('one private address among public ones refuses the name', async () => {
    const resolve = async () => [{ address: '1.1.1.1', family: 4 }, ...(await resolveHere())];
    const outcome = await fetchUrl('http://mixed.example.org/', { resolve });
    expect(codeOf(outcome)).toBe('url_not_allowed');
  });

  test('the address that was checked is the one that is dialled', async () => {
    const port = await serveBody('here', 'text/plain');
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return resolveHere();
    };
    expect(textOf(await fetchUrl(`http://open.test:${port}/`, { resolve }))).toBe('here');
    expect(asked).toBe(1);
  });

  test('an operator opens addresses by range and hosts by name, and nothing else', async () => {
    const port = await serveBody('intranet', 'text/plain');
    const byRange = { config: { privateHosts: ['127.0.0.0/8'] } };
    expect(textOf(await fetchUrl(`http://127.0.0.1:${port}/`, byRange))).toBe('intranet');
    expect(textOf(await fetchUrl(`http://any.example.org:${port}/`, byRange))).toBe('intranet');
    expect(codeOf(await fetchUrl(`http://10.0.0.1:${port}/`, byRange))).toBe('url_not_allowed');
    const byName = { config: { privateHosts: ['Wiki.Corp'] } };
    expect(textOf(await fetchUrl(`http://wiki.corp:${port}/`, byName))).toBe('intranet');
    expect(codeOf(await fetchUrl(`http://a.wiki.corp:${port}/`, byName))).toBe('url_not_allowed');
    expect(codeOf(await fetchUrl(`http://127.0.0.1:${port}/`, byName))).toBe('url_not_allowed');
  });

  test('public addresses pass', () => {
    const guard = createAddressGuard([]);
    for (const url of ['http://1.1.1.1/', 'http://[2606:4700::1]/', 'http://a.example.org/']) {
      expect(() => guard.checkLiteral(new URL(url))).not.toThrow();
    }
  });
});

describe('redirects', () => {
  test.each(['127.0.0.1', 'inner.example.org', 'localhost', '[::1]', '169.254.169.254'])(
    'one to %s from a host that may be fetched is refused',
    async (target) => {
      let reached = 0;
      const inner = await serve((_, response) => {
        reached += 1;
        response.end('secret');
      });
      const port = await serve((_, response) => {
        response.writeHead(302, { location: `http://${target}:${inner}/` }).end();
      });
      expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('url_not_allowed');
      expect(reached).toBe(0);
    },
  );

  test('one that stays within the rules is followed, and the last address is named', async () => {
    const port = await serve(({ url, headers }, response) => {
      if (url === '/new') response.setHeader('content-type', 'text/plain').end(headers.host);
      else response.writeHead(301, { location: `http://other.test:${port}/new` }).end();
    });
    const outcome = await fetchUrl(`http://open.test:${port}/old`);
    expect(textOf(outcome)).toBe(`other.test:${port}`);
    expect(outcome.content[0]).toMatchObject({
      context: expect.stringContaining(`http://other.test:${port}/new`),
    });
  });

  test('an endless chain ends', async () => {
    let asked = 0;
    const port = await serve((_, response) => {
      asked += 1;
      response.writeHead(302, { location: `/${asked}` }).end();
    });
    expect(textOf(await fetchUrl(`http://open.test:${port}/`))).toBe(
      'url_not_accessible: more than 5 redirects',
    );
    expect(asked).toBe(6);
  });

  test.each(['file:///etc/passwd', 'ftp://open.test/', 'data:text/plain,x', 'javascript:1'])(
    'one to %s is refused',
    async (location) => {
      const port = await serve((_, response) => response.writeHead(302, { location }).end());
      expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('url_not_accessible');
    },
  );
});

describe('bodies', () => {
  test('a gigabyte is not held: the connection ends at the bound', async () => {
    let sent = 0;
    let isClosed = false;
    const port = await serve((_, response) => {
      response.setHeader('content-type', 'text/plain');
      response.on('close', () => (isClosed = true));
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      const more = (): void => {
        while (!isClosed && sent < 1024 * chunk.length) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('content_too_large');
    await until('the server sees the end', () => isClosed);
    expect(sent).toBeLessThan(WEB_BODY_BYTES_MAX * 3);
  });

  test('an announced gigabyte is not begun', async () => {
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 2 ** 30 });
      response.write('x');
    });
    expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('content_too_large');
  });

  test('a gzip bomb ends at the bound', async () => {
    const bomb = await packedSpaces(createGzip(), 100);
    expect(bomb.length).toBeLessThan(WEB_BODY_BYTES_MAX / 10);
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' });
      response.end(bomb);
    });
    expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('content_too_large');
  });

  test.each(['gzip', 'br', 'zstd', 'deflate', 'compress', 'gzip, gzip'])(
    'what is not really packed with %s cannot be read',
    async (encoding) => {
      const port = await serve((_, response) => {
        response.writeHead(200, { 'content-encoding': encoding }).end('plain');
      });
      expect(codeOf(await fetchUrl(`http://open.test:${port}/`))).toBe('url_not_accessible');
    },
  );

  test('a PDF that unpacks to more than a thread may hold is given up', async () => {
    const inner = await packedSpaces(createDeflate(), 400);
    const content = deflateSync(inner).toString('latin1');
    const bomb = Buffer.from(
      [
        '%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj',
        '2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj',
        '3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>\nendobj',
        `4 0 obj\n<< /Filter [/FlateDecode /FlateDecode] /Length ${content.length} >>`,
        `stream\n${content}\nendstream\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF`,
      ].join('\n'),
      'latin1',
    );
    const port = await serveBody(bomb, 'application/pdf');
    expect(textOf(await fetchUrl(`http://open.test:${port}/`))).toBe(
      'unavailable: the document was loaded, but reading it takes too much',
    );
  });
});

describe('time', () => {
  const config = { fetchTimeoutMs: 300 };

  test('a body that trickles ends at the deadline', async () => {
    const port = await serve((_, response) => {
      response.setHeader('content-type', 'text/plain');
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(textOf(await fetchUrl(`http://open.test:${port}/`, { config }))).toBe(
      'url_not_accessible: no complete answer within 0.3 seconds',
    );
  });

  test('so does a server that never answers, and a name that never resolves', async () => {
    const port = await serve(() => {});
    const silent = await fetchUrl(`http://open.test:${port}/`, { config });
    const resolve = () => new Promise<never>(() => {});
    const unresolved = await fetchUrl('http://open.test/', { config, resolve });
    expect([codeOf(silent), codeOf(unresolved)]).toEqual(Array(2).fill('url_not_accessible'));
  });

  test('an abort ends the call with its reason, and the connection with it', async () => {
    const abort = new AbortController();
    let isClosed = false;
    const port = await serve((_, response) => {
      response.on('close', () => (isClosed = true));
      response.write('x');
      abort.abort(new Error('interrupted'));
    });
    const call = fetchUrl(`http://open.test:${port}/`, { signal: abort.signal });
    await expect(call).rejects.toThrow('interrupted');
    await until('the connection is closed', () => isClosed);
  });
});

describe('pages made to be slow', () => {
  const config = { readTimeoutMs: 800 };
  const deep = `${'<div>'.repeat(150_000)}deep`;

  test.each([
    ['nesting', deep],
    ['a huge attribute', `<p title="${'x'.repeat(8_000_000)}">hello`],
    [
      'many attributes',
      `<p ${Array.from({ length: 200_000 }, (_, i) => `a${i}=1`).join(' ')}>hello`,
    ],
    ['angle brackets', '<'.repeat(5_000_000)],
    ['lists', '<ul><li>'.repeat(50_000)],
    ['an unclosed title', `<title>${'<title'.repeat(500_000)}`],
    ['links', '<main>'.concat('<p>word <a href="/x">link</a></p>'.repeat(60_000))],
  ])('%s is read or given up in time, and holds nobody up', async (_, html) => {
    const port = await serveBody(html, 'text/html');
    const started = performance.now();
    let code = '';
    const held = await longestHold(async () => {
      code = codeOf(await fetchUrl(`http://open.test:${port}/`, { config }));
    });
    expect(['ok', 'unavailable']).toContain(code);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(held).toBeLessThan(2000);
  });

  test('a page that fills the heap of its thread ends that thread alone', async () => {
    const port = await serveBody('<p>x'.repeat(2_500_000), 'text/html');
    expect(textOf(await fetchUrl(`http://open.test:${port}/`))).toBe(
      'unavailable: the document was loaded, but it cannot be read',
    );
  });

  test('an abort ends the reading', async () => {
    const abort = new AbortController();
    const port = await serve((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(deep, () => void pace(200).then(() => abort.abort(new Error('interrupted'))));
    });
    const call = fetchUrl(`http://open.test:${port}/`, { signal: abort.signal });
    await expect(call).rejects.toThrow('interrupted');
  });
});
