// The clients of the three kinds of endpoint against a server on loopback that keeps what it was
// sent: address, name of the model, key or signature, and nothing that the environment would add.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createModelClient, describeModelError } from '../../../activities/model/anthropic.ts';
import type { ModelEndpoint, ModelRoute } from '../../../activities/model/routes.ts';

interface Sent {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

const sent: Sent[] = [];
const directory = mkdtempSync(join(tmpdir(), 'holdfast-clients-'));
let baseUrl: string;

/** Gives out Google's tokens, and answers everything else with an error of the Messages API. */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const path = request.url!;
  const isToken = path === '/token';
  const answer = isToken
    ? { access_token: 'token-of-google', token_type: 'Bearer', expires_in: 3600, ...TOKEN_TYPE }
    : { type: 'error', error: { type: 'not_found_error', message: 'model: none' } };
  if (!isToken) {
    const body = JSON.parse(text) as Record<string, unknown>;
    sent.push({ method: request.method!, path, headers: request.headers, body });
  }
  response.writeHead(isToken ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
});
const TOKEN_TYPE = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

/** Sends one request through a route; what the server saw of it, and how its error is told. */
async function ask(endpoint: ModelEndpoint, route: Partial<ModelRoute> = {}) {
  const rest = { model: '*', upstreamModel: null, isScripted: false, ...route };
  const client = await createModelClient([{ endpoint, ...rest }]);
  const request = {
    model: 'claude-opus-5',
    max_tokens: 9,
    messages: [{ role: 'user' as const, content: 'hello' }],
  };
  const { signal } = new AbortController();
  const stream = client.stream(request, { signal, attempt: 3 });
  const error = await stream.finalMessage().catch((caught: unknown) => caught);
  return { seen: sent.at(-1)!, failure: describeModelError(error) };
}

describe('a Messages endpoint', () => {
  test('is sent the model by its name there, and the key', async () => {
    const endpoint = { type: 'messages', baseUrl, apiKey: 'k' } as const;
    const { seen } = await ask(endpoint, { upstreamModel: 'org/*' });
    expect(seen).toMatchObject({ method: 'POST', path: '/v1/messages' });
    expect(seen.headers.authorization).toBe('Bearer k');
    expect(seen.headers).not.toHaveProperty('x-holdfast-attempt');
    expect(seen.body).toMatchObject({ model: 'org/claude-opus-5', stream: true });
  });

  test('that is scripted is told the attempt', async () => {
    const { seen } = await ask({ type: 'messages', baseUrl, apiKey: 'k' }, { isScripted: true });
    expect(seen.headers['x-holdfast-attempt']).toBe('3');
  });
});

describe('Amazon Bedrock', () => {
  const bedrock = { type: 'bedrock', region: 'eu-west-1' } as const;
  const credentials = { accessKeyId: 'AKID', secretKey: 'secret', sessionToken: 'session' };

  test('is sent a signed request to the address of the model', async () => {
    // What must not count: the file says everything.
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'from-the-environment');
    vi.stubEnv('ANTHROPIC_BEDROCK_BASE_URL', 'http://127.0.0.1:1');
    const { seen, failure } = await ask(
      { ...bedrock, baseUrl, apiKey: null, credentials },
      { upstreamModel: 'eu.anthropic.*' },
    );
    expect(seen.path).toBe('/model/eu.anthropic.claude-opus-5/invoke-with-response-stream');
    expect(seen.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/bedrock\/aws4_request, SignedHeaders=/,
    );
    expect(seen.headers['x-amz-security-token']).toBe('session');
    expect(seen.headers).not.toHaveProperty('x-api-key');
    expect(seen.body).not.toHaveProperty('model');
    expect(seen.body).toMatchObject({ max_tokens: 9, anthropic_version: expect.any(String) });
    // Its errors are the SDK's own, so they are told like any other.
    expect(failure).toMatchObject({ status: 404, isModelNotFound: true });
  });

  test('is sent a key of its own instead of a signature where there is one', async () => {
    const { seen } = await ask({ ...bedrock, baseUrl, apiKey: 'bedrock-key', credentials: null });
    expect(seen.headers.authorization).toBe('Bearer bedrock-key');
  });
});

describe('Google Cloud', () => {
  test('is sent a request with its token to the address of project, region and model', async () => {
    const subject = join(directory, 'subject');
    writeFileSync(subject, 'subject-token');
    const file = join(directory, 'credentials.json');
    writeFileSync(
      file,
      JSON.stringify({
        type: 'external_account',
        audience: 'audience',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${baseUrl}/token`,
        credential_source: { file: subject },
      }),
    );
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
    vi.stubEnv('ANTHROPIC_VERTEX_BASE_URL', 'http://127.0.0.1:1');
    const endpoint = { type: 'vertex', region: 'europe-west1', project: 'p-1', baseUrl } as const;
    const { seen, failure } = await ask(endpoint, { upstreamModel: '*@20260724' });
    expect(seen.path).toBe(
      '/projects/p-1/locations/europe-west1/publishers/anthropic/models/' +
        'claude-opus-5@20260724:streamRawPredict',
    );
    expect(seen.headers.authorization).toBe('Bearer token-of-google');
    expect(seen.headers).not.toHaveProperty('x-api-key');
    expect(seen.body).not.toHaveProperty('model');
    expect(failure).toMatchObject({ status: 404, isModelNotFound: true });
  });
});
