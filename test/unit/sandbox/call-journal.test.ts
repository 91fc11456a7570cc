// The host's record of what it handed over, on a real file system: it survives the process, also
// one that died in the middle of a line, it is never ahead of the disk, and it stays short.
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CALL_JOURNAL_LINES_MAX } from '../../../protocol/limits.ts';
import { CallJournal } from '../../../sandbox/call-journal.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-journal-'));
  path = join(directory, 'deep', 'calls.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a begun call is remembered by the next process, an acknowledged one is not', () => {
  const journal = new CallJournal(path);
  journal.begin('a', 'boot 1');
  journal.begin('b', 'boot 1');
  journal.forget('a');
  const next = new CallJournal(path);
  expect(next.bootOf('a')).toBeUndefined();
  expect(next.bootOf('b')).toBe('boot 1');
});

test('a line cut by a crash is skipped and swallows nothing', () => {
  new CallJournal(path).begin('a', 'boot 1');
  appendFileSync(path, '["begin","b","bo');
  new CallJournal(path).begin('c', 'boot 2');
  const next = new CallJournal(path);
  expect(next.bootOf('a')).toBe('boot 1');
  expect(next.bootOf('b')).toBeUndefined();
  expect(next.bootOf('c')).toBe('boot 2');
});

describe('on a disk that is full', () => {
  /** Every write fails with ENOSPC until `end`, which leaves `torn` at the end of the file. */
  function fillDisk(): { end(torn: string): void } {
    renameSync(path, `${path}.kept`);
    for (const file of [path, `${path}.new`]) symlinkSync('/dev/full', file);
    return {
      end(torn) {
        for (const file of [path, `${path}.new`]) rmSync(file);
        renameSync(`${path}.kept`, path);
        appendFileSync(path, torn);
      },
    };
  }

  test('a call is refused as often as it comes, and goes through when there is room', () => {
    const journal = new CallJournal(path);
    journal.begin('a', 'boot');
    const full = fillDisk();
    for (let times = 0; times < 3; times++) {
      expect(() => journal.begin('b', 'boot')).toThrow(/ENOSPC/);
      expect(journal.bootOf('b')).toBeUndefined();
    }
    full.end('');
    journal.begin('b', 'boot');
    expect(new CallJournal(path).bootOf('b')).toBe('boot');
  });

  test('the part of a line that still fitted does not swallow the next one', () => {
    const journal = new CallJournal(path);
    journal.begin('a', 'boot');
    const full = fillDisk();
    expect(() => journal.begin('b', 'boot')).toThrow(/ENOSPC/);
    full.end('["begin","b","bo');
    journal.begin('c', 'boot');
    journal.begin('d', 'boot');
    const next = new CallJournal(path);
    const known = ['a', 'b', 'c', 'd'].filter((callId) => next.bootOf(callId) !== undefined);
    expect(known).toEqual(['a', 'c', 'd']);
  });

  test('an acknowledged call is forgotten, on disk as soon as there is room for it', () => {
    const journal = new CallJournal(path);
    journal.begin('a', 'boot');
    const full = fillDisk();
    journal.forget('a');
    expect(journal.bootOf('a')).toBeUndefined();
    full.end('["forg');
    journal.begin('b', 'boot');
    expect(new CallJournal(path).bootOf('a')).toBeUndefined();
    expect(new CallJournal(path).bootOf('b')).toBe('boot');
  });
});

test('any text may be an id', () => {
  const id = 'a "b"\n[c]\u2028';
  new CallJournal(path).begin(id, 'boot');
  expect(new CallJournal(path).bootOf(id)).toBe('boot');
});

test('the file stays short over many calls, and keeps what is open', () => {
  const journal = new CallJournal(path);
  journal.begin('open', 'boot');
  for (let call = 0; call < CALL_JOURNAL_LINES_MAX; call++) {
    journal.begin(`call ${call}`, 'boot');
    journal.forget(`call ${call}`);
  }
  const lines = readFileSync(path, 'utf8').split('\n').length;
  expect(lines).toBeLessThan(CALL_JOURNAL_LINES_MAX + 10);
  expect(new CallJournal(path).bootOf('open')).toBe('boot');
});
