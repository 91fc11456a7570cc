// Whether the server can do its work now. Needs no key, so that probes and scripts can ask; what to
// look at is decided by the process that starts the API.

import type { Context } from 'hono';
import type { ApiDeps } from './deps.ts';
import { newId } from '../protocol/ids.ts';
import { responseHeaders } from './request.ts';

/** GET /healthz: 200 when every part is `ok`, else 503; the body says what is wrong with which. */
export async function answerHealth(deps: ApiDeps, context: Context): Promise<Response> {
  const report = await deps.health();
  const headers = {
    ...responseHeaders(deps, newId('request'), undefined),
    'cache-control': 'no-store',
  };
  const body = `${JSON.stringify({ ok: report.ok, parts: report.parts }, null, 2)}\n`;
  return context.body(body, report.ok ? 200 : 503, headers);
}
