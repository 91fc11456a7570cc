-- beginModelCall: the first append of a model call and everything the call reads, in one lock and
-- one round trip, so that what is consumed is exactly what is sent. Outcomes: begun, done (an
-- earlier attempt finished the step: its answer), overtaken (the turn ended without this attempt),
-- nothing_new, budget_reached, rounds_reached, ended. A compaction reads what was processed, and
-- consumes nothing.
create function begin_model_call(p jsonb) returns jsonb
language plpgsql as $$
declare
  s         sessions;
  stored    jsonb;
  rows      jsonb;
  waiting   bigint;
  news      boolean;
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
  elsif (p ->> 'turn')::integer <= s.turn_over then
    return jsonb_build_object('outcome', 'overtaken');
  end if;
  is_start := s.turn < (p ->> 'turn')::integer;
  select max(seq), bool_or(type = 'user.message') into waiting, news from events
   where session_id = s.id and processed_at is null and event_kind(type) = 'message';
  if p ? 'is_compaction' then
    waiting := null;
  elsif is_start and not coalesce(news, false) then
    return jsonb_build_object('outcome', 'nothing_new', 'seq', s.last_seq);
  end if;
  at := date_trunc('milliseconds', clock_timestamp());
  if is_over_budget(s, at) then
    return jsonb_build_object('outcome', 'budget_reached');
  elsif (p ->> 'round')::integer
        > substring(s.metadata ->> 'holdfast.turn_rounds_max' from '^\d{1,5}$')::integer then
    return jsonb_build_object('outcome', 'rounds_reached');
  end if;
  select coalesce(jsonb_agg(jsonb_build_object(
           'seq', seq, 'position', position, 'type', type, 'content', body -> 'content',
           'isError', coalesce((body ->> 'is_error')::boolean, false),
           'replyContent', private -> 'content', 'toolUseId', private ->> 'tool_use_id',
           'summary', private ->> 'summary')
           order by position nulls last, seq), '[]')
    into rows from events
   where session_id = s.id and thread_id = p ->> 'thread_id'
     and (position > greatest((p ->> 'after_position')::bigint, s.compacted_position - 1)
          or (processed_at is null and event_kind(type) = 'message' and not p ? 'is_compaction'))
     and (type in ('user.message', 'system.message', 'agent.tool_result', 'agent.mcp_tool_result',
                   'user.custom_tool_result', 'user.tool_result')
          or private ?| array['content', 'summary']);

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
    last_seq = s.last_seq, last_position = s.last_position + n,
    status = 'running', stop_reason = null, wake_at = null, is_held = false,
    turn = greatest(turn, (p ->> 'turn')::integer), running_since = coalesce(running_since, at),
    first_running_at = coalesce(first_running_at, at), updated_at = at
  where id = s.id;
  perform pg_notify('holdfast_events', s.id || ' ' || s.last_seq);
  return jsonb_build_object('outcome', 'begun', 'agent', s.agent, 'rows', rows, 'seq', s.last_seq,
                            'consumedThrough', coalesce(waiting, 0));
end $$;
