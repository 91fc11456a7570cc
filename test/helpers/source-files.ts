// The project's own files as the house rules see them: everything git would commit, read once.
// Imports are read by pattern, not by a parser: our formatter gives them one shape, and a rule that
// a reader can follow is worth more here than one that survives hostile code.

import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root directory. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** path from the root, with forward slashes */
  path: string;
  /** first directory of the path; empty for files of the root */
  room: string;
  text: string;
  lines: string[];
}

export interface SourceImport {
  /** the file or package as written */
  specifier: string;
  /** path from the root for files of ours, else undefined */
  target: string | undefined;
  /** package name (`node:fs`, `@scope/name`) for others, else undefined */
  package: string | undefined;
  typesOnly: boolean;
  reExport: boolean;
}

// Files a program wrote or somebody else did: the size and style rules do not judge them.
const FOREIGN = [
  /^(package-lock\.json|LICENSE)$/,
  /^test\/(recordings|histories)\//,
  /^test\/conformance-schemas\/.*\.json$/,
  /^bench\/results\//,
];

function tracked(): string[] {
  const options = { cwd: ROOT, encoding: 'utf8' } as const;
  const listing = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], options);
  return listing
    .split('\0')
    .filter((path) => path && statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile());
}

/** Every path that git has or would add, foreign ones included. */
export const allPaths: readonly string[] = tracked();

const BINARY = /\.(png|jpe?g|gif|ico|woff2?|gz|zip)$/;

/** Hand-written text files. */
export const sources: readonly SourceFile[] = allPaths
  .filter((path) => ![...FOREIGN, BINARY].some((pattern) => pattern.test(path)))
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const lines = text.replace(/\n$/, '').split('\n');
    return { path, room: path.includes('/') ? path.split('/')[0]! : '', text, lines };
  });

/** Hand-written TypeScript. */
export const typescript: readonly SourceFile[] = sources.filter(({ path }) => path.endsWith('.ts'));

const FROM = /^(import|export)\s+(type\s+)?([^'"`;]*?)\s*from\s+'([^']+)'/gm;
const BARE = /^import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\('([^']+)'\)/g;

const onlyTypes = (names: string): boolean =>
  /^\{[\s\S]*\}$/.test(names) &&
  names
    .slice(1, -1)
    .split(',')
    .filter((name) => name.trim())
    .every((name) => /^\s*type\s/.test(name));

/** Imports and re-exports of one file; `import()` of a literal counts as a value import. */
export function importsOf(file: SourceFile): SourceImport[] {
  const found: SourceImport[] = [];
  const add = (specifier: string, typesOnly: boolean, reExport: boolean) => {
    const relative = specifier.startsWith('.');
    const scoped = specifier.startsWith('@');
    found.push({
      specifier,
      target: relative ? normalize(join(dirname(file.path), specifier)) : undefined,
      package: relative ? undefined : specifier.split('/', scoped ? 2 : 1).join('/'),
      typesOnly,
      reExport,
    });
  };
  for (const [, keyword, type, names, specifier] of file.text.matchAll(FROM)) {
    add(specifier!, type !== undefined || onlyTypes(names!), keyword === 'export');
  }
  for (const [, specifier] of file.text.matchAll(BARE)) add(specifier!, false, false);
  for (const [, specifier] of file.text.matchAll(DYNAMIC)) add(specifier!, false, false);
  return found;
}
