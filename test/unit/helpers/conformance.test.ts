// The conformance tools themselves: that they let documented answers pass untouched, and that they
// see what is broken. A checker that never complains would make every end-to-end test worthless.

import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { SCHEMAS, generateSchemas } from '../../conformance-schemas/generate.ts';
import {
  assertConformance,
  checkBody,
  checkEvent,
  checkRequest,
  conformanceLog,
  conformingFetch,
  resetConformance,
} from '../../helpers/conformance.ts';

afterEach(resetConformance);

const message = { id: 'sevt_1', type: 'user.message', content: [{ type: 'text', text: 'hi' }] };

/** Serves one handler on a free port while `use` runs. */
async function withServer(handler: RequestListener, use: (url: string) => Promise<void>) {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('the schemas', () => {
  it.each(SCHEMAS)(
    '$type are those of the installed SDK (else run test/conformance-schemas/generate.ts)',
    (schemas) => {
      expect(generateSchemas(schemas) === readFileSync(schemas.file, 'utf8')).toBe(true);
    },
  );
});

describe('checkBody', () => {
  it('passes a documented answer, by template and by concrete path', () => {
    checkBody('/v1/sessions/{id}/events', 'POST', 200, { data: [message] });
    checkBody('/v1/sessions/sesn_1/events?beta=true', 'post', 200, { data: [message] });
    checkBody('/v1/sessions/sesn_1/threads/sthr_1/events', 'GET', 200, {
      data: [message],
      next_page: null,
    });
    assertConformance();
  });

  it('names a missing member with its route', () => {
    checkBody('/v1/sessions/sesn_1', 'DELETE', 200, { id: 'sesn_1' });
    expect(conformanceLog.violations).toEqual([
      "DELETE /v1/sessions/{id} 200: (top): must have required property 'type'",
    ]);
  });

  it('tells an unknown property from a broken one', () => {
    checkBody('/v1/sessions/sesn_1', 'DELETE', 200, {
      id: 'sesn_1',
      type: 'session_deleted',
      mood: 'good',
    });
    expect(conformanceLog.violations).toEqual([]);
    expect(conformanceLog.unknown).toEqual(['DELETE /v1/sessions/{id} 200: mood']);
  });

  it('holds errors to the documented body', () => {
    const error = { type: 'not_found_error', message: 'no such route' };
    checkBody('/v1/nowhere', 'GET', 404, { type: 'error', error, request_id: 'req_1' });
    assertConformance();
    checkBody('/v1/nowhere', 'GET', 404, { type: 'error', error });
    expect(conformanceLog.violations).toHaveLength(1);
  });

  it('refuses an answer that no documented route gives', () => {
    checkBody('/v1/nowhere', 'GET', 200, {});
    expect(() => assertConformance()).toThrow('no documented route');
    expect(() => assertConformance()).not.toThrow();
  });
});

describe('checkRequest', () => {
  it('passes what the SDK types and names what it does not', () => {
    const environment = { name: 'e', config: { type: 'cloud' } };
    checkRequest('/v1/environments', 'POST', environment);
    assertConformance();
    checkRequest('/v1/environments', 'post', { ...environment, mood: 'good' });
    checkRequest('/v1/environments', 'POST', { name: 1 });
    checkRequest('/v1/environments/env_1/archive', 'POST', { why: 'old' });
    expect(conformanceLog.unknown).toEqual(['accepted by POST /v1/environments: mood']);
    expect(conformanceLog.violations).toEqual([
      'accepted by POST /v1/environments: name: must be string',
      'POST /v1/environments/{id}/archive: a body that no documented route takes',
    ]);
  });
});

describe('checkEvent', () => {
  it('judges an event by the variant its type names', () => {
    checkEvent({ type: 'session.status_idle', id: 'sevt_1', processed_at: 'yesterday' });
    const ofIdle = /^event session\.status_idle: /;
    expect(conformanceLog.violations.length).toBeGreaterThan(1);
    expect(conformanceLog.violations.every((text) => ofIdle.test(text))).toBe(true);
  });

  it('refuses a type that the SDK does not know', () => {
    checkEvent({ type: 'session.status_sleepy', id: 'sevt_1' });
    expect(conformanceLog.violations).toHaveLength(1);
  });
});

describe('conformingFetch', () => {
  it('passes a stream on unchanged and checks each frame', async () => {
    const frames = [
      `event: ping\ndata: {"type": "ping"}\n\n`,
      `event: message\nid: 1\ndata: ${JSON.stringify(message)}\n\n`,
      `data: ${JSON.stringify(message)}\n\n`,
    ];
    const handler: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': 'req_1' });
      // The second frame is cut in two, as a network may do.
      response.write(frames[0]! + frames[1]!.slice(0, 20));
      response.end(frames[1]!.slice(20) + frames[2]!);
    };
    await withServer(handler, async (url) => {
      const response = await conformingFetch(`${url}/v1/sessions/sesn_1/events/stream`);
      expect(await response.text()).toBe(frames.join(''));
    });
    expect(conformanceLog.violations).toEqual(['frame named undefined, not "message"']);
    expect(conformanceLog.unknown).toEqual([]);
  });

  it('lets the official client leave a stream, and the server sees it go', async () => {
    const gone = Promise.withResolvers<void>();
    const handler: RequestListener = (_request, response) => {
      response.on('close', gone.resolve);
      response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': 'req_1' });
      response.write(`event: message\nid: 1\ndata: ${JSON.stringify(message)}\n\n`);
    };
    await withServer(handler, async (baseURL) => {
      const client = new Anthropic({ baseURL, apiKey: 'x', fetch: conformingFetch });
      const stream = await client.beta.sessions.events.stream('sesn_1');
      for await (const event of stream) {
        expect(event).toEqual(message);
        break;
      }
      await gone.promise;
    });
    assertConformance();
  });

  it('sees a missing request-id and a body that is not JSON', async () => {
    const handler: RequestListener = (_request, response) => response.end('<html>');
    await withServer(handler, async (url) => {
      const response = await conformingFetch(`${url}/v1/agents`, { method: 'GET' });
      expect(await response.text()).toBe('<html>');
    });
    expect(conformanceLog.violations[0]).toContain('request-id header is null');
    expect(conformanceLog.violations.length).toBeGreaterThan(1);
  });
});
