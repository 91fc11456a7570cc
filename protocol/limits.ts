// Every bound of the system, named with its unit. The lowest file of the house: it imports nothing,
// so that workflow code, the runner and the scripted model can all use it. A bound whose comment
// names a source is the documented one; the others are our choice.

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────

/** Largest JSON body, in bytes; documented for session create, used for every route. */
export const REQUEST_BODY_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Deepest nesting of a JSON body; keeps every recursive walk, ours and PostgreSQL's, far from its
 * stack.
 */
export const JSON_DEPTH_MAX = 64;
/** Values in a JSON body, counted at every level; keeps the checking of one body under a second. */
export const JSON_VALUES_MAX = 250_000;
/** Longest query string value, in characters; cursors and timestamps are far shorter. */
export const QUERY_VALUE_CHARS_MAX = 1024;
/** Longest page cursor, in characters; ours are about 150. */
export const CURSOR_CHARS_MAX = 512;
/**
 * Most repetitions of one list parameter (`types[]`, `statuses[]`); documented for
 * `event_deltas[]`.
 */
export const QUERY_LIST_ENTRIES_MAX = 100;
/** Longest id accepted in a body, in characters (OpenAPI of May 2026). */
export const ID_CHARS_MAX = 128;
/** Longest value repeated in an error message, in characters; keeps messages and logs readable. */
export const ERROR_ECHO_CHARS_MAX = 80;

// ── Event log, follow and streams (store, api) ───────────────────────────────────────────────────

/**
 * Connections one process keeps to PostgreSQL; its default allows 100 for all processes together.
 */
export const DATABASE_CONNECTIONS_MAX = 20;
/**
 * Preview of an event in the signal that rings a workflow, in characters; what a person reads in
 * the UI.
 */
export const SIGNAL_PREVIEW_CHARS_MAX = 200;
/** Time between two heartbeats of a silent stream; proxies commonly cut at 30-60 s. */
export const STREAM_HEARTBEAT_MS = 15_000;
/** Re-read of the log by a follower, in case a notify got lost. */
export const FOLLOW_REREAD_MS = 5000;
/** A stream opened this long after a send still starts at that send (design.md 5, late reader). */
export const LATE_READER_MS = 5000;
/** Time in which the close of a stream is seen that a client left for the next one. */
export const LEAVING_READER_MS = 250;
/**
 * Time in which a send whose commit the database did not answer is asked about again, until it is
 * back; later the client gets an error. `ms`
 */
export const SEND_SETTLE_MS_MAX = 30_000;
/** Bodies of one page of a history; more start the next page, a single larger one is served. */
export const EVENTS_PAGE_BYTES_MAX = 32 * 1024 * 1024;
/** Longest `Idempotency-Key` header, in characters. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 255;
/**
 * Previews are gathered for this long or this many characters, whichever comes first (design.md 5).
 */
export const PREVIEW_GATHER_MS = 50;
export const PREVIEW_GATHER_CHARS_MAX = 128;

// ── Tools ────────────────────────────────────────────────────────────────────────────────────────

/** sdk 1.11.0: BetaManagedAgentsCustomToolParams.name; also the bound of an MCP tool's name. */
export const TOOL_NAME_CHARS_MAX = 128;
/**
 * Tool output kept in a result; more goes to a file in the sandbox (docs: managed-agents/tools).
 */
export const TOOL_OUTPUT_CHARS_MAX = 100_000;
/**
 * Time a local activity waits for a command before the ordinary activity takes over (design.md 7).
 */
export const LOCAL_TOOL_WINDOW_MS = 250;
/** Longest path of a unix socket, in bytes (Linux, `sun_path` without its NUL). */
export const SOCKET_PATH_BYTES_MAX = 107;

// ── Processes beside the server (main) ───────────────────────────────────────────────────────────

/**
 * Below this the server refuses to start: a database that runs full mid-write helps nobody. `bytes`
 */
export const DATA_DIRECTORY_FREE_BYTES_MIN = 64 * 1_048_576;

/** A child's log above this is set aside at its next start, one old one kept. `bytes` */
export const CHILD_LOG_BYTES_MAX = 16 * 1_048_576;

/** How often the supervisor looks whether its children live: one small file read each. `ms` */
export const CHILD_POLL_MS = 250;

