// The last words of a reply that has said nothing itself: what ran or was found, or, for somebody
// who used no directive, a sentence that shows them.

import type Anthropic from '@anthropic-ai/sdk';
import {
  SCRIPTED_COMMAND_ECHO_CHARS_MAX,
  SCRIPTED_OUTPUT_ECHO_CHARS_MAX,
} from '../protocol/limits.ts';
import type { Conversation } from './conversation.ts';

const GREETING = [
  'I am the scripted model of Holdfast: I do what the lines of your message say. ',
  'Send me something like this:\n\n',
  '$ uname -a\n= I am looking around.\n$& sleep 1; date\n$& sleep 1; date\n',
  '@write {"file_path": "notes.txt", "content": "hello"}\n\n',
  'A line with `$` runs a command, `$&` lines run side by side, `@tool {json}` calls any tool, ',
  '`=` says something. `# think`, `# wait 1000`, `# tokens 50`, `# fail 529 2`, `# refuse` and ',
  '`# max_tokens` do what they say. With a model key, a real model answers instead.',
];

/** Deltas of the closing text, which also repeats the newest system message, if there is one. */
export function closing(conversation: Conversation, searched: readonly string[]): string[] {
  const { systemText } = conversation;
  const deltas = whatHappened(conversation, searched);
  if (systemText === undefined) return deltas;
  const told = shortened(systemText, SCRIPTED_OUTPUT_ECHO_CHARS_MAX);
  return [...deltas, `\n\nThe newest system message says: ${told}`];
}

function whatHappened(
  { ran, lastResult, hasProgram }: Conversation,
  searched: readonly string[],
): string[] {
  if (searched.length > 0) return [`I searched the web for ${searched.map(quoted).join(', ')}.`];
  if (ran.length === 0) return hasProgram ? ['Done.'] : GREETING;
  const last = ran.at(-1)!;
  const names = [...new Set(ran.slice(-3).map(nameOf))].map(quoted);
  const what =
    ran.length <= 3
      ? `I ran ${names.join(', ')}. `
      : `I ran ${ran.length} calls, last ${names.at(-1)}. `;
  if (lastResult === undefined || lastResult.tool_use_id !== last.id) return [what];
  const output = resultText(lastResult).trim();
  const verb = lastResult.is_error === true ? 'It failed' : 'It answered';
  if (output === '') return [what, lastResult.is_error === true ? 'It failed.' : 'No output.'];
  return [what, `${verb}:\n\n${shortened(output, SCRIPTED_OUTPUT_ECHO_CHARS_MAX)}`];
}

function quoted(text: string): string {
  return `\`${text}\``;
}

function nameOf({ name, input }: Anthropic.ToolUseBlockParam): string {
  const { command } = (input ?? {}) as { command?: unknown };
  const label = name === 'bash' && typeof command === 'string' ? command : name;
  return shortened(label.split('\n')[0]!, SCRIPTED_COMMAND_ECHO_CHARS_MAX);
}

function resultText({ content }: Anthropic.ToolResultBlockParam): string {
  if (content === undefined || typeof content === 'string') return content ?? '';
  return content
    .map((block) => (block.type === 'text' ? block.text : `(${block.type})`))
    .join('\n');
}

function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}
