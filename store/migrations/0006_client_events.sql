-- What a client sends, and the ends it may put to a session. Each of these holds the session's row,
-- so that two clients at once have an order, and the second is told what the first one did.

-- Why a client's answer to a tool call cannot be taken; null where it can. An interrupt that stands
-- before it in the queue closes the call, so nothing may answer it any more.
create function answer_problem(s sessions, e jsonb, interrupted boolean) returns text
language plpgsql stable as $$
declare
  named  text := coalesce(e ->> 'tool_use_id', e ->> 'custom_tool_use_id');
  wait   jsonb := s.waits -> named;
  call   events;
begin
  select * into call from events where session_id = s.id and id = named;
  if not found or call.type not in
       ('agent.tool_use', 'agent.mcp_tool_use', 'agent.custom_tool_use') then
    return 'unknown_call';
  elsif e ->> 'type' = 'user.tool_result' then
    return 'not_self_hosted';
  elsif (e ->> 'type' = 'user.custom_tool_result') <> (call.type = 'agent.custom_tool_use') then
    return 'wrong_kind';
  elsif e ->> 'type' = 'user.tool_confirmation'
        and coalesce(call.body ->> 'evaluated_permission', '') <> 'ask' then
    return 'not_asked';
  elsif wait is null or wait ? 'answer' then
    return 'answered';
  elsif interrupted then
    return 'interrupted';
  end if;
  return null;
end $$;

-- Checks a batch against the state of its session, event by event, as if each were sent alone after
-- the one before it. Answers the session's `waits` with the answers noted, or what is wrong.
create function check_batch(s sessions, list jsonb, out waits jsonb, out problem jsonb)
language plpgsql stable as $$
declare
  e            jsonb;
  ord          bigint;
  before       text;
  named        text;
  why          text;
  interrupted  boolean;
begin
  select exists (select 1 from events where session_id = s.id and processed_at is null
                  and type = 'user.interrupt') into interrupted;
  for e, ord in select t.e, t.ord from jsonb_array_elements(list) with ordinality t (e, ord) loop
    why := null;
    case event_kind(e ->> 'type')
      when 'interrupt' then
        interrupted := true;
      when 'answer' then
        why := answer_problem(s, e, interrupted);
        named := coalesce(e ->> 'tool_use_id', e ->> 'custom_tool_use_id');
        if why is null then
          s.waits := jsonb_set(s.waits, array[named], (s.waits -> named) || jsonb_build_object(
            'answer', coalesce(e ->> 'result', 'result'), 'event', e ->> 'id',
            'seq', s.last_seq + ord));
        end if;
      else
        if s.status = 'idle' and s.stop_reason = 'budget_reached' then
          why := 'budget_reached';
        elsif s.status = 'idle' and s.stop_reason = 'requires_action' and not interrupted
              and (e ->> 'type' <> 'system.message'
                   or before is null or event_kind(before) <> 'answer')
              and open_waits(s) <> '[]' then
          why := 'requires_action';
        elsif e ->> 'type' = 'system.message' and before is null
              and (s.status <> 'idle' or s.stop_reason not in ('end_turn', 'refusal')) then
          why := 'system_alone';
        end if;
    end case;
    if why is not null then
      problem := jsonb_build_object('error', why, 'index', ord - 1, 'type', e ->> 'type',
        'call', coalesce(e ->> 'tool_use_id', e ->> 'custom_tool_use_id'));
      return;
    end if;
    before := e ->> 'type';
  end loop;
  waits := s.waits;
end $$;

-- Inserts a checked batch and answers its rows as they will be served. Some events are processed as
-- they are taken: results of custom tools (behaviour 6.2), an interrupt of a session that has
-- nothing to stop, a system message that goes with no other event.
create function insert_batch(s sessions, p jsonb, list jsonb, at timestamptz) returns jsonb
language plpgsql as $$
declare rows jsonb;
begin
  with sent as (
    select e, ord, e ->> 'type' as type,
           coalesce(e ->> 'tool_use_id', e ->> 'custom_tool_use_id') as named,
           e ->> 'type' in ('user.custom_tool_result', 'user.tool_result')
             or (e ->> 'type' = 'user.interrupt' and s.status = 'idle'
                 and s.stop_reason is distinct from 'requires_action')
             or (e ->> 'type' = 'system.message' and ord = 1) as is_processed
      from jsonb_array_elements(list) with ordinality as t (e, ord)),
  done as (
    insert into steps (session_id, step_key, workspace_id, result)
    select s.id, named, s.workspace_id, '{}' from sent
     where type in ('user.custom_tool_result', 'user.tool_result')),
  added as (
    insert into events (session_id, id, workspace_id, thread_id, seq, position, type, body, private,
                        created_at, processed_at)
    select s.id, e ->> 'id', s.workspace_id, p ->> 'thread_id', s.last_seq + ord,
           case when is_processed then s.last_position + ord end, type, e,
           case when named is not null then (select jsonb_build_object(
             'tool_use_id', c.private ->> 'tool_use_id')
             from events c where c.session_id = s.id and c.id = named) end,
           at, case when is_processed then at end
      from sent
    returning id, seq, type, body, processed_at)
  select jsonb_agg(jsonb_build_object('seq', seq, 'body', body, 'processed_at', processed_at)
                   order by seq)
    into rows from added;
  return rows;
