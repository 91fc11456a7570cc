-- appendEvents (store/events.ts documents the argument). Outcomes: appended, repeated (the step is
-- done: its stored result), ended (archived or deleted: nothing was written), overtaken (its turn
-- is over: nothing was written either).

-- Whether a turn may end, or pause, now: a message that came in meanwhile keeps it going (but not
-- one behind an interrupt), and an interrupt or an answer comes before a wait for answers. A budget
-- that was raised or removed meanwhile pauses nothing.
create function may_go_idle(s sessions, idle jsonb, at timestamptz) returns boolean
language plpgsql stable as $$
declare
  messages    boolean;
  interrupts  boolean;
begin
  select coalesce(bool_or(type = 'user.message'), false),
         coalesce(bool_or(type = 'user.interrupt'), false)
    into messages, interrupts
    from events where session_id = s.id and processed_at is null;
  if idle ->> 'stop' = 'requires_action' then
    return not interrupts and s.wake_at is null and open_waits(s) <> '[]'
       and (s.status = 'idle' or not (idle ->> 'again')::boolean);
  end if;
  if idle ->> 'stop' = 'budget_reached' then
    return is_over_budget(s, at);
  end if;
  return interrupts or not messages or not (idle ->> 'unless_messages')::boolean;
end $$;

-- Goes idle: stamps what the end of the turn settles, and appends its events. Whatever the cap says
-- about that end is decided here, where the cost is known.
create function go_idle(s sessions, idle jsonb, at timestamptz) returns sessions
language plpgsql as $$
declare
  n     bigint;
  why   text := idle ->> 'stop';
  list  jsonb := idle -> 'events';
begin
  if why <> 'requires_action' then
    n := consume_events(s, s.last_seq, 'interrupt', at);
    s.last_position := s.last_position + n;
    n := consume_events(s, s.last_seq, 'answer', at);
    s.last_position := s.last_position + n;
    if (idle ->> 'flush')::boolean then
      n := consume_events(s, s.last_seq, 'message', at);
      s.last_position := s.last_position + n;
    end if;
    s.waits := '{}';
    s.wake_at := null;
    s.is_held := why = 'budget_reached';
    if not s.is_held then
      s.turn_over := s.turn;
    end if;
    -- An interrupt that found nothing to stop, or a pause that clients know of. The pause of a turn
    -- that never began, behind one that failed or was refused, is news to them.
    if s.status = 'idle' and s.stop_reason is distinct from 'requires_action'
       and (why <> 'budget_reached' or s.stop_reason = why)
       and not (idle ->> 'always')::boolean then
      return s;
    end if;
  end if;
  s.active_ms := active_ms_at(s, at);
  s.running_since := null;
  s.status := 'idle';
  s.first_idle_at := coalesce(s.first_idle_at, at);
  if why = 'end_turn' and is_over_budget(s, at) then
    why := 'budget_reached';
    select jsonb_agg(case when e -> 'body' ->> 'type' = 'session.status_idle'
             then jsonb_set(e, '{body,stop_reason}', '{"type": "budget_reached"}') else e end
             order by ord)
      into list from jsonb_array_elements(list) with ordinality as t (e, ord);
  end if;
  s.stop_reason := why;
  n := insert_events(s, list, at);
  s.last_seq := s.last_seq + n;
  s.last_position := s.last_position + n;
  return s;
end $$;

-- Adds what a model request used to the session's counters. No cost: its model has no list price.
create function count_usage(s sessions, used jsonb) returns sessions
language plpgsql immutable as $$
begin
  s.input_tokens := s.input_tokens + (used ->> 'input_tokens')::bigint;
  s.output_tokens := s.output_tokens + (used ->> 'output_tokens')::bigint;
  s.cache_read_input_tokens :=
    s.cache_read_input_tokens + (used ->> 'cache_read_input_tokens')::bigint;
  s.cache_creation_5m_tokens :=
    s.cache_creation_5m_tokens + (used ->> 'cache_creation_5m_tokens')::bigint;
  s.cache_creation_1h_tokens :=
    s.cache_creation_1h_tokens + (used ->> 'cache_creation_1h_tokens')::bigint;
  s.web_searches := s.web_searches + coalesce((used ->> 'web_searches')::bigint, 0);
  if used ->> 'cost' is null then
    s.is_unpriced := true;
  else
    s.list_cost := s.list_cost + (used ->> 'cost')::numeric;
    s.price_version := coalesce(used ->> 'price_version', s.price_version);
  end if;
  return s;
end $$;

create function append_events(p jsonb) returns jsonb
language plpgsql as $$
declare
  s           sessions;
  stored      jsonb;
  at          timestamptz;
  n           bigint;
  before      bigint;
  idled       boolean := false;
  messages    bigint;
  interrupts  bigint;
  answers     bigint;
  answer      jsonb;