/**
 * Pause before a dead child is started again, doubled up to the maximum while it keeps dying. `ms`
 */
export const CHILD_RESTART_PAUSE_MIN_MS = 100;
export const CHILD_RESTART_PAUSE_MAX_MS = 5_000;

/**
 * A child that ends this often before it ever served is not going to: the start fails with its log.
 */
export const CHILD_START_ATTEMPTS_MAX = 4;

/** A child that has not ended this long after its stop signal is killed. `ms` */
export const CHILD_STOP_MS = 4_000;

/** A process that was asked to stop has this long for all of its draining. `ms` */
export const PROCESS_DRAIN_MS = 9_500;

/**
 * Time the last answers have to be written while the API drains; then connections are cut, so that
 * no client, idle or slow, eats up the time of the rest of the draining. `ms`
 */
export const API_DRAIN_MS = 2_000;

/** A part that does not answer a health check in this time counts as away. `ms` */
export const HEALTH_CHECK_MS = 2_000;

// ── API (api) ────────────────────────────────────────────────────────────────────────────────────

/** A key is looked up again after this long, so a revoked one stops working within it. */
export const API_KEY_CACHE_MS = 10_000;
/** Keys remembered at once; a lookup costs one short query, so forgetting one is harmless. */
export const API_KEY_CACHE_ENTRIES_MAX = 1000;
/** Use of a key is written down at most this often, so that a busy one costs one write a minute. */
export const API_KEY_USE_MS = 60_000;
/**
 * Characters of a key that are kept readable, and the shortest key of which any are; of a minted
 * one they are 24 of 256 bits.
 */
export const API_KEY_ENDING_CHARS = 4;
export const API_KEY_SHOWN_CHARS_MIN = 20;
/** Longest name of a key or a workspace, in characters; a line of a list. */
export const KEY_NAME_CHARS_MAX = 100;
/** Time the command for keys has for all of its work, a database that does not answer included. */
export const KEYS_COMMAND_MS = 15_000;
/** Requests a minute, docs: managed-agents/reference; there for an organization, here for a key. */
export const HOSTED_CREATES_PER_MINUTE = 300;
export const HOSTED_READS_PER_MINUTE = 1200;
/** Buckets a process keeps, under 200 bytes each; past it the one unused longest is forgotten. */
export const RATE_BUCKETS_MAX = 10_000;
/**
 * Pause the API asks for (`retry-after`) when a key has too much under way: when that will have
 * ended nobody knows.
 */
export const CONCURRENCY_RETRY_AFTER_SECONDS = 1;
/**
 * Pause the API asks for (`retry-after`) when the database is away; a restart takes about a second.
 */
export const DATABASE_RETRY_AFTER_SECONDS = 1;

// ── Sandbox: runner, channel, containers ─────────────────────────────────────────────────────────

/**
 * Largest frame between host and runner, in bytes; an image result in base64 is the largest honest
 * one.
 */
export const RUNNER_FRAME_BYTES_MAX = 8 * 1024 * 1024;
/**
 * Largest frame that is no awaited result, in bytes: a hello, and whatever comes while no call is
 * unfinished; whoever takes a runner's place cannot make the host parse more than it asked for.
 */
export const RUNNER_SMALL_FRAME_BYTES_MAX = 4 * 1024;
/** Time for a new connection to say hello. */
export const RUNNER_HELLO_MS = 5000;
/**
 * Connections one sandbox's socket accepts at once; the runner needs one, a redial overlaps
 * briefly.
 */
export const RUNNER_CONNECTIONS_MAX = 8;
/** Small frames nobody asked for that a runner may send before it counts as tampered with. */
export const RUNNER_STRAY_FRAMES_MAX = 100;
/** Longest call id and boot id, in characters; ours are event ids of 31. */
export const RUNNER_ID_CHARS_MAX = 128;
/** Content blocks of one tool result. */
export const RUNNER_CONTENT_BLOCKS_MAX = 64;
/** Calls one sandbox has unfinished at once; the model asks for far fewer in one round. */
export const SANDBOX_CALLS_MAX = 256;
/** Finished calls a host keeps unacknowledged for one sandbox. */
export const SANDBOX_OUTCOMES_MAX = 1000;
/**
 * Ids of acknowledged calls a host remembers for one sandbox, so that an overtaken attempt does not
 * run one again in a new container; such attempts are seconds late.
 */
