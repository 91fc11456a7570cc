-- The narrow waist in one round trip each. All of them lock the session's row first: that makes seq
-- commit-ordered, so a reader that asks for "seq > cursor" never misses a late commit, and it
-- decides every race (interrupt against finish, archive against message) in one place.

-- The usage a client sees, from the counters of a session's row.
create function usage_snapshot(s sessions, active_ms bigint) returns jsonb
language sql immutable as $$
  select jsonb_build_object(
    'input_tokens', s.input_tokens,
    'output_tokens', s.output_tokens,
    'cache_read_input_tokens', s.cache_read_input_tokens,
    'cache_creation', jsonb_build_object(
      'ephemeral_5m_input_tokens', s.cache_creation_5m_tokens,
      'ephemeral_1h_input_tokens', s.cache_creation_1h_tokens),
    'active_seconds', round(active_ms / 1000.0, 3))
$$;

-- What a session's workflow starts from, when no run is open.
create function start_facts(s sessions) returns jsonb
language sql immutable as $$
  select jsonb_build_object(
    'turn', s.turn, 'title', s.title, 'agentId', s.agent_id,
    'agentName', coalesce(s.agent ->> 'name', ''),
    'model', coalesce(s.agent -> 'model' ->> 'id', ''),
    'usesSandbox', coalesce(s.agent -> 'tools' @> '[{"type": "agent_toolset_20260401"}]', false))
$$;

-- Numbers and inserts a list of events, skipping those that are in the log already. The caller
-- holds the row lock and passes the last numbers used; the answer is how many were added.
create function insert_events(s sessions, list jsonb, at timestamptz) returns bigint
language plpgsql as $$
declare added bigint;
begin
  insert into events (session_id, id, workspace_id, thread_id, seq, position, type, body, private,
                      created_at, processed_at)
  select s.id, e ->> 'id', s.workspace_id, e ->> 'thread_id',
         s.last_seq + row_number() over (order by ord),
         s.last_position + row_number() over (order by ord),
         e -> 'body' ->> 'type',
         -- Two kinds carry what only the session's row knows.
         case when e -> 'body' ->> 'type' = 'session.usage'
              then e -> 'body' || jsonb_build_object('usage', usage_snapshot(s, s.active_ms))
              when e -> 'body' ->> 'type' like 'session.thread_status_%'
              then e -> 'body' || jsonb_build_object('agent_name', s.agent ->> 'name')
              else e -> 'body' end,
         nullif(e -> 'private', 'null'), at, at
    from jsonb_array_elements(list) with ordinality as t (e, ord)
   where not exists (select 1 from events x where x.session_id = s.id and x.id = e ->> 'id');
  get diagnostics added = row_count;
  return added;
end $$;

-- Stamps waiting client events as processed, in their order; the answer is how many.
create function consume_events(s sessions, through bigint, kind text, at timestamptz) returns bigint
language plpgsql as $$
declare stamped bigint;
begin
  update events e
     set processed_at = at, position = s.last_position + n.ord
    from (select id, row_number() over (order by seq) as ord
            from events
           where session_id = s.id and processed_at is null and seq <= through
             and (type = 'user.interrupt') = (kind = 'interrupt')) n
   where e.session_id = s.id and e.id = n.id;
  get diagnostics stamped = row_count;
  return stamped;
end $$;