begin
  select * into s from sessions where id = p ->> 'session_id' for update;
  if not found or s.deleted_at is not null or s.status = 'terminated' then
    return jsonb_build_object('outcome', 'ended');
  end if;
  if p ->> 'step_key' is not null then
    select result into stored from steps
     where session_id = s.id and step_key = p ->> 'step_key';
    if found then
      return jsonb_build_object('outcome', 'repeated', 'result', stored);
    end if;
  end if;
  -- An attempt that its engine gave up comes late: the turn ended without it.
  if (p ->> 'turn')::integer <= s.turn_over then
    return jsonb_build_object('outcome', 'overtaken');
  end if;

  at := date_trunc('milliseconds', clock_timestamp());   -- as precise as what is served
  before := s.last_seq;
  if p ? 'usage' then
    s := count_usage(s, p -> 'usage');
  end if;
  s.web_searches := s.web_searches + coalesce((p ->> 'searches')::bigint, 0);
  if p ->> 'status' = 'rescheduling' then
    s.active_ms := active_ms_at(s, at);
    s.running_since := null;
    s.status := 'rescheduling';
  end if;
  if p ? 'takes' then
    update events e
       set processed_at = at, position = s.last_position + t.ord
      from (select w.value ->> 'event' as id, row_number() over (order by w.value -> 'seq') as ord
              from jsonb_each(s.waits) w
             where p -> 'takes' ? w.key and w.value ->> 'answer' <> 'result') t
     where e.session_id = s.id and e.id = t.id;
    get diagnostics n = row_count;
    s.last_position := s.last_position + n;
    s.waits := s.waits - array(select jsonb_array_elements_text(p -> 'takes'));
    if not exists (select 1 from jsonb_each(s.waits) w where w.value ? 'answer') then
      s.wake_at := null;
    end if;
    if s.status = 'idle' and open_waits(s) = '[]' then
      n := insert_events(s, p -> 'announcing', at);
      s.last_seq := s.last_seq + n;
      s.last_position := s.last_position + n;
      s.status := 'running';
      s.stop_reason := null;
      s.running_since := at;
    end if;
  end if;
  n := insert_events(s, coalesce(p -> 'events', '[]'), at);
  s.last_seq := s.last_seq + n;
  s.last_position := s.last_position + n;
  if p ? 'is_compaction' then
    s.compacted_position := s.last_position;
  end if;
  if p ? 'waits' then
    s.waits := s.waits || (p -> 'waits');
  end if;
  if p ? 'idle' and may_go_idle(s, p -> 'idle', at) then
    s := go_idle(s, p -> 'idle', at);
    idled := true;
  end if;

  select max(seq) filter (where type = 'user.message'),
         max(seq) filter (where type = 'user.interrupt')
    into messages, interrupts
    from events where session_id = s.id and processed_at is null;
  if s.waits <> '{}' then
    select max((w.value ->> 'seq')::bigint) into answers from jsonb_each(s.waits) w;
  end if;
  -- Only what says something: a workflow's history holds one of these for every step.
  answer := coalesce(p -> 'result', '{}') || jsonb_strip_nulls(jsonb_build_object(
    'seq', s.last_seq, 'idle', nullif(idled, false),
    'messagesThrough', messages, 'interruptsThrough', interrupts, 'answersThrough', answers));
  if p ->> 'step_key' is not null then
    insert into steps (session_id, step_key, workspace_id, result)
    values (s.id, p ->> 'step_key', s.workspace_id, answer);
  end if;
  update sessions set
    last_seq = s.last_seq, last_position = s.last_position, status = s.status,
    stop_reason = s.stop_reason, waits = s.waits, wake_at = s.wake_at, is_held = s.is_held,
    turn_over = s.turn_over,
    input_tokens = s.input_tokens, output_tokens = s.output_tokens,
    cache_read_input_tokens = s.cache_read_input_tokens,
    cache_creation_5m_tokens = s.cache_creation_5m_tokens,
    cache_creation_1h_tokens = s.cache_creation_1h_tokens,
    compacted_position = s.compacted_position,
    web_searches = s.web_searches, list_cost = s.list_cost, price_version = s.price_version,
    is_unpriced = s.is_unpriced,
    active_ms = s.active_ms, running_since = s.running_since, first_idle_at = s.first_idle_at,
    updated_at = at
  where id = s.id;
  if s.last_seq > before then
    perform pg_notify('holdfast_events', s.id || ' ' || s.last_seq);
  end if;
  return jsonb_build_object('outcome', 'appended', 'result', answer);
end $$;

-- endTurn: from here on no model request of the turn is taken. Answers the calls of the round that
-- have no result; a reply that came too late may have asked for some that nobody knows.
create function end_turn(p jsonb) returns jsonb
language plpgsql as $$
declare
  t     integer := (p ->> 'turn')::integer;
  base  text := 't' || t || '.r' || (p ->> 'round');
begin
  update sessions set turn = greatest(turn, t), turn_over = greatest(turn_over, t)
   where id = p ->> 'session_id';
  return (
    select coalesce(jsonb_agg(c), '[]')
      from steps s, jsonb_array_elements(coalesce(s.result -> 'calls', '[]')) c
     where s.session_id = p ->> 'session_id'
       and (s.step_key = base or starts_with(s.step_key, base || '.c'))
       and not exists (select 1 from steps r
                        where r.session_id = s.session_id and r.step_key = c ->> 'id'));
end $$;
