import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TOOL_OUTPUT_BYTES_MAX, TOOL_OUTPUT_CHARS_MAX } from '../../../protocol/limits.ts';
import {
  boundedText,
  cleanText,
  OutputFiles,
  OutputSpool,
} from '../../../sandbox/runner/output.ts';

let directory: string;
let files: OutputFiles;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-output-'));
  files = new OutputFiles(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fileOf = (text: string) => /the complete output is in (\S+)\]/.exec(text)?.[1] ?? '';

describe('a text', () => {
  test('loses terminal sequences and empty lines at its end, nothing else', () => {
    expect(cleanText('\u001b[1;31mred\u001b[0m \n\n')).toBe('red ');
    expect(cleanText('\n\na\n\nb')).toBe('\n\na\n\nb');
    expect(cleanText('x\n\u001b[0m\n')).toBe('x');
    expect(cleanText('')).toBe('');
  });

  test('of 100,000 characters stays as it is, one more goes to a file', () => {
    const text = 'ü'.repeat(TOOL_OUTPUT_CHARS_MAX);
    expect(boundedText(text, files)).toBe(text);
    expect(readdirSync(directory)).toEqual([]);
    const preview = boundedText(`${text}x`, files);
    expect(readFileSync(fileOf(preview), 'utf8')).toBe(`${text}x`);
    expect(preview).toContain('100001 characters in all');
  });

  test('says so when it cannot be kept', () => {
    const nowhere = new OutputFiles('/proc/nowhere');
    expect(boundedText('x'.repeat(TOOL_OUTPUT_CHARS_MAX + 1), nowhere)).toMatch(/is in nowhere: /);
  });
});

describe('the output of a command', () => {
  test('in many pieces, characters cut in two, is put together', () => {
    const spool = new OutputSpool(files);
    for (const byte of Buffer.from('grüße 🎉\n')) spool.write(Buffer.from([byte]));
    expect(spool.finish()).toBe('grüße 🎉');
  });

  test('over the memory bound is kept whole in a file, with its start and end shown', () => {
    const spool = new OutputSpool(files);
    const lines = Array.from({ length: 200_000 }, (_, line) => `line ${line}\n`);
    for (const line of lines) spool.write(Buffer.from(line));
    const text = spool.finish();
    expect(readFileSync(fileOf(text), 'utf8')).toBe(lines.join(''));
    expect(text.startsWith('line 0\nline 1\n')).toBe(true);
    expect(text.endsWith('line 199998\nline 199999')).toBe(true);
    expect(text.length).toBeLessThan(11_000);
  });

  test('asks to be stopped once it is over its bound', () => {
    const spool = new OutputSpool(files);
    const chunk = Buffer.alloc(1024 * 1024, 'y');
    const answers = Array.from({ length: 65 }, () => spool.write(chunk));
    expect(answers.indexOf(false) * chunk.length).toBe(TOOL_OUTPUT_BYTES_MAX);
    expect(spool.finish()).toContain('output truncated');
  });
});

test('old output files make room for new ones', () => {
  for (let made = 0; made < 18; made++) {
    const spool = new OutputSpool(files);
    for (let chunks = 0; chunks < 64; chunks++) spool.write(CHUNK);
    spool.finish();
  }
  // 1 GiB of files of 64 MiB each, the newest ones.
  const names = readdirSync(directory);
  expect(names).toHaveLength(16);
  expect(names).toContain('output-18.txt');
  expect(names).not.toContain('output-1.txt');
});

const CHUNK = Buffer.alloc(1024 * 1024, 'y');