-- appendEvents (store/events.ts documents the argument). Outcomes: appended, repeated (the step is
-- done: its stored result), ended (archived or deleted: nothing was written).
create function append_events(p jsonb) returns jsonb
language plpgsql as $$
declare
  s           sessions;
  stored      jsonb;
  at          timestamptz;
  n           bigint;
  before      bigint;
  idle        jsonb := nullif(p -> 'idle', 'null');
  idled       boolean := false;
  messages    bigint;
  interrupts  bigint;
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

  at := date_trunc('milliseconds', clock_timestamp());   -- as precise as what is served
  before := s.last_seq;
  if p ? 'usage' then
    s.input_tokens := s.input_tokens + (p -> 'usage' ->> 'input_tokens')::bigint;
    s.output_tokens := s.output_tokens + (p -> 'usage' ->> 'output_tokens')::bigint;
    s.cache_read_input_tokens :=
      s.cache_read_input_tokens + (p -> 'usage' ->> 'cache_read_input_tokens')::bigint;
    s.cache_creation_5m_tokens :=
      s.cache_creation_5m_tokens + (p -> 'usage' ->> 'cache_creation_5m_tokens')::bigint;
    s.cache_creation_1h_tokens :=
      s.cache_creation_1h_tokens + (p -> 'usage' ->> 'cache_creation_1h_tokens')::bigint;
  end if;
  if p ->> 'status' = 'rescheduling' then
    s.status := 'rescheduling';
    s.active_ms := s.active_ms + coalesce(extract(epoch from at - s.running_since) * 1000, 0);
    s.running_since := null;
  end if;
  n := insert_events(s, coalesce(p -> 'events', '[]'), at);
  s.last_seq := s.last_seq + n;
  s.last_position := s.last_position + n;

  select max(seq) filter (where type <> 'user.interrupt'),
         max(seq) filter (where type = 'user.interrupt')
    into messages, interrupts
    from events where session_id = s.id and processed_at is null;
  -- The barrier before idle: a message that came in meanwhile keeps the turn going, unless an
  -- interrupt stands before it in the queue.
  if idle is not null
     and (messages is null or interrupts is not null
          or not (idle ->> 'unless_messages')::boolean) then
    n := consume_events(s, s.last_seq, 'interrupt', at);
    s.last_position := s.last_position + n;
    if (idle ->> 'flush')::boolean then
      n := consume_events(s, s.last_seq, 'message', at);
      s.last_position := s.last_position + n;
      messages := null;
    end if;
    if s.status <> 'idle' or (idle ->> 'always')::boolean then
      s.status := 'idle';
      s.active_ms := s.active_ms + coalesce(extract(epoch from at - s.running_since) * 1000, 0);
      s.running_since := null;
      s.first_idle_at := coalesce(s.first_idle_at, at);
      n := insert_events(s, idle -> 'events', at);
      s.last_seq := s.last_seq + n;
      s.last_position := s.last_position + n;
    end if;
    idled := true;
    interrupts := null;
  end if;

  -- Only what says something: a workflow's history holds one of these for every step.
  answer := coalesce(p -> 'result', '{}') || jsonb_strip_nulls(jsonb_build_object(
    'seq', s.last_seq, 'idle', nullif(idled, false),
    'messagesThrough', messages, 'interruptsThrough', interrupts));
  if p ->> 'step_key' is not null then
    insert into steps (session_id, step_key, workspace_id, result)
    values (s.id, p ->> 'step_key', s.workspace_id, answer);
  end if;
  update sessions set
    last_seq = s.last_seq, last_position = s.last_position, status = s.status,
    input_tokens = s.input_tokens, output_tokens = s.output_tokens,
    cache_read_input_tokens = s.cache_read_input_tokens,
    cache_creation_5m_tokens = s.cache_creation_5m_tokens,
    cache_creation_1h_tokens = s.cache_creation_1h_tokens,
    active_ms = s.active_ms, running_since = s.running_since, first_idle_at = s.first_idle_at,
    updated_at = at
  where id = s.id;
  if s.last_seq > before then
    perform pg_notify('holdfast_events', s.id || ' ' || s.last_seq);
  end if;
  return jsonb_build_object('outcome', 'appended', 'result', answer);
end $$;

-- beginModelCall: the first append of a model call and everything the call reads, in one lock and
-- one round trip, so that what is consumed is exactly what is sent. Outcomes: begun, done (an
-- earlier attempt finished the step: its answer), nothing_new, ended.
create function begin_model_call(p jsonb) returns jsonb
language plpgsql as $$
declare
  s         sessions;
  stored    jsonb;
  rows      jsonb;
  waiting   bigint;
  list      jsonb;
  at        timestamptz;
  n         bigint;
  is_start  boolean;
