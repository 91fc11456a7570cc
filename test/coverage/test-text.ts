// What a test says: its name and its own text, and of the functions and constants that it calls by
// name in its file and in test/helpers. Read by line and indentation, not by a parser, because the
// formatter gives code one shape. Classes are not followed: a test does not claim all they can do.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { ROOT } from '../helpers/source-files.ts';

interface Source {
  lines: readonly string[];
  /** what tests of this file can call by name, with its text; of several alike, all */
  declarations: ReadonlyMap<string, string>;
  /** names it has from other files of test/, with the file of each */
  imported: ReadonlyMap<string, string>;
}

const DECLARATION = /^\s*(?:export )?(?:async )?(?:const|let|function)\s+(\w+)/;
const TEST = /^\s*(?:it|test)\b/;
const IMPORT = /^import\s+\{([^}]*)\}\s+from\s+'(\.[^']+)'/gm;
const COMMENT = /^\s*(?:\/\/|\/\*|\*)/;

const sources = new Map<string, Source>();

const indentationOf = (line: string): number => line.length - line.trimStart().length;

/** How many lines a statement has, up to the next one of its depth. */
function lengthAt(lines: readonly string[], start: number): number {
  const depth = indentationOf(lines[start]!);
  const rest = lines.slice(start + 1);
  const length = rest.findIndex(
    (line) => line !== '' && indentationOf(line) <= depth && !/^\s*[)}\]]/.test(line),
  );
  return 1 + (length < 0 ? rest.length : length);
}

function blockAt(lines: readonly string[], start: number): string {
  const block = lines.slice(start, start + lengthAt(lines, start));
  // What a test says must not be so, it does not say is so.
  return block.filter((line) => !COMMENT.test(line) && !line.includes('.not.')).join('\n');
}

function sourceOf(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const text = readFileSync(join(ROOT, file), 'utf8');
  const lines = text.split('\n');
  const declarations = new Map<string, string>();
  let inside = 0;
  for (const [index, line] of lines.entries()) {
    const name = DECLARATION.exec(line)?.[1];
    // What a function or another test declares for itself cannot be called from elsewhere.
    if (index < inside || (name === undefined && !TEST.test(line))) continue;
    inside = index + lengthAt(lines, index);
    if (name === undefined) continue;
    declarations.set(name, `${declarations.get(name) ?? ''}\n${blockAt(lines, index)}`);
  }
  const imported = new Map<string, string>();
  for (const [, names, specifier] of text.matchAll(IMPORT)) {
    const target = normalize(join(dirname(file), specifier!));
    if (!target.startsWith('test/')) continue;
    for (const name of names!.split(',')) {
      if (!/^\s*type\s/.test(name)) imported.set(name.trim(), target);
    }
  }
  const source = { lines, declarations, imported };
  sources.set(file, source);
  return source;
}

/** Adds the texts of everything that `text` names and that `file` declares or imports. */
function follow(file: string, text: string, found: Map<string, string>): void {
  const { declarations, imported } = sourceOf(file);
  for (const name of new Set(text.match(/[A-Za-z_]\w*/g))) {
    const declared = declarations.get(name);
    if (declared !== undefined && !found.has(`${file} ${name}`)) {
      found.set(`${file} ${name}`, declared);
      follow(file, declared, found);
    }
    const target = imported.get(name);
    if (target !== undefined && existsSync(join(ROOT, target))) follow(target, name, found);
  }
}

/** What the test that begins at `line` (from 1) of `file` says; its name comes first. */
export function textOfTest(test: { file: string; name: string; line: number }): string {
  const { lines } = sourceOf(test.file);
  // A table's test is reported where it is called, which is below the line that begins it.
  let start = Math.min(test.line, lines.length) - 1;
  while (start > 0 && !TEST.test(lines[start] ?? '')) start -= 1;
  const own = blockAt(lines, Math.max(start, 0));
  const found = new Map<string, string>();
  follow(test.file, own, found);
  return [test.name, own, ...found.values()].join('\n');
}
