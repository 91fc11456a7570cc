// One list of cases for the built-in tools, run for the official SDK's own toolset on this machine
// and for our runner in a container: what the model sees must not depend on which of the two ran
// it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxTool } from '../../sandbox/sandbox.ts';
import { openTestHost, runTool } from '../helpers/sandbox.ts';
import type { TestHost } from '../helpers/sandbox.ts';

interface Answer {
  text: string;
  isError: boolean;
}

interface Step {
  tool: SandboxTool;
  input: Record<string, unknown>;
  /** `WORKDIR` stands for the working directory */
  text: string | RegExp;
  isError?: true;
}

const sh = (command: string, text: string | RegExp, isError?: true): Step => ({
  tool: 'bash',
  input: { command },
  text,
  ...(isError === undefined ? {} : { isError }),
});

const cases: Record<string, Step[]> = {
  'bash keeps directory, variables and functions': [
    sh('mkdir -p deep/er && cd deep/er && export WORD=kept && f() { echo f:$1; }', '(no output)'),
    sh('pwd; echo $WORD; f x', 'WORKDIR/deep/er\nkept\nf:x'),
  ],
  'bash restart gives a fresh shell': [
    sh('cd / && export WORD=kept', '(no output)'),
    { tool: 'bash', input: { restart: true }, text: 'bash session restarted' },
    sh('pwd; echo "[$WORD]"', 'WORKDIR\n[]'),
  ],
  'bash restart with a command runs it in the fresh shell': [
    sh('export WORD=kept', '(no output)'),
    { tool: 'bash', input: { restart: true, command: 'echo "[$WORD]"' }, text: '[]' },
  ],
  'bash without a command is an error': [
    { tool: 'bash', input: {}, text: /command is required/, isError: true },
  ],
  'bash mixes both outputs in order': [sh('echo one; echo two >&2; echo three', 'one\ntwo\nthree')],
  'bash with another exit code is an error with its output': [
    sh('echo said; false', 'said', true),
    sh('sh -c "exit 7"', 'exit 7', true),
    sh('echo still here', 'still here'),
  ],
  'bash takes several lines, quotes and here-documents': [
    sh(`cat <<'END'\nit's "quoted" $HOME \\n\nEND\necho 'a'"b"`, `it's "quoted" $HOME \\n\nab`),
    sh('for i in 1 2; do\n  echo $i\ndone # a comment', '1\n2'),
  ],
  'bash gives a reading command an end of file': [sh('cat; read x; echo "[$x]"', '[]')],
  'bash drops colours and empty lines at the end': [
    sh(String.raw`printf '\033[31mred\033[0m\n\n\n'`, 'red'),
  ],
  'bash keeps empty lines within': [sh('echo; echo a; echo; echo b', '\na\n\nb')],
  'bash does not wait for background jobs': [sh('sleep 30 & echo back', 'back')],
  'bash past its time is an error, and the next call has a fresh shell': [
    sh('cd /', '(no output)'),
    {
      tool: 'bash',
      input: { command: 'sleep 30', timeout_ms: 200 },
      text: /timed out after 200ms/,
      isError: true,
    },
    sh('pwd', 'WORKDIR'),
  ],
  'bash that leaves the shell is an error, and the next call has a fresh one': [
    sh('cd /; exit 3', /session terminated/, true),
    sh('pwd', 'WORKDIR'),
  ],
  'bash that kills its shell is an error, and the next call has a fresh one': [
    sh('cd /; kill -9 $$', /session terminated/, true),
    sh('pwd', 'WORKDIR'),
  ],
  'bash does not mistake output for the end of a command': [
    sh("printf 'no newline'", 'no newline'),
    sh(
      "printf '%s' '__ANT_CMD_x_DONE__0'; echo; echo 00000000:0",
      '__ANT_CMD_x_DONE__0\n00000000:0',
    ),
  ],
  'write makes directories and says what it wrote': [
    {
      tool: 'write',
      input: { file_path: 'made/here/a.txt', content: 'grüße\n' },
      text: 'wrote 8 bytes to made/here/a.txt',
    },
    sh('cat made/here/a.txt', 'grüße'),
  ],
  'read gives a file as it is': [
    { tool: 'write', input: { file_path: 'r.txt', content: 'a\nb\nc\n' }, text: /wrote/ },
    { tool: 'read', input: { file_path: 'r.txt' }, text: 'a\nb\nc\n' },
    { tool: 'read', input: { file_path: 'WORKDIR/r.txt' }, text: 'a\nb\nc\n' },
    { tool: 'read', input: { file_path: 'r.txt', view_range: [2, 3] }, text: 'b\nc' },
    { tool: 'read', input: { file_path: 'r.txt', view_range: [2, -1] }, text: 'b\nc\n' },
  ],
  'read of what is no file is an error': [
    { tool: 'read', input: { file_path: 'absent' }, text: /absent: no such file/, isError: true },
    { tool: 'read', input: { file_path: '.' }, text: /not a regular file/, isError: true },
    {
      tool: 'read',
      input: { file_path: 'absent', view_range: [1] },
      text: /view_range must be \[start_line, end_line\]/,
      isError: true,
    },
    { tool: 'read', input: {}, text: /file_path is required/, isError: true },
  ],
  'read of a file over 256 KiB asks for a range': [
    sh('seq 1 100000 > large', '(no output)'),
    {
      tool: 'read',
      input: { file_path: 'large' },
      text: /exceeds 262144-byte limit/,
      isError: true,
    },
    { tool: 'read', input: { file_path: 'large', view_range: [9, 10] }, text: '9\n10' },
  ],
  'read and write reach outside the working directory': [
    { tool: 'read', input: { file_path: '/proc/sys/kernel/ostype' }, text: 'Linux\n' },
  ],
  'edit replaces one place or all': [
    { tool: 'write', input: { file_path: 'e.txt', content: 'x y x' }, text: /wrote/ },
    {
      tool: 'edit',
      input: { file_path: 'e.txt', old_string: 'x', new_string: 'z' },
      text: /appears 2 times/,
      isError: true,
    },
    {
      tool: 'edit',
      input: { file_path: 'e.txt', old_string: 'absent', new_string: 'z' },
      text: /old_string not found/,
      isError: true,
    },
    {
      tool: 'edit',
      input: { file_path: 'e.txt', old_string: 'y', new_string: '$& $1' },
      text: 'edited e.txt (1 replacement(s))',
    },
    {
      tool: 'edit',
      input: { file_path: 'e.txt', old_string: 'x', new_string: 'z', replace_all: true },
      text: 'edited e.txt (2 replacement(s))',
    },
    { tool: 'read', input: { file_path: 'e.txt' }, text: 'z $& $1 z' },
  ],
  'glob finds files, newest first, without repositories and modules': [
    sh(
      'mkdir -p g/.git g/node_modules; touch -d 2020-01-01 g/old.ts; ' +
        'touch g/new.ts g/.git/x.ts g/node_modules/x.ts',
      '(no output)',
    ),
    {
      tool: 'glob',
      input: { pattern: '**/*.ts', path: 'g' },
      text: 'WORKDIR/g/new.ts\nWORKDIR/g/old.ts',
    },
    { tool: 'glob', input: { pattern: '*.absent' }, text: 'no matches' },
    { tool: 'glob', input: { pattern: '../*' }, text: /"\.\." is not permitted/, isError: true },
    {
      tool: 'glob',
      input: { pattern: '/etc/*' },
      text: /absolute pattern not permitted/,
      isError: true,
    },
  ],
  'grep names file, line and text': [
    sh('mkdir -p s; printf "one\\ntwo\\n" > s/a.txt', '(no output)'),
    { tool: 'grep', input: { pattern: '^tw', path: 's' }, text: /^WORKDIR\/s\/a\.txt:2:two\n?$/ },
    { tool: 'grep', input: { pattern: 'absent', path: 's' }, text: 'no matches' },
    { tool: 'grep', input: { pattern: '(', path: 's' }, text: /regex/, isError: true },
  ],
};

