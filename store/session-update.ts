// Updates of a session: title, metadata, budget, and the agent's tools and MCP servers. Decided
// under the row's lock, so that two updates, or an update and a message, have an order. What
// changes is told as `session.updated`; an update that changes nothing writes nothing.

import { isDeepStrictEqual } from 'node:util';
import { updatedSessionAgent } from '../protocol/session-agent.ts';
import type { ModelCatalog } from '../protocol/models/model-catalog.ts';
import { withShownEffort } from '../protocol/models/public-models.ts';
import { ApiError } from '../protocol/errors.ts';
import { mergeMetadata } from '../protocol/fields.ts';
import { newId, primaryThreadId } from '../protocol/ids.ts';
import type { Session, SessionAgent, UpdateSessionRequest } from '../protocol/sessions.ts';
import type { Ring, StartFacts } from './accept-events.ts';
import type { Database } from './database.ts';
import { appendEvents, type EventBody } from './events.ts';
import { getSession, type SessionKey } from './sessions.ts';

export interface SessionUpdate {
  request: UpdateSessionRequest;
  /** What shows the effort of an agent that names none */
  models: ModelCatalog;
  /** Refuses a budget for an agent whose cost cannot be measured, throwing an ApiError */
  checkBudget: (agent: SessionAgent) => void;
}

/** What the update needs of the row beside what clients see. */
interface UpdatableRow {
  agent: SessionAgent;
  /** Something was accepted that the session has yet to take up */
  is_at_work: boolean;
  is_unpriced: boolean;
  /** Exact US dollars, up to now */
  consumed: string;
  is_paused: boolean;
  is_held: boolean;
}

/**
 * Applies an update and answers the session after it, and whether its workflow must be told that a
 * pause for the budget is over. ApiError 404 when unknown; 400 when terminated, when the agent is
 * to change while the session runs, and for a budget that cannot be set (behaviour.md 5.3 and 12).
 */
export async function updateSession(
  sql: Database,
  key: SessionKey,
  update: SessionUpdate,
): Promise<{ session: Session; ring: Ring | null }> {
  return sql.begin(async (transaction) => {
    const tx = transaction as unknown as Database;
    const row = await lockRow(tx, key);
    const current = await getSession(tx, key);
    if (current.status === 'terminated') {
      throw refused(`Session \`${key.sessionId}\` is terminated and cannot be updated.`);
    }
    const changes = changesOf(current, row!, update);
    if (Object.keys(changes).length === 0) return { session: current, ring: null };
    await write(tx, key, changes);
    await appendEvents(tx, {
      sessionId: key.sessionId,
      stepKey: null,
      events: [told(key, changes, update.models)],
    });
    const ring =
      changes.budget !== undefined && row!.is_paused ? await resume(tx, key, row!.is_held) : null;
    return { session: await getSession(tx, key), ring };
  });
}

/** Locks first and reads then: a statement that waits for a lock has looked elsewhere before it. */
async function lockRow(tx: Database, key: SessionKey): Promise<UpdatableRow | undefined> {
  await tx`
    select 1 from sessions
     where id = ${key.sessionId} and workspace_id = ${key.workspaceId} for update`;
  const [row] = await tx<UpdatableRow[]>`
    select agent, is_unpriced, is_held, consumed_cost(s, clock_timestamp())::text as consumed,
           status = 'idle' and stop_reason is not distinct from 'budget_reached' as is_paused,
           status <> 'idle' or wake_at is not null or (not is_held and exists (
             select 1 from events e where e.session_id = s.id and e.processed_at is null
                and e.type = 'user.message')) as is_at_work
      from sessions s
     where id = ${key.sessionId} and workspace_id = ${key.workspaceId}`;
  return row;
}

interface Changes {
  title?: string | null;
  metadata?: Record<string, string>;
  agent?: SessionAgent;
  budget?: Session['budget'];
}

