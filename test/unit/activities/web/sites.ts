// A small web on loopback for the tests of the web tools: real HTTP servers, real lookups. Host
// names are made up by the test, and resolve by a real lookup of `localhost`.

import { lookup } from 'node:dns/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import type { ResolveHost } from '../../../../activities/web/address-guard.ts';
import type { UrlOrigin } from '../../../../activities/web/prior-urls.ts';
import {
  createWebTools,
  type WebCall,
  type WebToolsConfig,
} from '../../../../activities/web/web-tools.ts';
import type { WebOutcome } from '../../../../activities/web/web-outcome.ts';

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Serves until the test ends; answers the port. */
export async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Serves one body under every path. */
export function serveBody(body: string | Buffer, contentType?: string): Promise<number> {
  return serve((_request, response) => {
    if (contentType !== undefined) response.setHeader('content-type', contentType);
    response.end(body);
  });
}

/** Every name is a name of this machine. */
export const resolveHere = () => lookup('localhost', { all: true, family: 4 });

/** `.test` names that the tests may fetch although they are private. */
export const OPEN_HOSTS = ['open.test', 'other.test', 'docs.example.com', 'example.com'];

export interface FetchOptions extends Partial<WebCall> {
  config?: Partial<WebToolsConfig>;
  signal?: AbortSignal;
  resolve?: ResolveHost;
}

/** Runs `web_fetch` for a URL that the user has written, unless `loadOrigins` says otherwise. */
export function fetchUrl(url: string, options: FetchOptions = {}): Promise<WebOutcome> {
  const { config, signal, resolve = resolveHere, ...rest } = options;
  const tools = createWebTools({ privateHosts: OPEN_HOSTS, search: null, ...config }, { resolve });
  const call: WebCall = {
    name: 'web_fetch',
    input: { url },
    settings: undefined,
    loadOrigins: () => Promise.resolve([userText(url)]),
    ...rest,
  };
  return tools.run(call, signal ?? new AbortController().signal);
}

export function userText(text: string): UrlOrigin {
  return { kind: 'user_input', tool: null, text };
}

/** What the model reads: the text of a document, or of the one text block. */
export function textOf({ content }: WebOutcome): string {
  const [block] = content;
  if (block?.type === 'text') return block.text;
  return block?.type === 'document' && block.source.type === 'text' ? block.source.data : '';
}

/** The code that a failed call's text begins with; `ok` for a call that did not fail. */
export function codeOf(outcome: WebOutcome): string {
  return outcome.isError ? textOf(outcome).split(':')[0]! : 'ok';
}
