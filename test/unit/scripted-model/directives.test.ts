// The directive language: which lines are directives, what they hold, that all else is prose, and
// that a program can be written down again.

import { describe, expect, it } from 'vitest';
import { parseDirectives, writeDirectives } from '../../../scripted-model/directives.ts';

describe('lines that are directives', () => {
  it('a dollar line is a bash call', () => {
    expect(parseDirectives('$ ls -la  \r\n')).toEqual([
      {
        kind: 'call',
        source: '$ ls -la',
        tool: 'bash',
        input: { command: 'ls -la' },
        joins: false,
      },
    ]);
  });

  it('an at line calls any tool with a JSON input', () => {
    const [call] = parseDirectives('@my_tool {"a": [1, "two"]}');
    expect(call).toMatchObject({ tool: 'my_tool', input: { a: [1, 'two'] }, joins: false });
  });

  it('adjacent parallel lines join, of both kinds', () => {
    const calls = parseDirectives('$& a\n@&read {"file_path":"b"}\n@& read {"file_path":"c"}');
    expect(calls.map((call) => call.kind === 'call' && call.joins)).toEqual([false, true, true]);
  });

  it('an empty line ends a parallel group', () => {
    const calls = parseDirectives('$& a\n$& b\n\n$& c\n$& d');
    const joins = calls.map((call) => call.kind === 'call' && call.joins);
    expect(joins).toEqual([false, true, false, true]);
  });

  it('a plain call is not joined by a parallel one', () => {
    const calls = parseDirectives('$ a\n$& b');
    expect(calls.map((call) => call.kind === 'call' && call.joins)).toEqual([false, false]);
  });

  it('adjacent lines of speech are one directive', () => {
    const said = parseDirectives('= one\n= two\n\n= three');
    expect(said.map((d) => d.kind === 'say' && d.lines)).toEqual([['one', 'two'], ['three']]);
  });

  it('control lines carry their numbers', () => {
    const text = '# wait 20\n# tokens 3\n# tokens 3 5\n# fail 429 2\n# fail 0 1\n# fail 529 1 7';
    expect(parseDirectives(text)).toMatchObject([
      { kind: 'wait', ms: 20 },
      { kind: 'tokens', words: 3, wordMs: 20 },
      { kind: 'tokens', words: 3, wordMs: 5 },
      { kind: 'fail', status: 429, times: 2, retryAfterSeconds: 1 },
      { kind: 'fail', status: 0, times: 1, retryAfterSeconds: undefined },
      { kind: 'fail', status: 529, times: 1, retryAfterSeconds: 7 },
    ]);
    expect(parseDirectives('# think\n# think hard\n# refuse\n# max_tokens')).toMatchObject([
      { kind: 'think' },
      { kind: 'think', text: 'hard' },
      { kind: 'refuse' },
      { kind: 'max_tokens' },
    ]);
  });

  it('lines that spoil a reply come once where they name no number', () => {
    const text = '# cut 3\n# cut 3 2\n# stall 5\n# garbage\n# empty 4\n# blank\n# repeat-id 2';
    expect(parseDirectives(text)).toMatchObject([
      { kind: 'cut', after: 3, times: 1 },
      { kind: 'cut', after: 3, times: 2 },
      { kind: 'stall', ms: 5, times: 1 },
      { kind: 'garbage', times: 1 },
      { kind: 'empty', times: 4 },
      { kind: 'blank', times: 1 },
      { kind: 'repeat_id', times: 2 },
    ]);
  });

  it('lines that count, search or set carry what they name', () => {
    const setting = '# usage cache_5m=2 input=1\n# searches 3\n# window 9';
    const text = `${setting}\n# search a b?\n# window-stop\n# say-blocks`;
    expect(parseDirectives(text)).toMatchObject([
      { counts: { input: 1, output: 0, cache_read: 0, cache_5m: 2, cache_1h: 0 } },
      { kind: 'searches', count: 3 },
      { kind: 'window', tokens: 9 },
      { kind: 'search', query: 'a b?' },
      { kind: 'window_stop' },
      { kind: 'say_blocks' },
    ]);
  });

  it('numbers beyond their bound are cut to it', () => {
    expect(parseDirectives('# wait 99999999999')).toMatchObject([{ ms: 600_000 }]);
  });

  it('an input that is not JSON is complained about aloud', () => {
    const [said] = parseDirectives('@write {"a": }');
    expect(said).toMatchObject({ kind: 'say', lines: [expect.stringContaining('not valid JSON')] });
  });
});

describe('prose', () => {
  it.each([
    ['Hello, please list the files.'],
    ['$5 is a price'],
    ['$'],
    ['@bob could you look?'],
    ['=== a line ==='],
    ['# A heading'],
    ['# wait for it'],
    ['# fail 200 1'],
    ['# garbage collection'],
    ['# cut'],
    ['# usage of the tool'],
    ['# usage input=many'],
    ['# window shopping'],
    ['# judge allow'],
    ['# done 3'],
    [' $ indented'],
    ['- $ ls'],
  ])('%s', (text) => expect(parseDirectives(text)).toEqual([]));
});

describe('a long program', () => {
  it('is read once however often it comes', () => {
    const text = Array.from({ length: 100 }, (_, at) => `$ echo ${at}`).join('\n');
    expect(parseDirectives(text)).toHaveLength(100);
    expect(parseDirectives(`${text}`)).toBe(parseDirectives(text));
  });

  it('written down is the same program again', () => {
    const text = '$& a\n$& b\n\n$& c\n= x\n= y\n\n= z\n# wait 5\n@read {"file_path":"f"}\n$ d';
    const program = parseDirectives(text);
    expect(parseDirectives(writeDirectives(program))).toEqual(program);
  });
});
