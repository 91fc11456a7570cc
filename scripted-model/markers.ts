// The requests and messages that are none of the conversation itself: each begins with a marker
// line that Holdfast writes. A summary is written here and read back here, so that a transcript
// which begins with one goes on exactly where the summarised one was.

import type Anthropic from '@anthropic-ai/sdk';
import { SUMMARY_MARKER } from '../protocol/limits.ts';
import { writeDirectives, type Directive } from './directives.ts';

export interface Progress {
  doneCount: number;
  /** directives that are still to be done, in order */
  left: readonly Directive[];
  /** context window that the program has set, in tokens */
  windowTokens: number | undefined;
}

const DONE = /^# done (\d+)$/m;

/** What stands below the marker line; undefined where the text does not begin with it. */
export function belowMarker(text: string, marker: string): string | undefined {
  if (!text.startsWith(marker)) return undefined;
  const rest = text.slice(marker.length);
  if (rest.trim() === '') return '';
  return rest.startsWith('\n') || rest.startsWith('\r\n') ? rest.trimStart() : undefined;
}

/** What the last message asks for below the marker; undefined where it does not begin with it. */
export function askedBelow(
  messages: readonly Anthropic.MessageParam[],
  marker: string,
): string | undefined {
  const last = messages.findLast(({ role }) => role !== 'system');
  if (last?.role !== 'user') return undefined;
  if (typeof last.content === 'string') return belowMarker(last.content, marker);
  for (const block of last.content) {
    const asked = block.type === 'text' ? belowMarker(block.text, marker) : undefined;
    if (asked !== undefined) return asked;
  }
  return undefined;
}

/** Writes a summary: a text that is the rest of the program itself. */
export function writeSummary({ doneCount, left, windowTokens }: Progress): string {
  const lines = [
    `# done ${doneCount}`,
    `Summary by the scripted model: ${counted(doneCount)} done, ${counted(left.length)} left.`,
  ];
  if (windowTokens !== undefined) lines.push(`# window ${windowTokens}`);
  if (left.length > 0) lines.push(writeDirectives(left));
  return lines.join('\n');
}

/** How many directives a summary says are done; undefined where the text is no summary. */
export function summarisedCount(text: string): number | undefined {
  const summary = belowMarker(text, SUMMARY_MARKER);
  return summary === undefined ? undefined : Number(DONE.exec(summary)?.[1] ?? 0);
}

function counted(count: number): string {
  return count === 1 ? '1 directive is' : `${count} directives are`;
}
