-- The event log: append-only, one gap-free sequence a session. Only processed_at and position are
-- ever set later, once, when a client's event is consumed.

create table events (
  session_id    text not null references sessions (id),
  id            text not null,
  workspace_id  text not null,
  thread_id     text not null,
  seq           bigint not null,            -- order of the stream
  position      bigint,                     -- order of history: given with processed_at
  type          text not null,
  body          jsonb not null,             -- wire shape without processed_at
  private       jsonb,                      -- what only the transcript reads; never served
  created_at    timestamptz not null,
  processed_at  timestamptz,
  primary key (session_id, id)
);
create unique index events_seq on events (session_id, seq);
create index events_position on events (session_id, position);
create index events_waiting on events (session_id, seq) where processed_at is null;

-- One row for each finished step: a retried activity finds its own result instead of acting again.
create table steps (
  session_id    text not null references sessions (id),
  step_key      text not null,
  workspace_id  text not null,
  result        jsonb not null,
  created_at    timestamptz not null default now(),
  primary key (session_id, step_key)
);

-- Sends of the last minute: the same request, repeated because its answer never arrived, gets the
-- first result instead of a second user turn.
create table sends (
  session_id       text not null references sessions (id),
  send_id          text not null,           -- id of the send's first event
  workspace_id     text not null,
  request_hash     text not null,
  idempotency_key  text,
  instance         bigint not null,         -- advisory lock its API process holds while it lives
  response         jsonb not null,
  answered_at      timestamptz,
  created_at       timestamptz not null default now(),
  primary key (session_id, send_id)
);
create index sends_created on sends (created_at);

-- Which machines run sandboxes, and when each was last heard.
create table hosts (
  id          text primary key,
  seen_at     timestamptz not null,
  started_at  timestamptz not null
);
