-- The narrow waist in one round trip each. All of them lock the session's row first: that makes seq
-- commit-ordered, so a reader that asks for "seq > cursor" never misses a late commit, and it
-- decides every race (interrupt against finish, archive against message) in one place.

-- What a client's event is to the turn: something to read, an answer to a call, or an interrupt.
create function event_kind(type text) returns text
language sql immutable parallel safe as $$
  select case type
    when 'user.interrupt' then 'interrupt'
    when 'user.tool_confirmation' then 'answer'
    when 'user.custom_tool_result' then 'answer'
    when 'user.tool_result' then 'answer'
    else 'message' end
$$;

-- Time in status running, up to a moment, in milliseconds.
create function active_ms_at(s sessions, at timestamptz) returns bigint
language sql immutable as $$
  select s.active_ms + coalesce(extract(epoch from at - s.running_since) * 1000, 0)::bigint
$$;

-- List cost so far in exact US dollars: tokens, $10 per 1,000 searches, $0.08 per hour of running
-- (docs: managed-agents/budgets).
create function consumed_cost(s sessions, at timestamptz) returns numeric
language sql immutable as $$
  select s.list_cost + s.web_searches * 0.01 + active_ms_at(s, at) * 0.08 / 3600000
$$;

-- Whether no further model request may be made: the cap is reached, or cannot be measured.
create function is_over_budget(s sessions, at timestamptz) returns boolean
language sql immutable as $$
  select s.budget is not null
     and (s.is_unpriced
          or consumed_cost(s, at) * 100 >= (s.budget -> 'max_list_cost' ->> 'amount')::numeric)
$$;

-- The usage a client sees, from the counters of a session's row; no cost where a price is unknown.
create function usage_snapshot(s sessions, at timestamptz) returns jsonb
language sql immutable as $$
  select jsonb_build_object(
    'input_tokens', s.input_tokens,
    'output_tokens', s.output_tokens,
    'cache_read_input_tokens', s.cache_read_input_tokens,
    'cache_creation', jsonb_build_object(
      'ephemeral_5m_input_tokens', s.cache_creation_5m_tokens,
      'ephemeral_1h_input_tokens', s.cache_creation_1h_tokens),
    'active_seconds', round(active_ms_at(s, at) / 1000.0, 3))
    || case when s.web_searches = 0 then '{}'::jsonb else jsonb_build_object('server_tool_use',
         jsonb_build_object('web_search_requests', s.web_searches, 'web_fetch_requests', 0)) end
    || case when s.is_unpriced then '{}'::jsonb else jsonb_build_object('list_cost',
         jsonb_build_object('amount', round(consumed_cost(s, at) * 100)::text,
                            'currency', 'USD')) end
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

-- Calls that a client has yet to answer, oldest first.
create function open_waits(s sessions) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(e.id order by e.seq), '[]')
    from jsonb_each(s.waits) w join events e on e.session_id = s.id and e.id = w.key
   where not w.value ? 'answer'
$$;

-- Numbers and inserts a list of events, skipping those that are in the log already. The caller
-- holds the row lock and passes the last numbers used; the answer is how many were added. Some
-- kinds carry what only the session's row knows.
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
         case when e -> 'body' ->> 'type' = 'session.usage'
              then e -> 'body'
                   || jsonb_build_object('usage', usage_snapshot(s, at), 'budget', s.budget)
              else e -> 'body' end
         || case when e -> 'body' ->> 'type' like 'session.thread_status_%'
              then jsonb_build_object('agent_name', s.agent ->> 'name') else '{}' end
         || case when e -> 'body' -> 'stop_reason' ->> 'type' = 'requires_action'
              then jsonb_build_object('stop_reason', jsonb_build_object(
                     'type', 'requires_action', 'event_ids', open_waits(s)))
              else '{}' end,
         nullif(e -> 'private', 'null'), at, at
    from jsonb_array_elements(list) with ordinality as t (e, ord)
   where not exists (select 1 from events x where x.session_id = s.id and x.id = e ->> 'id');
  get diagnostics added = row_count;
  return added;
end $$;

-- Stamps waiting client events of a kind as processed, in their order; the answer is how many.
create function consume_events(s sessions, through bigint, kind text, at timestamptz) returns bigint
language plpgsql as $$
declare stamped bigint;
begin
  update events e
     set processed_at = at, position = s.last_position + n.ord
    from (select id, row_number() over (order by seq) as ord
            from events
           where session_id = s.id and processed_at is null and seq <= through
             and event_kind(type) = kind) n
   where e.session_id = s.id and e.id = n.id;
  get diagnostics stamped = row_count;
  return stamped;
end $$;
