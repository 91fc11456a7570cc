// Bounds of the tools that the server runs itself: of the web, and of MCP servers, which are other
// people's programs. Their time, their answers and their tool lists all end somewhere; each is
// named with its unit, and none is documented unless its comment says so.

/**
 * Longest text that is kept in a file of the sandbox, in bytes of JSON: with what stands around it,
 * one frame to the runner holds it (RUNNER_FRAME_BYTES_MAX).
 */
export const KEPT_TEXT_BYTES_MAX = 7 * 1024 * 1024;

// ── Web tools (activities/web) ───────────────────────────────────────────────────────────────────

/** One fetch as a whole: names, connections, redirects and the body; slow servers end here. */
export const WEB_FETCH_MS = 30_000;
/** Redirects followed in one fetch; browsers follow 20, honest sites need two or three. */
export const WEB_REDIRECTS_MAX = 5;
/** Body of one fetch, in bytes, as it comes over the wire and again after decompression. */
export const WEB_BODY_BYTES_MAX = 10 * 1024 * 1024;
/** Response headers of one fetch, in bytes. */
export const WEB_HEADER_BYTES_MAX = 32 * 1024;
/** Time a page or a PDF may take to become text; what takes longer is hostile or a book. */
export const WEB_READ_MS = 10_000;
/** Memory of the thread that reads a page, in MiB: its heap, and its buffers beside the heap. */
export const WEB_READ_HEAP_MB = 256;
export const WEB_READ_BUFFERS_MB = 256;
/**
 * Text of one fetch, in characters: a thick book, of which the model is shown what any tool output
 * may have and finds the rest in a file.
 */
export const WEB_TEXT_CHARS_MAX = 2_000_000;
/** Time after which no further page of a PDF is read, `ms`; those before it are its text. */
export const WEB_PDF_PAGES_MS = 5000;
/** How often the buffers of that thread are looked at. */
export const WEB_READ_WATCH_MS = 100;
/** Pages read at once by one worker; others wait, so that commands and models keep a processor. */
export const WEB_READERS_MAX = 2;
/** Deepest nesting of elements that is read; deeper ones become an ellipsis. */
export const WEB_HTML_DEPTH_MAX = 200;
/** Start of a page, in characters, in which its title is looked for. */
export const WEB_TITLE_WITHIN_CHARS = 64 * 1024;
/** Title of a page or of a search result, in characters. */
export const WEB_TITLE_CHARS_MAX = 300;
/** Characters of a token, about; what turns `max_content_tokens` into a length. */
export const WEB_CHARS_PER_TOKEN = 4;
/** Start of a text, in bytes, in which a page may declare its encoding (the HTML standard). */
export const WEB_CHARSET_WITHIN_BYTES = 1024;
/** Longest query of a search, in characters; Brave's bound. */
export const WEB_QUERY_CHARS_MAX = 400;
/** Results of one search that the model is given. */
export const WEB_RESULTS_MAX = 10;
/** Text of one result, in characters. */
export const WEB_RESULT_CHARS_MAX = 2000;
/** Answer of a search provider, in bytes, and the time it has. */
export const WEB_SEARCH_BYTES_MAX = 4 * 1024 * 1024;
export const WEB_SEARCH_MS = 20_000;
/** One search by the upstream's own tool, which is a whole model call. */
export const WEB_SEARCH_UPSTREAM_MS = 120_000;
/** Output of the model that searches upstream, in tokens: quotes from ten results. */
export const WEB_SEARCH_UPSTREAM_TOKENS_MAX = 4096;
/** Domains that are also put into the query as `site:`; more would fill it. */
export const WEB_SITE_TERMS_MAX = 8;

// ── MCP servers (activities/mcp) ─────────────────────────────────────────────────────────────────

/**
 * Time a server has to be dialled, to initialize and to list its tools, `ms`: a turn waits for it,
 * so one that hangs costs every turn this much.
 */
export const MCP_CONNECT_MS = 15_000;
/** Time of one TCP and TLS handshake, `ms`. */
export const MCP_DIAL_MS = 10_000;
/**
 * Time of one tool call, a reconnection and a repetition included, `ms`: below the five minutes of
 * its activity (design.md 8). Progress notifications do not extend it.
 */
export const MCP_CALL_MS = 270_000;
/**
 * Time a call has to end when its worker goes down, `ms`; with the commit of its result it fits
 * into WORKER_SHUTDOWN_MS.
 */
export const MCP_FINISH_MS = 4000;
/**
 * Bytes a server may send for one request of ours: the largest outcome, with its escapes, twice.
 */
export const MCP_RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
/** Requests of which the unused bytes add up on one connection; calls run side by side. */
export const MCP_RESPONSES_SAVED_MAX = 4;
/** Our answers to a server's own requests (pings) under way at once; it could ask without end. */
export const MCP_ANSWERS_OPEN_MAX = 16;
/** Time to deliver a notification or such an answer, `ms`. */
export const MCP_NOTICE_MS = 10_000;
/** Pause before an event stream is opened again, `ms`, even where a server asks for less. */
export const MCP_REOPEN_PAUSE_MS = 500;
/** Failed attempts to open an event stream again after which what it owed counts as lost. */
export const MCP_REOPEN_ATTEMPTS_MAX = 2;
/** Time to parse what came before an answer's stream ended, `ms`; then no answer is in it. */
export const MCP_SETTLE_MS = 250;
/** Time to tell a server that its session is over, `ms`; nobody waits for more than this. */
export const MCP_GOODBYE_MS = 2000;

/** Pages of one tool list. */
export const MCP_TOOL_PAGES_MAX = 50;
/** Tools of one server: as many as an agent may have (sdk 1.11.0: AgentCreateParams.tools). */
export const MCP_TOOLS_MAX = 256;
/** Longest description of a tool, in characters; the rest is cut. */
export const MCP_DESCRIPTION_CHARS_MAX = 10_000;
/** Largest input schema of a tool, in characters of JSON; a larger tool is left out. */
export const MCP_SCHEMA_CHARS_MAX = 64 * 1024;
/**
 * Definitions of one server's tools in all, in characters: about 100,000 tokens, half of a usual
 * context window; the largest honest lists are about half of it.
 */
export const MCP_TOOL_LIST_CHARS_MAX = 400_000;
/** Longest tool name the Messages API takes, in characters; ours name server and tool. */
export const MODEL_TOOL_NAME_CHARS_MAX = 64;
/** A list older than this is read again at the next turn, `ms`: not every server tells of news. */
export const MCP_LIST_FRESH_MS = 300_000;

/** Content blocks of one tool result; the rest is left out. */
export const MCP_CONTENT_BLOCKS_MAX = 100;
/** Largest tool result, in bytes, base64 included; the rest is cut. */
export const MCP_OUTCOME_BYTES_MAX = 8 * 1024 * 1024;
/** Longest text of a server's own error that the model is shown, in characters. */
export const MCP_ERROR_CHARS_MAX = 2000;

/** Servers a worker keeps for its sessions, each with its connection; unused ones go first. */
export const MCP_KEPT_SERVERS_MAX = 1000;
/** Tool lists a worker keeps, in characters. */
export const MCP_KEPT_CHARS_MAX = 64 * 1024 * 1024;
/** A server unused for this long is let go of, `ms`; the next turn connects again. */
export const MCP_IDLE_MS = 600_000;
/** How often unused servers are looked for, `ms`. */
export const MCP_SWEEP_MS = 30_000;