export const SANDBOX_ACKNOWLEDGED_MAX = 1000;
/** Records after which a host's call journal is rewritten without the acknowledged ones. */
export const CALL_JOURNAL_LINES_MAX = 2000;
/** Results a runner keeps unacknowledged, by count and by bytes; older ones become `lost`. */
export const RUNNER_RESULTS_MAX = 1000;
export const RUNNER_RESULT_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Ids of evicted and acknowledged results a runner remembers, so that a late resend is refused and
 * never run again.
 */
export const RUNNER_FORGOTTEN_MAX = 10_000;
/**
 * Time from a container's start to its runner's hello; 0.1 s is usual, a loaded machine needs more.
 */
export const RUNNER_DIAL_MS = 20_000;
/** Time a runner has to dial again while its container still runs; a redial takes about 30 ms. */
export const RUNNER_REDIAL_MS = 5000;
/**
 * Time in which the engine must say whether a container lives whose runner hung up; a restart of
 * the engine takes seconds, and a call must not hang until its own time-out. `ms`
 */
export const ENGINE_DOUBT_MS = 30_000;
/**
 * Pings while calls run, and the silence after which the runner counts as dead (a paused one is not
 * asked).
 */
export const RUNNER_PING_MS = 5000;
export const RUNNER_SILENCE_MS = 60_000;
/** Longest wait of the runner between two dials when it is not woken by the socket's directory. */
export const RUNNER_REDIAL_PAUSE_MS = 500;
/** Time a cancelled call has to end before its container is killed. */
export const CANCEL_GRACE_MS = 5000;
/** Time an interrupt waits for the commands it stops to be gone. */
export const CANCEL_WAIT_MS = 4000;
/** Default and longest time of one bash command; the default is the SDK toolset's. */
export const BASH_TIMEOUT_MS = 120_000;
export const BASH_TIMEOUT_MS_MAX = 3_600_000;
/** Longest time of a file tool. */
export const FILE_TOOL_TIMEOUT_MS = 120_000;
/** Start and end of a long output shown beside the path of the whole, in characters each. */
export const TOOL_PREVIEW_CHARS = 5000;
/**
 * Output of one command held in memory before it goes to a file, in bytes (100,000 characters fit).
 */
export const TOOL_OUTPUT_MEMORY_BYTES = 512 * 1024;
/** Output at which a command is stopped, in bytes; a flood must not fill the disk. */
export const TOOL_OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Looks for children that a command makes while it is stopped; the second finds hardly any. */
export const KILL_LOOKS_MAX = 20;
/** Kept output files of one sandbox, in bytes; the oldest go first. */
export const TOOL_OUTPUT_FILES_BYTES_MAX = 1024 * 1024 * 1024;
/** Largest image or PDF the read tool returns as a block, in bytes; base64 of it fits a frame. */
export const READ_MEDIA_BYTES_MAX = 5 * 1024 * 1024;
/** Default container limits: evidence/sandbox.md 6.3. */
export const SANDBOX_MEMORY_BYTES = 4 * 1024 * 1024 * 1024;
export const SANDBOX_CPUS = 2;
export const SANDBOX_PIDS = 1024;
export const SANDBOX_OPEN_FILES = 20_000;
export const SANDBOX_TMP_BYTES = 1024 * 1024 * 1024;
/** Idle time until a container is paused, then stopped (design.md 9). */
export const SANDBOX_PAUSE_MS = 2 * 60_000;
export const SANDBOX_STOP_MS = 15 * 60_000;
/** Time a stopping container has to end by itself. */
export const SANDBOX_STOP_GRACE_SECONDS = 5;
/** Answer time of the engine for a health check, and of a registry at set-up. */
export const ENGINE_PING_MS = 3000;
export const REGISTRY_PULL_MS = 20_000;

// ── Session workflow, relay, follow and model calls (workflows, store, activities) ───────────────

/**
 * Rounds of one turn before it stops with `tool_use_limit_reached_error`; a runaway agent's bound.
 */
export const TURN_ROUNDS_MAX = 10_000;
/**
 * History events past which a run continues as new: parked, and between two steps (design.md 7).
 */
