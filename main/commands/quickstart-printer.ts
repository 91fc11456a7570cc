// One streamed event as one readable line: its documented type, then the part a person wants to
// see.
// Knows every variant that has something to show; the others show their type alone.
import type {
  BetaManagedAgentsSpanModelUsage,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';

const TYPE_WIDTH = 30;
/** of a text or an output, `characters` */
const SHOWN_MAX = 400;

/** Prints it; long texts are cut, further lines of a text stand under its first. */
export function printEvent(event: StreamEvent): void {
  const [first = '', ...rest] = shorten(detailOf(event)).split('\n');
  const indent = ' '.repeat(TYPE_WIDTH + 2);
  console.log(
    [
      `${event.type.padEnd(TYPE_WIDTH)}  ${first}`.trimEnd(),
      ...rest.map((line) => indent + line),
    ].join('\n'),
  );
}

function detailOf(event: StreamEvent): string {
  switch (event.type) {
    case 'user.message':
    case 'agent.message':
      return textOf(event.content);
    case 'agent.tool_use':
      return `${event.name}  ${inputOf(event.input)}`;
    case 'agent.tool_result':
      return `${event.is_error ? '(error) ' : ''}${textOf(event.content ?? [])}`;
    case 'session.status_idle':
      return event.stop_reason.type;
    case 'session.error':
      return event.error.message;
    case 'span.model_request_end':
      return tokensOf(event.model_usage);
    default:
      return '';
  }
}

function tokensOf(usage: BetaManagedAgentsSpanModelUsage): string {
  const cached = usage.cache_read_input_tokens;
  const fresh = usage.input_tokens + usage.cache_creation_input_tokens;
  return `${fresh} tokens in, ${cached} from the cache, ${usage.output_tokens} out`;
}

function inputOf(input: Record<string, unknown>): string {
  return typeof input['command'] === 'string' ? input['command'] : JSON.stringify(input);
}

function textOf(blocks: readonly { type: string }[]): string {
  const texts = blocks.map((block) =>
    'text' in block && typeof block.text === 'string' ? block.text : `[${block.type}]`,
  );
  return texts.join('\n').trim();
}

function shorten(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)} …`;
}