const versions: Record<
  string,
  () => Promise<{ workdir: string; run: Run; close: () => Promise<void> }>
> = {
  "the SDK's own tools": async () => {
    const workdir = mkdtempSync(join(tmpdir(), 'holdfast-tools-'));
    const tools = betaAgentToolset20260401({ workdir, allowedRoots: ['/'] });
    return {
      workdir,
      run: async (name, input) => {
        const tool = tools.find((each) => 'name' in each && each.name === name);
        if (tool === undefined) throw new Error(`no tool ${name}`);
        try {
          const text = await tool.run(input);
          if (typeof text !== 'string') throw new Error('an answer that is no text');
          return { text: text || '(no output)', isError: false };
        } catch (error) {
          return { text: error instanceof Error ? error.message : String(error), isError: true };
        }
      },
      close: async () => {
        for (const tool of tools) await tool.close?.();
        rmSync(workdir, { recursive: true, force: true });
      },
    };
  },
  'the runner in a container': async () => {
    const sandboxId = 'sesn_conformance';
    const opened: TestHost = await openTestHost();
    await opened.host.provision({ sandboxId, network: 'none' });
    return {
      workdir: '/workspace',
      run: async (name, input) => {
        const outcome = await runTool(opened.host, sandboxId, name, input);
        if (outcome.status !== 'completed') throw new Error(outcome.status);
        const [block] = outcome.content;
        return { text: block?.type === 'text' ? block.text : '', isError: outcome.isError };
      },
      close: () => opened.cleanUp(),
    };
  },
};

type Run = (tool: SandboxTool, input: Record<string, unknown>) => Promise<Answer>;

describe.each(Object.entries(versions))('%s', (_name, open) => {
  let version: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    version = await open();
  });
  afterAll(() => version.close());

  test.each(Object.entries(cases))('%s', async (_case, steps) => {
    await version.run('bash', { restart: true });
    for (const step of steps) {
      const here = (text: string) => text.replaceAll('WORKDIR', version.workdir);
      const input = JSON.parse(here(JSON.stringify(step.input))) as Record<string, unknown>;
      const answer = await version.run(step.tool, input);
      const text = answer.text.replaceAll(version.workdir, 'WORKDIR');
      expect(answer.isError, text).toBe(step.isError === true);
      if (typeof step.text === 'string') expect(text).toBe(step.text);
      else expect(text).toMatch(step.text);
    }
  });
});
