// The directive language: the lines of a user text that say what the scripted model does next.
// Parsing is pure and never fails: a line that is no directive is prose and means nothing here, so
// any text a person may write is a valid program. The table for people is docs/scripted-model.md.

import { SCRIPTED_PARSED_TEXT_CHARS_MIN, SCRIPTED_PARSED_TEXTS_MAX } from '../protocol/limits.ts';
import { parseControl, type ControlDirective } from './control-lines.ts';

export interface CallDirective {
  kind: 'call';
  source: string;
  /** tool name as written; `bash` for `$` lines */
  tool: string;
  input: Record<string, unknown>;
  /** whether it goes out in the same response as the call on the line above */
  joins: boolean;
}

export type Directive =
  | CallDirective
  | { kind: 'say'; source: string; lines: string[] }
  | ControlDirective;

const CALL = /^@(&?) ?([A-Za-z0-9_-]+)\s+(\{.*\})$/;

/** Directives of long texts, by text: a thousand lines come with a thousand requests. */
const parsedTexts = new Map<string, readonly Directive[]>();

/** Reads one user text; the same text gives the same (shared, never to be changed) array. */
export function parseDirectives(text: string): readonly Directive[] {
  if (text.length < SCRIPTED_PARSED_TEXT_CHARS_MIN) return parseLines(text);
  const known = parsedTexts.get(text);
  if (known !== undefined) return known;
  const directives = parseLines(text);
  const oldest = parsedTexts.keys().next();
  if (parsedTexts.size >= SCRIPTED_PARSED_TEXTS_MAX && !oldest.done) {
    parsedTexts.delete(oldest.value);
  }
  parsedTexts.set(text, directives);
  return directives;
}

/** Writes directives as a text that parses to them again, whatever stood between them. */
export function writeDirectives(directives: readonly Directive[]): string {
  return directives
    .map((directive) => {
      const joins = directive.kind === 'call' && directive.joins;
      return joins ? directive.source : `\n${directive.source}`;
    })
    .join('\n');
}

function parseLines(text: string): Directive[] {
  const directives: Directive[] = [];
  // The directive of the line directly above: adjacent lines of a kind belong together, and any
  // other line, an empty one too, ends a group.
  let above: Directive | undefined;
  for (const line of text.split('\n')) {
    const found = parseLine(line.trimEnd());
    if (found?.kind === 'say' && above?.kind === 'say') {
      above.lines.push(...found.lines);
      above.source += `\n${found.source}`;
      continue;
    }
    if (found?.kind === 'call') {
      found.joins = found.joins && above?.kind === 'call' && isParallel(above);
    }
    if (found !== undefined) directives.push(found);
    above = found;
  }
  return directives;
}

/** Says whether the call was written with `&`, so that the next such line joins it. */
function isParallel(call: CallDirective): boolean {
  return call.source.charAt(1) === '&';
}

function parseLine(source: string): Directive | undefined {
  switch (source.charAt(0)) {
    case '$':
      return parseCommand(source);
    case '@':
      return parseCall(source);
    case '=':
      return source.startsWith('= ')
        ? { kind: 'say', source, lines: [source.slice(2)] }
        : undefined;
    case '#':
      return parseControl(source);
    default:
      return undefined;
  }
}

function parseCommand(source: string): Directive | undefined {
  const joins = source.startsWith('$& ');
  if (!joins && !source.startsWith('$ ')) return undefined;
  const command = source.slice(joins ? 3 : 2).trim();
  if (command === '') return undefined;
  return { kind: 'call', source, tool: 'bash', input: { command }, joins };
}

function parseCall(source: string): Directive | undefined {
  const match = CALL.exec(source);
  if (match === null) return undefined;
  const [, parallel, tool = '', json = ''] = match;
  try {
    const input = JSON.parse(json) as Record<string, unknown>;
    return { kind: 'call', source, tool, input, joins: parallel === '&' };
  } catch {
    // Said aloud: a silent typo would look like a model that ignores its user.
    const complaint = `I cannot read this line, its input is not valid JSON: ${source}`;
    return { kind: 'say', source, lines: [complaint] };
  }
}
