// The house rules as tests: what lint cannot say, each rule with its reason in the failure message.
// A rule lists every offender at once. There is no list of exceptions: when a rule is wrong for
// good, change the rule; when a wall is hit, look for a noun to split by.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOM_RULES, type RoomRule } from './helpers/rooms.ts';
import {
  ROOT,
  allPaths,
  importsOf,
  sources,
  typescript,
  type SourceFile,
  type SourceImport,
} from './helpers/source-files.ts';

const FILE_LINES_MAX = 400;
const SESSION_WORKFLOW_LINES_MAX = 250;
const LINE_COLUMNS_MAX = 100;
const FOLDER_FILES_MAX = 25;
const TRACKED_BYTES_MAX = 500_000;

const code = sources.filter(({ path }) => /\.(ts|mjs|sql|sh)$/.test(path));
const markdown = sources.filter(({ path }) => path.endsWith('.md'));
const rooms = Object.keys(ROOM_RULES);
const production = typescript.filter(({ room }) => rooms.includes(room));

/** Fails with the reason and every offender; passes when there is none. */
function hold(reason: string, offenders: readonly string[]): void {
  if (offenders.length > 0) expect.fail(`${reason}\n${offenders.map((o) => `  ${o}`).join('\n')}`);
}

/** `path:line` of every line that matches, in the given files. */
function linesMatching(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 80)}`] : [],
    ),
  );
}

describe('size', () => {
  it('no file is longer than the wall', () => {
    const offenders = code
      .filter(({ lines }) => lines.length > FILE_LINES_MAX)
      .map(({ path, lines }) => `${path}: ${lines.length} lines`);
    hold(`a file is held in the head up to ${FILE_LINES_MAX} lines`, offenders);
  });

  it('the session workflow is the shortest part of the story', () => {
    const file = typescript.find(({ path }) => path === 'workflows/session-workflow.ts');
    const length = file?.lines.length ?? 0;
    hold(
      `the loop ends at ${SESSION_WORKFLOW_LINES_MAX} lines; decisions go to session-state.ts`,
      length > SESSION_WORKFLOW_LINES_MAX ? [`workflows/session-workflow.ts: ${length} lines`] : [],
    );
  });

  it('no line is wider than a screen half', () => {
    hold(
      `lines end at ${LINE_COLUMNS_MAX} columns, strings and comments too`,
      linesMatching(code, new RegExp(`^.{${LINE_COLUMNS_MAX + 1},}$`, 'u')),
    );
  });

  it('folders stay scannable and flat', () => {
    const counts = new Map<string, number>();
    for (const { path } of code) {
      counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    }
    const full = [...counts].filter(([, count]) => count > FOLDER_FILES_MAX);
    hold(
      `a folder holds at most ${FOLDER_FILES_MAX} files`,
      full.map(([folder, count]) => `${folder}: ${count} files`),
    );
    const deep = [...counts.keys()].filter(
      (folder) => folder.split('/').length > 2 && !/^(console|test|docs|\.)/.test(folder),
    );
    hold('rooms are one level deep: a file is found by reading two names', deep);
  });

  it('nothing heavy is committed', () => {
    const offenders = allPaths.filter(
      (path) => statSync(join(ROOT, path)).size > TRACKED_BYTES_MAX,
    );
    hold(
      `git carries every version for ever: at most ${TRACKED_BYTES_MAX} bytes a file`,
      offenders,
    );
  });
});

describe('arrows', () => {
  const allowed = (list: readonly string[] | undefined, name: string): boolean =>
    list?.some((entry) => entry === '*' || entry === name) === true ||
    (name.startsWith('node:') && list?.includes('node:*') === true);

  function mayReach(rule: RoomRule, file: SourceFile, wanted: SourceImport): boolean {
    if (wanted.package !== undefined) {
      return (
        allowed(rule.packages, wanted.package) ||
        (wanted.typesOnly && allowed(rule.typePackages, wanted.package))
      );
    }
    const target = wanted.target!;
    const room = target.split('/')[0]!;
    if (room === file.room) return true;
    if (rule.files?.includes(target)) return true;
    return (
      rule.rooms.includes(room) || (wanted.typesOnly && rule.typeRooms?.includes(room) === true)
    );
  }

  it.each(Object.entries(ROOM_RULES))('%s imports only what it may', (room, rule) => {
    const offenders = typescript
      .filter((file) => file.room === room)
      .flatMap((file) =>
        importsOf(file)
          .filter((wanted) => !mayReach(rule, file, wanted))
          .map(
            ({ specifier, typesOnly }) => `${file.path}: ${typesOnly ? 'type ' : ''}${specifier}`,
          ),
      );
    hold(rule.why, offenders);
  });

  it('every directory with code is a room, a leaf, or nothing', () => {
    const known = new Set([...rooms, 'console', 'test', 'bench', 'docs', '.ci', '.githooks', '']);
    const offenders = code.filter(({ room }) => !known.has(room)).map(({ path }) => path);
    hold('a new room needs a row in test/helpers/rooms.ts and a reason', offenders);
  });

  it('no file only passes on what another file says', () => {
    const offenders = typescript
      .filter(({ path }) => !/^(workflows|activities)\/index\.ts$/.test(path))
      .filter((file) => importsOf(file).some(({ reExport }) => reExport))
      .map(({ path }) => path);
    hold('re-exports hide where a thing lives; import it from its own file', offenders);
  });

  it('imports of our own files name the file as it is', () => {
    const offenders = typescript.flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => target !== undefined && !/\.(ts|mjs|json)$/.test(target))
        .map(({ specifier }) => `${file.path}: ${specifier}`),
    );
    hold('Node runs the sources as they stand: relative imports end in .ts', offenders);
  });
});

describe('single places', () => {
  it('the environment is read in one file', () => {
    // The runner inside the container is another machine: what it finds there is not our setting.
    const elsewhere = production.filter(
      ({ path }) => path !== 'main/config.ts' && !path.startsWith('sandbox/runner/'),
    );
    hold(
      'main/config.ts checks, documents and freezes every setting; take the value as an argument',
      linesMatching(elsewhere, /\bprocess\.env\b/),
    );
  });

  it('dockerode is spoken in one file', () => {
    const offenders = production
      .filter(({ path }) => path !== 'sandbox/docker.ts')
      .filter((file) =>
        importsOf(file).some(
          (i) => i.package === 'dockerode' && !(i.typesOnly && file.room === 'sandbox'),
        ),
      )
      .map(({ path }) => path);
    hold(
      'another container engine is then one other file (types are free inside sandbox)',
      offenders,
    );
  });

  it('the Anthropic client is built in one file', () => {
    // main/commands/quickstart.ts is a client of our own API, as any user would write it.
    const places = ['activities/model/anthropic.ts', 'main/commands/quickstart.ts'];
    const offenders = production
      .filter(({ path }) => !places.includes(path))
      .filter((file) =>
        importsOf(file).some(
          ({ specifier, typesOnly }) =>
            !typesOnly && /^@anthropic-ai\/sdk(\/(index|client))?$/.test(specifier),
        ),
      )
      .map(({ path }) => path);
    hold('keys, base URLs and retries of the model are decided in one place', offenders);
  });

  it('SQL is written under store/ only', () => {
    const elsewhere = production.filter(({ room }) => room !== 'store');
    const sql =
      /\bsql`|`\s*(select\s|insert into\s|update \w+ set\s|delete from\s|with \w+ as \()/i;
    hold(
      'tables are known to store alone; give it a function with a name',
      linesMatching(elsewhere, sql),
    );
  });
});

describe('words', () => {
  it('every file opens by saying what it is', () => {
    const offenders = code
      .filter(({ path }) => /\.(ts|sql)$/.test(path))
      .flatMap(({ path, lines }) => {
        const start = lines[0]?.startsWith('#!') ? 1 : 0;
        const comment = /^(\/\/|\/\*\*?|\s\*|--)/;
        const length = lines.slice(start).findIndex((line) => !comment.test(line));
        return length >= 2 && length <= 5 ? [] : [`${path}: ${Math.max(length, 0)} lines`];
      });
    hold('two to five comment lines: what it is, the promise it keeps', offenders);
  });

  it('every page of prose has one title', () => {
    const offenders = markdown
      .filter(({ lines }) => {
        const outside = lines
          .join('\n')
          .replace(/^```[\s\S]*?^```/gm, '')
          .split('\n');
        const titles = outside.filter((line) => line.startsWith('# '));
        return !lines[0]?.startsWith('# ') || titles.length !== 1;
      })
      .map(({ path }) => path);
    hold('a page opens with its title, once', offenders);
  });

  it('links between papers lead somewhere', () => {
    const offenders = markdown.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)]
        .map(([, target]) => target!)
        .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );
    hold('a dead link costs the reader more than none', offenders);
  });

  it('short papers stay short', () => {
    const limits = { 'README.md': 120, 'AGENTS.md': 60, 'docs/ARCHITECTURE.md': 250 };
    const offenders = markdown
      .filter(({ path, lines }) => lines.length > (limits[path as keyof typeof limits] ?? Infinity))
      .map(({ path, lines }) => `${path}: ${lines.length} lines`);
    hold('a paper that is read whole beats one that is complete', offenders);
  });

  it('no file knows the machine it was written on', () => {
    const elsewhere = sources.filter(({ path }) => path !== 'test/house.test.ts');
    hold(
      'a path of one machine breaks on every other',
      linesMatching(elsewhere, /(^|[^\w.})*:])\/(work|farm|tmp\/hf)\//),
    );
    const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
    hold(
      'any mirror can serve a lock file that names none (npm: omit-lockfile-registry-resolved)',
      /"resolved": "http/.test(lock) ? ['package-lock.json'] : [],
    );
  });

  it('markers are promises with an issue behind them', () => {
    const elsewhere = code.filter(({ path }) => path !== 'test/house.test.ts');
    hold(
      'two markers only, NOTE: and TODO(#issue):',
      linesMatching(elsewhere, /\b(FIXME|XXX|HACK)\b|\bTODO\b(?!\(#\d+\):)/),
    );
  });

  it('lint is silenced for one rule, for a reason, and never about size', () => {
    const elsewhere = code.filter(({ path }) => path !== 'test/house.test.ts');
    const silenced = linesMatching(elsewhere, /(ox|es)lint-disable|@ts-(ignore|nocheck)/);
    hold(
      'write `oxlint-disable-next-line <rule> -- <reason>`; walls are met by splitting',
      silenced.filter(
        (line) => /max-|@ts-/.test(line) || !/disable-next-line [\w/-]+ -- \w+/.test(line),
      ),
    );
  });

  it('no folder is a drawer for leftovers', () => {
    const drawers = /(^|\/)(src|lib|utils?|common|shared|types|misc)\//;
    hold(
      'a helper lives with its user or gets a noun of its own',
      code.map(({ path }) => path).filter((path) => drawers.test(path)),
    );
  });

  it('tests claim and do not sleep', () => {
    const tests = typescript.filter(
      ({ path }) => path.endsWith('.test.ts') && path !== 'test/house.test.ts',
    );
    hold(
      'a test name is a plain claim, without "should"',
      linesMatching(tests, /\b(it|test)\('should\b/),
    );
    const waiting = tests.filter(({ path }) => !path.startsWith('test/chaos/'));
    hold(
      'wait for an event or a state (test/helpers), never for the clock',
      linesMatching(waiting, /node:timers\/promises|Promise\(.*setTimeout/),
    );
  });
});

describe('papers made by programs', () => {
  it('.env.example says what main/config.ts reads', () => {
    const file = join(ROOT, '.env.example');
    const arguments_ = ['main/config.ts', '--print-example'];
    const printed = execFileSync(process.execPath, arguments_, { cwd: ROOT, encoding: 'utf8' });
    const kept = existsSync(file) ? readFileSync(file, 'utf8') : '';
    hold(
      'it is generated: node main/config.ts --print-example > .env.example',
      printed.trim() === kept.trim() ? [] : ['.env.example'],
    );
  });
});