export const CONTINUE_IDLE_EVENTS = 500;
export const CONTINUE_STEP_EVENTS = 2000;
/** Text handed to the doorbell for a preview, in characters; it redacts, then cuts. */
export const RING_PREVIEW_CHARS_MAX = 20_000;
/** Events named in one signal of the relay; the log has the rest. */
export const SIGNAL_EVENTS_MAX = 100;
/** The relay's sweep, the longest pause between two bells for one session, and sessions a sweep. */
export const RELAY_INTERVAL_MS = 1000;
export const RELAY_BACKOFF_MS_MAX = 300_000;
export const RELAY_SESSIONS_MAX = 500;
/** Rows that a reader of the log takes at once, and their bodies in bytes (one row at least). */
export const FOLLOW_BATCH_EVENTS = 500;
export const FOLLOW_BATCH_BYTES = 4 * 1024 * 1024;
/** Bodies kept for the readers of one session that are a moment behind the first, in bytes. */
export const FOLLOW_SHARED_BYTES_MAX = 256 * 1024;
/** Pause of a reader before it asks a database again that could not be reached. */
export const FOLLOW_RETRY_MS = 500;
/** A reader that lags too far and has not read for this long is not told: its socket is closed. */
export const FOLLOW_STALL_MS = 30_000;
/** Events that a live reader may fall behind while it does not read, before it is cut off. */
export const FOLLOW_LAG_EVENTS_MAX = 2000;
/** Preview frames queued for one reader; what does not fit is dropped. */
export const FOLLOW_PREVIEWS_MAX = 1024;
/** Command summary in the Temporal history, in characters (design.md 7). */
export const CALL_SUMMARY_CHARS_MAX = 80;
/**
 * Largest piece of a preview, in characters; with JSON and UTF-8 it stays under a NOTIFY's 8,000
 * bytes.
 */
export const PREVIEW_PIECE_CHARS_MAX = 1000;
/** Output tokens asked of a model at most; one that can do less is asked for what it can. */
export const MODEL_OUTPUT_TOKENS_MAX = 32_000;
/** Decimals kept of what running time costs: a nanodollar and three more. */
export const RUNTIME_COST_DECIMALS = 12;
/** Share of a model's window at which a conversation is compacted before the next request. */
export const COMPACT_AT_SHARE = 0.8;
/** Compactions in a row, without room coming of it, before the turn ends with an error. */
export const COMPACTIONS_MAX = 3;
/** One text of a conversation too long to be summarised whole, in characters. */
export const COMPACTION_TEXT_CHARS_MAX = 2000;
/** What users wrote, as far as a judge of a tool call reads it: the newest, in characters. */
export const JUDGE_INTENT_CHARS_MAX = 20_000;
/** A verdict is a few words; a model that thinks first needs a little more. */
export const JUDGE_OUTPUT_TOKENS = 4096;
/** Pause before a commit that cannot wait elsewhere is tried again. `ms` */
export const COMMIT_RETRY_MS = 500;
/** Judges asked at once for the calls of one reply. */
export const JUDGE_PARALLEL_MAX = 8;
/** Transcripts a worker keeps in memory between calls, in characters of JSON. */
export const TRANSCRIPT_CACHE_CHARS_MAX = 64 * 1024 * 1024;
/** Tool calls a worker keeps on their way from the model call to the tool call. */
export const FRESH_CALLS_MAX = 1000;
/** One model request as a whole, and the silence inside a stream after which it counts as cut. */
export const MODEL_REQUEST_MS = 14 * 60_000;
export const MODEL_SILENCE_MS = 300_000;
/** Longest `retry-after` that is honoured; beyond it we ask earlier than we were told to. */
export const MODEL_RETRY_AFTER_MS_MAX = 300_000;
/**
 * Attempts after which an activity that fails, rather than meets an outage, is given up; a tool's
 * sandbox that cannot come up, for one.
 */
export const ACTIVITY_ATTEMPTS_MAX = 5;
/** How often a running activity tells Temporal that it lives. */
export const ACTIVITY_BEAT_MS = 500;
/** How often a sandbox host is noted as seen, and the silence after which it counts as lost. */
export const HOST_BEAT_MS = 10_000;
export const HOST_LOST_MS = 120_000;

