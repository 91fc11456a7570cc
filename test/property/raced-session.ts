// One session whose clients race each other and its workflow over a real log. It plays what was
// drawn, then answers whatever is asked until the session rests, hearing lost bells; what came of
// it is an Outcome for the claims of log-claims.ts. Only refusals that are a caller's are survived.

import { newId } from '../../protocol/ids.ts';
import { ApiError } from '../../protocol/errors.ts';
import type { ClientEventParams } from '../../protocol/events.ts';
import { PUBLIC_CATALOG } from '../../protocol/models/public-models.ts';
import type { UpdateSessionRequest } from '../../protocol/sessions.ts';
import { acceptEvents } from '../../store/accept-events.ts';
import type { Database } from '../../store/database.ts';
import { terminateSession } from '../../store/session-life.ts';
import { updateSession } from '../../store/session-update.ts';
import { getSession } from '../../store/sessions.ts';
import type { UserEvents } from '../../workflows/messages.ts';
import { type ClientMove, type Moment, type Play, PLAIN_STEP, type Sent } from './race-moves.ts';
import { WorkflowStandIn } from './workflow-stand-in.ts';

export interface LoggedEvent {
  seq: number;
  position: number | null;
  id: string;
  type: string;
  body: Record<string, unknown>;
  processed: boolean;
}

/** The session's row after everything. */
export interface RestRow {
  status: string;
  stop_reason: string | null;
  last_seq: number;
  waits: object;
  title: string | null;
  budget: unknown;
  tools: unknown;
  is_deleted: boolean;
}

export interface Outcome {
  log: readonly LoggedEvent[];
  row: RestRow;
  /** Events of clients as they were echoed */
  accepted: readonly { id: string; type: string }[];
  /** Words that only refused batches held */
  refusedWords: readonly string[];
  /** Words that only refused updates held */
  refusedTitles: readonly string[];
  /** Calls that replies in the log asked for */
  calls: readonly string[];
  /** What each client was told of a refusal */
  refusals: readonly ApiError[];
  story: readonly string[];
  play: Play;
}

/** Steps until a session must be at rest. */
const SETTLE_STEPS_MAX = 300;

export class RacedSession {
  readonly story: string[] = [];
  readonly #sql: Database;
  readonly #key: { workspaceId: string; sessionId: string };
  readonly #workflow: WorkflowStandIn;
  readonly #play: Play;
  readonly #accepted: { id: string; type: string }[] = [];
  readonly #refusedWords: string[] = [];
  readonly #refusedTitles: string[] = [];
  readonly #refusals: ApiError[] = [];
  #words = 0;

  constructor(sql: Database, key: { workspaceId: string; sessionId: string }, play: Play) {
    this.#sql = sql;
    this.#key = key;
    this.#play = play;
    this.#workflow = new WorkflowStandIn(sql, key.sessionId, this.story);
  }

  /** Plays everything and rests; rejects when something breaks or the session never rests. */
  async play(): Promise<Outcome> {
    for (const moment of this.#play.moments) await this.#live(moment);
    await this.#settle();
    return this.#outcome();
  }

  async #live({ clients, workflow }: Moment): Promise<void> {
    this.story.push('──');
    await allOf([
      ...clients.map((move) => this.#client(move)),
      ...(workflow === null
        ? []
        : [this.#lag(workflow.lag).then(() => this.#workflow.advance(workflow))]),
    ]);
  }

  async #lag(roundTrips: number): Promise<void> {
    for (let count = 0; count < roundTrips; count += 1) await this.#sql`select 1`;
  }

  async #client(move: ClientMove): Promise<void> {
    await this.#lag(move.lag);
    switch (move.do) {
      case 'send':
        return this.#send(move.events, move.isHeard);
      case 'archive':
      case 'delete':
        await this.#attempt(move.do, async () => {
          const ring = await terminateSession(this.#sql, { ...this.#key, how: move.do as never });
          if (ring !== null) this.#ring({ events: [], ended: true }, move.isHeard);
        });
        return;
      case 'title': {
        const title = this.#word();
        const isTaken = await this.#update(`title ${title}`, { title }, move.isHeard);
        if (!isTaken) this.#refusedTitles.push(title);
        return;
      }
      case 'tools': {
        const name = this.#word();
        const tool = { type: 'custom', name, description: name, input_schema: { type: 'object' } };
        const agent = { tools: [tool] } as UpdateSessionRequest['agent'];
        const isTaken = await this.#update(`tools ${name}`, { agent }, move.isHeard);
        if (!isTaken) this.#refusedTitles.push(name);
        return;
      }
      case 'uncap':
        await this.#update('budget removed', { budget: null }, move.isHeard);
        return;
      case 'cap':
        await this.#cap(move.byCents, move.isHeard);
    }
  }