function changesOf(current: Session, row: UpdatableRow, update: SessionUpdate): Changes {
  const { title, metadata, agent, budget } = update.request;
  const merged = mergeMetadata(current.metadata, metadata);
  const isAgentNamed = agent?.tools !== undefined || agent?.mcp_servers !== undefined;
  if (isAgentNamed && row.is_at_work) {
    throw refused('agent: expected the session to be idle; interrupt it, or wait for it.');
  }
  const changed = isAgentNamed ? updatedSessionAgent(row.agent, agent) : row.agent;
  if (budget !== undefined) checkBudget(current, row, update);
  return {
    ...(title === undefined || title === current.title ? {} : { title }),
    ...(isDeepStrictEqual(merged, current.metadata) ? {} : { metadata: merged }),
    ...(isDeepStrictEqual(changed, row.agent) ? {} : { agent: changed }),
    ...(budget === undefined || isDeepStrictEqual(budget, current.budget) ? {} : { budget }),
  };
}

/** docs: managed-agents/budgets; sdk 1.11.0: SessionUpdateParams.budget. */
function checkBudget(current: Session, row: UpdatableRow, update: SessionUpdate): void {
  const budget = update.request.budget ?? null;
  if (budget === null) return;
  if (current.budget === null) {
    throw refused('budget: only a session that was created with one can have another.', {
      error_code: 'budget_create_only',
    });
  }
  update.checkBudget(row.agent);
  if (row.is_unpriced) {
    throw refused(
      'budget: a model without a list price was used; the budget can only be removed.',
      {
        error_code: 'model_not_budgetable',
      },
    );
  }
  if (isAbove(budget.max_list_cost.amount, row.consumed)) return;
  const text = "budget.max_list_cost must be greater than the session's consumed list cost";
  throw refused(text, { error_code: 'budget_not_raised' });
}

/** Whole cents against exact dollars, digit by digit: no float comes near money. */
function isAbove(cents: string, dollars: string): boolean {
  const [whole = '0', fraction = ''] = dollars.split('.');
  const consumed = BigInt(whole + fraction);
  return BigInt(cents) * 10n ** BigInt(fraction.length) > consumed * 100n;
}

async function write(tx: Database, key: SessionKey, changes: Changes): Promise<void> {
  const { title, metadata, agent, budget } = changes;
  await tx`
    update sessions
       set title = ${title === undefined ? tx`title` : title},
           metadata = ${metadata === undefined ? tx`metadata` : tx.json(metadata)},
           agent = ${agent === undefined ? tx`agent` : tx.json(agent as never)},
           budget = ${budget === undefined ? tx`budget` : budget && tx.json(budget as never)}
     where id = ${key.sessionId}`;
}

/** sdk 1.11.0: SessionUpdatedEvent: metadata that was cleared to empty is absent. */
function told(key: SessionKey, { title, metadata, agent, budget }: Changes, models: ModelCatalog) {
  const id = newId('event');
  const body: EventBody = {
    id,
    type: 'session.updated',
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(agent === undefined ? {} : { agent: withShownEffort(agent, models) }),
    ...(budget === undefined ? {} : { budget }),
  };
  return { id, thread_id: primaryThreadId(key.sessionId), body };
}

/** Ends a pause: a turn that was held goes on when its workflow has heard of it. */
async function resume(tx: Database, key: SessionKey, isHeld: boolean): Promise<Ring | null> {
  const [row] = await tx<{ facts: StartFacts }[]>`
    update sessions s
       set stop_reason = 'end_turn', wake_at = ${isHeld ? tx`clock_timestamp()` : null}
     where id = ${key.sessionId} returning start_facts(s) as facts`;
  const { sessionId, workspaceId } = key;
  return isHeld ? { start: { sessionId, workspaceId, ...row!.facts }, events: [] } : null;
}

function refused(message: string, details?: { error_code: string }): ApiError {
  return new ApiError('invalid_request_error', message, details);
}
