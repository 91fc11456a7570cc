// What the model sees of long outputs, and what is kept of them: the documented bound to the
// character, the rest whole in a file, and old files out before new ones fill the disk.
import {
  closeSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
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
    writeFileSync(join(directory, 'file'), '');
    const nowhere = new OutputFiles(join(directory, 'file'));
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

test('old output files make room for new ones, the oldest first', () => {
  // Sparse: files of 64 MiB that take no room.
  for (let made = 1; made <= 17; made++) {
    const path = join(directory, `output-${made}.txt`);
    writeFileSync(path, '');
    truncateSync(path, TOOL_OUTPUT_BYTES_MAX);
    utimesSync(path, made, made);
  }
  closeSync(files.create().fd);
  const left = readdirSync(directory);
  expect(left).toHaveLength(16);
  expect(left).not.toContain('output-2.txt');
  expect(left).toContain('output-3.txt');
  expect(left).toContain('output-17.txt');
});