// ── Scripted model (scripted-model) ──────────────────────────────────────────────────────────────

/** Time to the first token of a scripted reply; tests and benchmarks set 0 (design.md 10). */
export const SCRIPTED_DELAY_MS = 150;
/**
 * Pause after each word of `# tokens`, where the line names none: about the pace of a real model.
 */
export const SCRIPTED_WORD_MS = 20;
/**
 * Most words of one `# tokens`, longest pause of one `# wait`, `# stall` or word, most repeats of
 * one failing line, largest number in a line that only counts (`# usage`, `# cut`, `# window`).
 */
export const SCRIPTED_WORDS_MAX = 100_000;
export const SCRIPTED_WAIT_MS_MAX = 600_000;
export const SCRIPTED_FAIL_TIMES_MAX = 1000;
export const SCRIPTED_COUNT_MAX = 1_000_000_000;
/** `retry-after` of a scripted 429 where the line names none: short, as somebody waits for it. */
export const SCRIPTED_RETRY_AFTER_SECONDS = 1;
/** Tool output and command repeated in the closing reply, in characters. */
export const SCRIPTED_OUTPUT_ECHO_CHARS_MAX = 500;
export const SCRIPTED_COMMAND_ECHO_CHARS_MAX = 80;
/** Size of one `input_json_delta`, in characters; a long input thus arrives in several. */
export const SCRIPTED_JSON_DELTA_CHARS_MAX = 512;
/** Requests remembered for `GET /recent-requests`, each under 1 KB. */
export const SCRIPTED_RECENT_REQUESTS_MAX = 5000;
/** Characters of a message text kept with a remembered request. */
export const SCRIPTED_RECENT_TEXT_CHARS_MAX = 200;
/**
 * An idle connection is kept this long, longer than any client pools it: no request meets a close.
 */
export const SCRIPTED_KEEP_ALIVE_MS = 120_000;
/**
 * Program texts whose directives are remembered, and the length from which it pays, in characters.
 */
export const SCRIPTED_PARSED_TEXTS_MAX = 256;
export const SCRIPTED_PARSED_TEXT_CHARS_MIN = 512;
/** Context window of the scripted model, in tokens of its own estimate; `# window` changes it. */
export const SCRIPTED_WINDOW_TOKENS = 200_000;
/** Cached prompt prefixes remembered, each about 150 bytes; the one unused for longest goes. */
export const SCRIPTED_CACHE_ENTRIES_MAX = 20_000;
/**
 * First lines of the requests that are none of the conversation: a summary of it is wanted; a tool
 * call is to be judged (permission policy `auto`); and of the user message that holds a summary in
 * place of what it summarises. Here, as the scripted model may import nothing else of ours.
 */
export const COMPACTION_MARKER = '[[holdfast:compact]]';
export const JUDGE_MARKER = '[[holdfast:judge]]';
export const SUMMARY_MARKER = '[[holdfast:summary]]';
/** sdk 1.11.0: MessageCreateParams.messages. */
export const MODEL_MESSAGES_MAX = 100_000;
/** docs: build-with-claude/prompt-caching, breakpoints of one request. */
export const CACHE_BREAKPOINTS_MAX = 4;
/** The same page: positions one breakpoint looks back over, itself included, and lifetimes. */
export const CACHE_LOOKBACK_POSITIONS = 20;
export const CACHE_SHORT_MS = 300_000;
export const CACHE_LONG_MS = 3_600_000;
/** sdk 1.11.0: ThinkingConfigEnabled.budget_tokens. */
export const THINKING_BUDGET_TOKENS_MIN = 1024;
/** Time a worker has for one workflow task; a killed one is replaced after it (measured 5.1 s). */
export const WORKFLOW_TASK_TIMEOUT_MS = 5000;
/** Slots of one worker: activities wait for models and commands, so they are many. */
export const WORKER_ACTIVITY_SLOTS = 500;
export const WORKER_WORKFLOW_SLOTS = 100;
/** Workflows kept in memory between their tasks; a parked one costs about 0.2 MB (measured). */
export const WORKER_CACHED_WORKFLOWS_MAX = 200;
/** Time running activities have to hand over when a worker stops. */
export const WORKER_SHUTDOWN_MS = 6000;