end $$;

-- acceptEvents: a client's batch, all or nothing. Answers {error} or the rows as they will be
-- served, and what a session workflow needs to start.
create function accept_events(p jsonb) returns jsonb
language plpgsql as $$
declare
  s         sessions;
  at        timestamptz;
  earlier   sends;
  list      jsonb := p -> 'events';
  sent      text := p -> 'events' -> 0 ->> 'id';
  rows      jsonb;
  noted     jsonb;
  problem   jsonb;
  n         bigint;
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
       and (send_id = sent
            or idempotency_key = p ->> 'idempotency_key'
            or (created_at > at - interval '60 seconds' and answered_at is null
                and request_hash = p ->> 'request_hash'
                and idempotency_key is null and p ->> 'idempotency_key' is null
                and instance <> (p ->> 'instance')::bigint))
     order by created_at
  loop
    -- This very send, asked again because our answer to its commit was lost.
    if earlier.send_id = sent then
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
  -- A paused session has nothing to interrupt; the event is taken and forgotten (behaviour 6.7).
  if s.status = 'idle' and s.stop_reason = 'budget_reached' then
    select coalesce(jsonb_agg(e order by ord), '[]') into list
      from jsonb_array_elements(list) with ordinality as t (e, ord)
     where e ->> 'type' <> 'user.interrupt';
  end if;
  select c.waits, c.problem into noted, problem from check_batch(s, list) c;
  if problem is not null then
    return problem;
  end if;

  rows := coalesce(insert_batch(s, p, list, at), '[]');
  n := jsonb_array_length(list);
  insert into sends (session_id, send_id, workspace_id, request_hash, idempotency_key, instance,
                     response)
  values (s.id, sent, s.workspace_id, p ->> 'request_hash', p ->> 'idempotency_key',
          (p ->> 'instance')::bigint, rows);
  if n > 0 then
    update sessions
       set last_seq = s.last_seq + n, last_position = s.last_position + n, updated_at = at,
           waits = noted, sent_at = at, sent_seq = s.last_seq + 1,
           wake_at = case when noted = s.waits then wake_at else at end
     where id = s.id;
    perform pg_notify('holdfast_events', s.id || ' ' || (s.last_seq + n));
  end if;
  return jsonb_build_object('outcome', 'accepted', 'events', rows, 'send_id', sent,
                            'start', start_facts(s));
end $$;

-- Archive or delete, refused while the session runs. Archiving twice changes nothing. A deleted
-- session keeps one row and its last event for the readers of its stream; all else goes.
create function end_session(p jsonb) returns jsonb
language plpgsql as $$
declare
  s     sessions;
  at    timestamptz;
  n     bigint;
  kind  text;
begin
  select * into s from sessions
   where id = p ->> 'session_id' and workspace_id = p ->> 'workspace_id' and deleted_at is null
     for update;
  if not found then
    return jsonb_build_object('error', 'not_found');
  end if;
  -- Accepted work makes a session run, also before its workflow has heard of it. What the budget
  -- holds back is no work.
  if s.status in ('running', 'rescheduling')
     or (s.wake_at is not null and (open_waits(s) = '[]' or s.is_held))
     or (not s.is_held and exists (select 1 from events
                 where session_id = s.id and processed_at is null and type = 'user.message')) then
    return jsonb_build_object('error',
      case s.status when 'rescheduling' then s.status else 'running' end);
  end if;
  at := date_trunc('milliseconds', clock_timestamp());
  if p ->> 'how' = 'archive' and s.status = 'terminated' then
    return jsonb_build_object('outcome', 'already');
  end if;

  foreach kind in array array['interrupt', 'answer', 'message'] loop
    n := consume_events(s, s.last_seq, kind, at);
    s.last_position := s.last_position + n;
  end loop;
  n := insert_events(s, p -> 'events', at);
  update sessions
     set last_seq = last_seq + n, last_position = s.last_position + n, status = 'terminated',
         updated_at = at, archived_at = coalesce(archived_at, at), waits = '{}', wake_at = null,
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