begin
  select * into s from sessions where id = p ->> 'session_id' for update;
  if not found or s.deleted_at is not null or s.status = 'terminated' then
    return jsonb_build_object('outcome', 'ended');
  end if;
  select result into stored from steps where session_id = s.id and step_key = p ->> 'step_key';
  if found then
    return jsonb_build_object('outcome', 'done', 'result', stored);
  end if;
  is_start := s.turn < (p ->> 'turn')::integer;
  select max(seq) into waiting from events
   where session_id = s.id and processed_at is null and type <> 'user.interrupt';
  if is_start and waiting is null then
    return jsonb_build_object('outcome', 'nothing_new', 'seq', s.last_seq);
  end if;
  select coalesce(jsonb_agg(jsonb_build_object(
           'seq', seq, 'position', position, 'type', type, 'content', body -> 'content',
           'isError', coalesce((body ->> 'is_error')::boolean, false),
           'replyContent', private -> 'content', 'toolUseId', private ->> 'tool_use_id')
           order by position nulls last, seq), '[]')
    into rows from events
   where session_id = s.id and thread_id = p ->> 'thread_id'
     and (position > (p ->> 'after_position')::bigint or processed_at is null)
     and (type in ('user.message', 'agent.tool_result') or private ? 'content');

  at := date_trunc('milliseconds', clock_timestamp());
  if waiting is not null then
    n := consume_events(s, waiting, 'message', at);
    s.last_position := s.last_position + n;
  end if;
  list := p -> 'closing';
  if is_start or s.status <> 'running' then
    list := list || (p -> 'announcing');
  end if;
  n := insert_events(s, list || (p -> 'events'), at);
  s.last_seq := s.last_seq + n;
  update sessions set
    last_seq = s.last_seq, last_position = s.last_position + n, status = 'running',
    turn = greatest(turn, (p ->> 'turn')::integer), running_since = coalesce(running_since, at),
    first_running_at = coalesce(first_running_at, at), updated_at = at
  where id = s.id;
  perform pg_notify('holdfast_events', s.id || ' ' || s.last_seq);
  return jsonb_build_object('outcome', 'begun', 'agent', s.agent, 'rows', rows, 'seq', s.last_seq,
                            'consumedThrough', coalesce(waiting, 0));
end $$;

-- acceptEvents: a client's batch, all or nothing. An interrupt of an idle session has nothing to
-- stop and is stamped at once. Answers {error} or the rows as they will be served, and what a
-- session workflow needs to start.
create function accept_events(p jsonb) returns jsonb
language plpgsql as $$
declare
  s         sessions;
  at        timestamptz;
  earlier   sends;
  n         bigint;
  rows      jsonb;
