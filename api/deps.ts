// What the API is given by the process that starts it. The room keeps no state of its own beyond a
// small cache of keys and what counts against their limits: everything a client sees comes from
// these.

import type { Logger } from 'pino';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import type { Database } from '../store/database.ts';
import type { Follower } from '../store/follow.ts';
import type { Doorbell } from './doorbell.ts';
import type { RateLimits } from './rate-limit.ts';

export interface ApiDeps {
  sql: Database;
  models: ModelCatalog;
  log: Logger;
  doorbell: Doorbell;
  follower: Follower;
  health: () => Promise<HealthReport>;
  /** sent as `anthropic-organization-id` */
  organizationId: string;
  /** the advisory lock that this process holds while it lives (store/instance.ts) */
  instance: bigint;
  /** for one key; absent: none */
  rateLimits?: RateLimits;
  /** takes a line a request, at `info`; absent: none are written */
  auditLog?: Logger;
  /** a test's switch: called at named moments, to be killed there */
  pausePoint?: (name: string) => Promise<void>;
  /** aborted when the server drains: open streams end, so that the process can */
  closing?: AbortSignal;
}

export interface HealthReport {
  ok: boolean;
  /** `ok`, or one sentence that says what is wrong */
  parts: Record<string, string>;
}