  async #cap(byCents: number, isHeard: boolean): Promise<boolean> {
    const session = await getSession(this.#sql, this.#key).catch(onlyRefusal);
    const spent = Number(session?.usage.list_cost?.amount ?? 0);
    const amount = String(Math.max(1, spent + byCents));
    const budget = { type: 'limit' as const, max_list_cost: { amount, currency: 'USD' as const } };
    return this.#update(`budget ${amount}`, { budget }, isHeard);
  }

  #update(what: string, request: UpdateSessionRequest, isHeard: boolean): Promise<boolean> {
    return this.#attempt(what, async () => {
      const update = { request, models: PUBLIC_CATALOG, checkBudget: () => {} };
      const { ring } = await updateSession(this.#sql, this.#key, update);
      if (ring !== null) this.#ring({ events: [], resumed: true }, isHeard);
    });
  }

  async #send(sent: Sent[], isHeard: boolean): Promise<void> {
    const events = sent.map((each) => this.#toEvent(each));
    if (events.includes(null)) return;
    const batch = events as ClientEventParams[];
    const what = batch.map((event) => shown(event)).join(', ');
    const words = batch.flatMap((event) => JSON.stringify(event).match(/\bword\d+\b/g) ?? []);
    const isTaken = await this.#attempt(`send ${what}`, async () => {
      const { events: echoed, signal } = await acceptEvents(this.#sql, {
        ...this.#key,
        events: batch,
        requestHash: newId('request'),
        instance: 1n,
      });
      for (const { id, type } of echoed) this.#accepted.push({ id, type });
      if (signal !== null) this.#ring({ events: signal.events }, isHeard);
    });
    if (!isTaken) this.#refusedWords.push(...words);
  }

  #toEvent(sent: Sent): ClientEventParams | null {
    switch (sent.kind) {
      case 'message':
        return { type: 'user.message', content: [{ type: 'text', text: this.#word() }] };
      case 'system':
        return { type: 'system.message', content: [{ type: 'text', text: this.#word() }] };
      case 'interrupt':
        return { type: 'user.interrupt' };
      case 'answer': {
        const call = this.#workflow.calls.at(-1 - sent.which);
        if (call === undefined) return null;
        if (call.isCustom) {
          const content = [{ type: 'text' as const, text: this.#word() }];
          return { type: 'user.custom_tool_result', custom_tool_use_id: call.id, content };
        }
        const confirmation = { type: 'user.tool_confirmation' as const, tool_use_id: call.id };
        if (sent.isAllowed) return { ...confirmation, result: 'allow' };
        return { ...confirmation, result: 'deny', deny_message: this.#word() };
      }
    }
  }

  /** A word that stands nowhere else. */
  #word(): string {
    this.#words += 1;
    return `word${this.#words}`;
  }

  /** Whether it was taken; anything but a refusal breaks the play. */
  async #attempt(what: string, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      this.story.push(`client: ${what}`);
      return true;
    } catch (error) {
      onlyRefusal(error);
      this.#refusals.push(error as ApiError);
      this.story.push(`client: ${what} ✗ ${(error as ApiError).message}`);
      return false;
    }
  }

  #ring(news: UserEvents, isHeard: boolean): void {
    if (isHeard) this.#workflow.receive(news);
    else this.story.push('  (bell lost)');
  }

  /** As the relay rings: whatever waits, but for what a parked session cannot take up yet. */
  async #relay(): Promise<boolean> {
    const { sessionId } = this.#key;
    const [row] = await this.#sql<
      { status: string; resumed: boolean; events: UserEvents['events'] }[]
    >`
      select s.status, s.is_held and s.wake_at is not null as resumed, coalesce((
          select jsonb_agg(jsonb_build_object('seq', e.seq, 'id', e.id, 'type', e.type))
            from events e
           where e.session_id = s.id and e.processed_at is null and e.type <> 'system.message'
             and (e.type = 'user.interrupt' or s.status <> 'idle'
                  or (s.stop_reason is distinct from 'requires_action' and not s.is_held))), '[]')
        || coalesce((
          select jsonb_agg(jsonb_build_object('seq', w.value -> 'seq', 'id', w.value -> 'event',
                                              'type', 'user.tool_confirmation'))
            from jsonb_each(s.waits) w where w.value ? 'answer'), '[]') as events
        from sessions s where s.id = ${sessionId}`;
    const { status, resumed, events } = row!;
    const isEnded = status === 'terminated';
    this.#workflow.receive({
      events,
      ...(isEnded ? { ended: true } : {}),
      ...(resumed ? { resumed } : {}),
    });
    return events.length > 0 || resumed || isEnded;
  }

  async #settle(): Promise<void> {
    this.story.push('── settling');
    for (let count = 0; count < SETTLE_STEPS_MAX; count += 1) {
      const isNews = await this.#relay();
      if (this.#workflow.isOver) return;
      if (!this.#workflow.isParked) await this.#workflow.advance(PLAIN_STEP);
      else if (isNews) throw new Error('the workflow was told of news and does nothing');
      else if (!(await this.#unpark(count))) return;
    }
    throw new Error('the session never rests');
  }

  /** Gives a parked session what it asks for; false: it asks for nothing. */
  async #unpark(count: number): Promise<boolean> {
    const [row] = await this.#sql<{ open: string[]; is_held: boolean; stop_reason: string }[]>`
      select open_waits(s) as open, is_held, stop_reason
        from sessions s where id = ${this.#key.sessionId}`;
    const [first] = row!.open;
    const call = this.#workflow.calls.findIndex(({ id }) => id === first);
    if (first !== undefined) {
      const which = this.#workflow.calls.length - 1 - call;
      await this.#send([{ kind: 'answer', which, isAllowed: count % 2 === 0 }], true);
      return true;
    }
    if (!row!.is_held) return false;
    if (row!.stop_reason !== 'budget_reached') throw new Error('the budget holds it, and says not');
    if (!(await this.#cap(5, true))) throw new Error('a held session cannot be resumed');
    return true;
  }

  async #outcome(): Promise<Outcome> {
    const { sessionId } = this.#key;
    const log = await this.#sql<LoggedEvent[]>`
      select seq::int as seq, position::int as position, id, type, body,
             processed_at is not null as processed
        from events where session_id = ${sessionId} order by seq`;
    const [row] = await this.#sql<RestRow[]>`
      select status, stop_reason, last_seq::int as last_seq, waits, title, budget,
             agent -> 'tools' as tools, deleted_at is not null as is_deleted
        from sessions where id = ${sessionId}`;
    const calls = this.#workflow.calls.map(({ id }) => id);
    const shared = { accepted: this.#accepted, refusals: this.#refusals, calls };
    const refused = { refusedWords: this.#refusedWords, refusedTitles: this.#refusedTitles };
    return { log, row: row!, ...shared, ...refused, story: this.story, play: this.#play };
  }
}

/** All of them, also when one breaks: none may go on behind the play's back. */
async function allOf(work: Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(work)) {
    if (end.status === 'rejected') throw end.reason;
  }
}

function onlyRefusal(error: unknown): undefined {
  if (!(error instanceof ApiError)) throw error;
  return undefined;
}

function shown(event: ClientEventParams): string {
  const { type, ...rest } = event;
  const call = 'tool_use_id' in rest ? ` ${rest.tool_use_id}` : '';
  const custom = 'custom_tool_use_id' in rest ? ` ${rest.custom_tool_use_id}` : '';
  const result = 'result' in rest ? ` ${rest.result}` : '';
  const word = /\bword\d+\b/.exec(JSON.stringify(rest))?.[0] ?? '';
  return `${type}${call}${custom}${result} ${word}`.trim();
}
