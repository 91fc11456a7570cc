// The six tools of the agent toolset, run by a session in its own container. docs:
// managed-agents/tools. What the tools themselves promise is test/conformance/tools.test.ts.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TOOL_OUTPUT_CHARS_MAX } from '../../../protocol/limits.ts';
import { ofType, resultsOf, Scene, stopReasonOf, type Talk, typesOf } from '../../helpers/scene.ts';

let scene: Scene;
let talk: Talk;

beforeAll(async () => {
  scene = await Scene.open(inject('server'));
  talk = await scene.newTalk();
});

afterAll(async () => {
  await scene.close();
});

const call = (tool: string, input: object): string => `@${tool} ${JSON.stringify(input)}`;

describe('the toolset', () => {
  it('write, read, edit, glob, grep and bash work on the same files', async () => {
    const file_path = '/workspace/notes/plan.txt';
    const events = await talk.turn(
      [
        call('write', { file_path, content: 'first line\nsecond line\n' }),
        call('read', { file_path }),
        call('edit', { file_path, old_string: 'second', new_string: 'last' }),
        call('glob', { pattern: '**/*.txt' }),
        call('grep', { pattern: 'last' }),
        `$ cat ${file_path}`,
      ].join('\n'),
    );
    const names = ofType(events, 'agent.tool_use').map(({ name }) => name);
    expect(names).toEqual(['write', 'read', 'edit', 'glob', 'grep', 'bash']);
    const results = resultsOf(events);
    expect(ofType(events, 'agent.tool_result').map(({ is_error: isError }) => isError)).toEqual(
      names.map(() => false),
    );
    expect(results[1]).toContain('second line');
    expect(results[3]).toContain('plan.txt');
    expect(results[4]).toContain('last line');
    expect(results[5]).toBe('first line\nlast line');
  });

  it('a command with a NUL, or whose summary is cut inside a character, runs', async () => {
    const events = await talk.turn(
      [
        `$ ${'true '.repeat(13)}; echo 😀😀😀😀😀😀😀😀`,
        call('bash', { command: 'echo a\u0000b' }),
        '= Both.',
      ].join('\n'),
    );
    expect(ofType(events, 'span.model_request_start')).toHaveLength(3);
    expect(resultsOf(events)[0]).toBe('😀😀😀😀😀😀😀😀');
    expect(ofType(events, 'agent.tool_result')).toHaveLength(2);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('a command that fails is an error result with its output, and the turn goes on', async () => {
    const events = await talk.turn('$ echo said; exit 3\n$ echo next');
    const results = ofType(events, 'agent.tool_result');
    expect(results.map(({ is_error: isError }) => isError)).toEqual([true, false]);
    expect(resultsOf(events)[0]).toContain('said');
    expect(resultsOf(events)[1]).toBe('next');
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('an edit that matches nothing or twice is an error result', async () => {
    const file_path = '/workspace/twice.txt';
    const events = await talk.turn(
      [
        call('write', { file_path, content: 'a a' }),
        call('edit', { file_path, old_string: 'b', new_string: 'c' }),
        call('edit', { file_path, old_string: 'a', new_string: 'c' }),
      ].join('\n'),
    );
    const results = ofType(events, 'agent.tool_result');
    expect(results.map(({ is_error: isError }) => isError)).toEqual([false, true, true]);
  });

  it('no output is said to be none', async () => {
    expect(resultsOf(await talk.turn('$ true'))).toEqual(['(no output)']);
  });

  it('a tool that the session does not have is denied, with an error result', async () => {
    const events = await talk.turn('@teleport {"to":"mars"}\n= Then not.');
    const [use] = ofType(events, 'agent.tool_use');
    expect(use).toMatchObject({ name: 'teleport', evaluated_permission: 'deny' });
    expect(use).not.toHaveProperty('evaluation');
    expect(ofType(events, 'agent.tool_result')).toMatchObject([
      { tool_use_id: use!.id, is_error: true },
    ]);
    expect(stopReasonOf(events)).toBe('end_turn');
  });

  it('a tool that was switched off is denied as well', async () => {
    const tools = [
      {
        type: 'agent_toolset_20260401' as const,
        configs: [{ name: 'bash' as const, enabled: false }],
      },
    ];
    const other = await Scene.open(inject('server'), { agent: { tools } });
    const events = await (await other.newTalk()).turn('$ echo no');
    expect(ofType(events, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'deny' }]);
    await other.close();
  });
});

describe('bash', () => {
  it('keeps its state between calls and between turns', async () => {
    await talk.turn('$ cd /tmp && export COLOUR=red\n$ greet() { echo "hello $1"; }');
    const events = await talk.turn('$ echo "$PWD $COLOUR"; greet you');
    expect(resultsOf(events)).toEqual(['/tmp red\nhello you']);
  });

  it('restart begins a new shell, and the files stay', async () => {
    await talk.turn('$ cd /tmp; LOST=1; echo kept > /workspace/kept.txt');
    const events = await talk.turn(
      `${call('bash', { restart: true })}\n$ echo "[$LOST]"; cat /workspace/kept.txt`,
    );
    expect(resultsOf(events)[1]).toBe('[]\nkept');
  });

  it('a command past its limit is an error with the output so far, and bash works on', async () => {
    const events = await talk.turn(
      `${call('bash', { command: 'echo begun; sleep 600', timeout_ms: 700 })}\n$ echo next`,
    );
    const [late] = ofType(events, 'agent.tool_result');
    expect(late).toMatchObject({ is_error: true });
    const [text, next] = resultsOf(events);
    expect(text).toContain('begun');
    expect(next).toBe('next');
    const gone = await talk.turn('$ pgrep -f "sleep 600" || echo none');
    expect(resultsOf(gone)).toEqual(['none']);
  });

  it('output over 100,000 characters is kept in a file, with a preview and its path', async () => {
    const chars = 250_000;
    const events = await talk.turn(`$ head -c ${chars} /dev/zero | tr '\\0' x; printf END`);
    const [text] = resultsOf(events);
    expect(text!.length).toBeLessThan(TOOL_OUTPUT_CHARS_MAX);
    const path = /\/\S+/.exec(text!.replaceAll(/x{20,}/g, ''))?.[0].replace(/[.,)\]:]+$/, '');
    expect(path).toBeDefined();
    const whole = await talk.turn(`$ wc -c < ${path}; tail -c 3 ${path}`);
    expect(resultsOf(whole)).toEqual([`${chars + 3}\nEND`]);
  });

  it('parallel calls of one reply go out together and each gets its own result', async () => {
    const events = await talk.turn(
      '$& echo one\n$& echo two\n@& read {"file_path":"/workspace/kept.txt"}\n= Done.',
    );
    const uses = ofType(events, 'agent.tool_use');
    const results = ofType(events, 'agent.tool_result');
    expect(uses).toHaveLength(3);
    expect(results.map((result) => result.tool_use_id).toSorted()).toEqual(
      uses.map(({ id }) => id).toSorted(),
    );
    const byUse = new Map(results.map((result) => [result.tool_use_id, result.content]));
    expect(uses.slice(0, 2).map(({ id }) => byUse.get(id))).toMatchObject([
      [{ text: 'one' }],
      [{ text: 'two' }],
    ]);
    // Both requests and no more: the results of a round go to the model together.
    const spans = typesOf(events).filter((type) => type === 'span.model_request_start');
    expect(spans).toHaveLength(2);
  });

  it('binary output and odd characters reach the model as text', async () => {
    const events = await talk.turn(`$ printf 'a\\0b\\377c \\xf0\\x9f\\x8e\\x89'`);
    expect(resultsOf(events)[0]).toMatch(/^a.*b.*c 🎉$/su);
    expect(stopReasonOf(events)).toBe('end_turn');
  });
});

describe('the sandbox of a session', () => {
  it('is its own: another session sees none of its files', async () => {
    await talk.turn('$ echo mine > /workspace/mine.txt');
    const other = await scene.newTalk();
    const events = await other.turn('$ ls /workspace/mine.txt || echo none');
    expect(resultsOf(events)[0]).toContain('none');
  });

  it('with limited networking has no network, with unrestricted it has one', async () => {
    const limited = await talk.turn('$ ls /sys/class/net');
    expect(resultsOf(limited)).toEqual(['lo']);
    const open = await Scene.open(inject('server'), { networking: { type: 'unrestricted' } });
    const events = await (await open.newTalk()).turn('$ ls /sys/class/net');
    expect(resultsOf(events)[0]!.split('\n')).toContain('eth0');
    await open.close();
  });

  it('is not made for an agent without tools', async () => {
    const plain = await Scene.open(inject('server'), { agent: { tools: [] } });
    const events = await (await plain.newTalk()).turn('= Only words.\n$ echo no');
    expect(ofType(events, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'deny' }]);
    await plain.close();
  });

  it('a command that kills everything is an error result, and the next one works', async () => {
    const other = await scene.newTalk();
    await other.turn('$ echo kept > /workspace/kept.txt');
    const events = await other.turn('$ kill -9 -1; kill -9 1; sleep 5\n$ cat /workspace/kept.txt');
    expect(ofType(events, 'agent.tool_result')[0]).toMatchObject({ is_error: true });
    expect(resultsOf(events)[1]).toBe('kept');
    expect(resultsOf(await talk.turn('$ echo undisturbed'))).toEqual(['undisturbed']);
  });
});
