// The judge of a tool call under the permission policy `auto`: what it allows of its own accord,
// and how a test steers it by lines in the user's texts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JUDGE_MARKER } from '../../../protocol/limits.ts';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

interface Call {
  tool?: string;
  input?: unknown;
}

async function verdictOf(intent: string[], call: Call = {}): Promise<string> {
  const question = { tool: 'bash', input: { command: 'ls' }, ...call, intent };
  const text = `${JUDGE_MARKER}\n${JSON.stringify(question)}\nAnswer with one JSON object.`;
  return inShort(await new Dialogue(model.client).say(text).ask());
}

const allow = '{"verdict":"allow"}';
const highRisk = '{"verdict":"high_risk"}';
const indeterminate = '{"verdict":"indeterminate"}';

describe('of its own accord the judge', () => {
  it('allows what looks harmless', async () => {
    expect(await verdictOf([])).toBe(allow);
    expect(await verdictOf(['Please list the files.\n$ ls'])).toBe(allow);
  });

  it.each([
    [{ input: { command: 'rm -rf /' } }],
    [{ input: { command: 'sudo ls' } }],
    [{ tool: 'run', input: { steps: ['ls', { do: 'cd x && rm -rf y' }] } }],
  ])('sees a high risk in %j', async (call) => {
    expect(await verdictOf([], call)).toBe(highRisk);
  });
});

describe('a line of the user', () => {
  it('gives the verdict', async () => {
    expect(await verdictOf(['# judge indeterminate'])).toBe(indeterminate);
    expect(await verdictOf(['# judge allow'], { input: { command: 'sudo ls' } })).toBe(allow);
  });

  it('may name a tool or a part of the input', async () => {
    const intent = ['# judge high_risk write\n# judge indeterminate "quoted" part'];
    expect(await verdictOf(intent, { tool: 'write' })).toBe(highRisk);
    expect(await verdictOf(intent, { tool: 'bash' })).toBe(allow);
    const input = { command: 'echo the "quoted" part' };
    expect(await verdictOf(intent, { input })).toBe(indeterminate);
  });

  it('counts by the newest that matches', async () => {
    const intent = ['# judge high_risk', '# judge allow\n# judge indeterminate git push'];
    expect(await verdictOf(intent)).toBe(allow);
    expect(await verdictOf(intent, { input: { command: 'git push' } })).toBe(indeterminate);
  });

  it('makes the request fail, or its answer nonsense', async () => {
    await expect(verdictOf(['# judge fail 529'])).rejects.toMatchObject({ status: 529 });
    await expect(verdictOf(['# judge fail 0'])).rejects.toThrow(/[Cc]onnection/);
    const garbage = await verdictOf(['# judge garbage']);
    expect(() => JSON.parse(garbage) as unknown).toThrow(SyntaxError);
  });
});

describe('a question', () => {
  it('that is none is refused', async () => {
    const ask = (text: string) => new Dialogue(model.client).say(`${JUDGE_MARKER}\n${text}`).ask();
    await expect(ask('What do you think?')).rejects.toThrow(/a JSON line/);
    await expect(ask('{"tool": ')).rejects.toThrow(/not valid JSON/);
    await expect(ask('{"tool": "bash", "input": {}}')).rejects.toThrow(/the call to judge has a/);
  });

  it('is none of the conversation: the lines for the judge are prose there', async () => {
    const dialogue = new Dialogue(model.client).say('# judge high_risk\n= hello');
    expect(inShort(await dialogue.ask())).toBe('hello');
  });
});
