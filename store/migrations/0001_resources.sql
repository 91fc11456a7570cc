-- Resources: what a client creates by name. Bodies are the documented wire shapes as jsonb, so that
-- the store never renames a documented key; columns exist only for what SQL must filter, sort or
-- lock.

-- A point in time as the wire writes it (RFC 3339, UTC, microseconds): pages are cut at it, so it
-- must lose nothing on the way to a client and back.
create function wire_time(t timestamptz) returns text
  language sql stable parallel safe
  return to_char(t at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

create table workspaces (
  id          text primary key,
  name        text not null,
  created_at  timestamptz not null default now()
);

-- A key is stored as its sha256; the plain text exists only in its holder's hands.
create table api_keys (
  key_hash      bytea primary key,
  id            text not null unique,       -- what people and logs call it by
  ending        text not null,              -- its last characters, for its holder
  workspace_id  text not null references workspaces (id),
  name          text not null,
  created_at    timestamptz not null default now(),
  last_used_at  timestamptz,                -- to the minute
  revoked_at    timestamptz
);

create table agents (
  id            text primary key,
  workspace_id  text not null references workspaces (id),
  version       integer not null,           -- newest version
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  archived_at   timestamptz
);
create index agents_page on agents (workspace_id, created_at, id);

create table agent_versions (
  agent_id      text not null references agents (id),
  version       integer not null,
  workspace_id  text not null references workspaces (id),
  body          jsonb not null,             -- the versioned fields of the agent, wire shape
  created_at    timestamptz not null,
  primary key (agent_id, version)
);

create table environments (
  id            text primary key,
  workspace_id  text not null references workspaces (id),
  name          text not null,
  body          jsonb not null,             -- description, metadata, config, scope: wire shape
  created_at    timestamptz not null,
  updated_at    timestamptz not null,
  archived_at   timestamptz
);
create unique index environments_name on environments (workspace_id, name)
  where archived_at is null;
create index environments_page on environments (workspace_id, created_at, id);

-- One row a session, nothing else until its first event. The row is also the lock that puts all of
-- the session's appends in one order. `waits` is {<id of the call's event>: {"for": "confirmation"
-- | "result"}}; an accepted answer adds "answer" ("allow", "deny" or "result") with the "seq" and
-- "event" that gave it, and the entry goes when the session's workflow has taken the answer up.
create table sessions (
  id                 text primary key,
  workspace_id       text not null references workspaces (id),
  agent_id           text not null,
  agent_version      integer not null,
  agent              jsonb not null,        -- resolved snapshot, wire shape
  environment_id     text not null,
  environment        jsonb not null,        -- config snapshot: sessions keep what they began with
  title              text,
  metadata           jsonb not null default '{}',
  budget             jsonb,                 -- wire shape; null: none, or removed
  status             text not null default 'idle',
  stop_reason        text,                  -- of the newest idle; null while the session runs
  waits              jsonb not null default '{}',   -- tool calls that wait for a client, see below
  wake_at            timestamptz,           -- news that no waiting event tells of, not yet taken up
  is_held            boolean not null default false,  -- the budget holds a turn that is not over
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  archived_at        timestamptz,
  deleted_at         timestamptz,           -- tombstone: readers of the stream learn of the end
  released_at        timestamptz,           -- after its end: the workflow has let go of the sandbox

  last_seq           bigint not null default 0,
  last_position      bigint not null default 0,
  turn               integer not null default 0,
  turn_over          integer not null default 0,  -- newest turn that nothing may be added to
  compacted_position bigint not null default 0,   -- the conversation begins here (a summary)

  input_tokens              bigint not null default 0,
  output_tokens             bigint not null default 0,
  cache_read_input_tokens   bigint not null default 0,
  cache_creation_5m_tokens  bigint not null default 0,
  cache_creation_1h_tokens  bigint not null default 0,
  web_searches              bigint not null default 0,
  list_cost                 numeric not null default 0,   -- of model tokens, exact US dollars
  price_version             text,
  is_unpriced               boolean not null default false,   -- tokens without a list price
  active_ms                 bigint not null default 0,
  running_since             timestamptz,
  first_running_at          timestamptz,
  first_idle_at             timestamptz,

  sent_at            timestamptz,           -- newest send and its size, and the newest stream edge:
  sent_seq           bigint,                -- the late reader's rule
  streamed_seq       bigint                 -- what a stream has surely shown (late reader's rule)
);
create index sessions_page on sessions (workspace_id, created_at, id) where deleted_at is null;
alter table sessions set (fillfactor = 70);
create index sessions_deleted on sessions (deleted_at) where deleted_at is not null;
create index sessions_unreleased on sessions (archived_at)
  where archived_at is not null and released_at is null;
create index sessions_waking on sessions (wake_at) where wake_at is not null;