begin
  select * into s from sessions
   where id = p ->> 'session_id' and workspace_id = p ->> 'workspace_id' and deleted_at is null
     for update;
  if not found then
    return jsonb_build_object('error', 'not_found');
  end if;
  -- The clock is read under the lock: times follow the order in which events get their places.
  at := date_trunc('milliseconds', clock_timestamp());
  for earlier in
    select * from sends
     where session_id = s.id
       and (send_id = p -> 'events' -> 0 ->> 'id'
            or idempotency_key = p ->> 'idempotency_key'
            or (created_at > at - interval '60 seconds' and answered_at is null
                and request_hash = p ->> 'request_hash'
                and idempotency_key is null and p ->> 'idempotency_key' is null
                and instance <> (p ->> 'instance')::bigint))
     order by created_at
  loop
    -- This very send, asked again because our answer to its commit was lost.
    if earlier.send_id = p -> 'events' -> 0 ->> 'id' then
      return jsonb_build_object('outcome', 'accepted', 'events', earlier.response,
        'send_id', earlier.send_id, 'start', start_facts(s));
    end if;
    if earlier.idempotency_key is not null and earlier.request_hash <> p ->> 'request_hash' then
      return jsonb_build_object('error', 'idempotency_key_reused');
    end if;
    -- Without a key a repeat is only believed when the process that took the first one is gone:
    -- its advisory lock is free then. Shared, so that several who look at once do not take each
    -- other for it.
    if earlier.idempotency_key is not null
       or pg_try_advisory_xact_lock_shared(earlier.instance) then
      return jsonb_build_object('outcome', 'repeated', 'events', earlier.response,
                                'send_id', earlier.send_id);
    end if;
  end loop;
  if s.status = 'terminated' then
    return jsonb_build_object('error', 'terminated');
  end if;

  with added as (
    insert into events (session_id, id, workspace_id, thread_id, seq, position, type, body,
                        created_at, processed_at)
    select s.id, e ->> 'id', s.workspace_id, p ->> 'thread_id', s.last_seq + ord,
           case when e ->> 'type' = 'user.interrupt' and s.status = 'idle'
                then s.last_position + ord end,
           e ->> 'type', e, at,
           case when e ->> 'type' = 'user.interrupt' and s.status = 'idle' then at end
      from jsonb_array_elements(p -> 'events') with ordinality as t (e, ord)
    returning id, seq, type, body, processed_at)
  select jsonb_agg(jsonb_build_object('seq', seq, 'body', body, 'processed_at', processed_at)
                   order by seq),
         count(*)
    into rows, n from added;
  insert into sends (session_id, send_id, workspace_id, request_hash, idempotency_key, instance,
                     response)
  values (s.id, p -> 'events' -> 0 ->> 'id', s.workspace_id, p ->> 'request_hash',
          p ->> 'idempotency_key', (p ->> 'instance')::bigint, rows);
  update sessions
     set last_seq = s.last_seq + n, last_position = s.last_position + n, updated_at = at,
         sent_at = at, sent_seq = s.last_seq + 1
   where id = s.id;
  perform pg_notify('holdfast_events', s.id || ' ' || (s.last_seq + n));
  return jsonb_build_object('outcome', 'accepted', 'events', rows,
    'send_id', p -> 'events' -> 0 ->> 'id', 'start', start_facts(s));
end $$;

-- Archive or delete, refused while the session runs. Archiving twice changes nothing. A deleted
-- session keeps one row and its last event for the readers of its stream; all else goes.
create function end_session(p jsonb) returns jsonb
language plpgsql as $$
declare
  s   sessions;
  at  timestamptz;
  n   bigint;
begin
  select * into s from sessions
   where id = p ->> 'session_id' and workspace_id = p ->> 'workspace_id' and deleted_at is null
     for update;
  if not found then
    return jsonb_build_object('error', 'not_found');
  end if;
  -- Accepted work makes a session run, also before its workflow has heard of it.
  if s.status in ('running', 'rescheduling')
     or exists (select 1 from events
                 where session_id = s.id and processed_at is null and type <> 'user.interrupt') then
    return jsonb_build_object('error',
      case s.status when 'rescheduling' then s.status else 'running' end);
  end if;
  at := date_trunc('milliseconds', clock_timestamp());
  if p ->> 'how' = 'archive' and s.status = 'terminated' then
    return jsonb_build_object('outcome', 'already');
  end if;

  n := consume_events(s, s.last_seq, 'interrupt', at);
  s.last_position := s.last_position + n;
  n := consume_events(s, s.last_seq, 'message', at);
  s.last_position := s.last_position + n;
  n := insert_events(s, p -> 'events', at);
  update sessions
     set last_seq = last_seq + n, last_position = s.last_position + n, status = 'terminated',
         updated_at = at, archived_at = coalesce(archived_at, at),
         -- A session that never had an event has no workflow and no sandbox to let go of.
         released_at = case when s.last_seq = 0 then at else released_at end,
         deleted_at = case when p ->> 'how' = 'delete' then at end
   where id = s.id;
  if p ->> 'how' = 'delete' then
    delete from events where session_id = s.id and seq <= s.last_seq;
    delete from steps where session_id = s.id;
    delete from sends where session_id = s.id;
    update sessions set title = null, metadata = '{}', agent = '{}', environment = '{}'
     where id = s.id;
  end if;
  perform pg_notify('holdfast_events', s.id || ' ' || (s.last_seq + n));
  return jsonb_build_object('outcome', 'ended', 'start', start_facts(s));
end $$;
