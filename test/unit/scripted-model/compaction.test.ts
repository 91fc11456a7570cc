// Compaction: the summary that the scripted model writes is the rest of its program, so that a
// transcript which begins with it goes on exactly where the summarised one stood.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPACTION_MARKER, SUMMARY_MARKER } from '../../../protocol/limits.ts';
import { Dialogue, inShort, startModel, type RunningModel } from './dialogue.ts';

let model: RunningModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.stop());

const INSTRUCTIONS = `${COMPACTION_MARKER}\nSummarise what happened.\n= not a line of the program`;

async function summaryOf(dialogue: Dialogue): Promise<string> {
  return inShort(await dialogue.say(INSTRUCTIONS).ask());
}

/** A conversation that begins with the summary of another. */
async function compacted(dialogue: Dialogue): Promise<Dialogue> {
  const summary = await summaryOf(dialogue);
  return new Dialogue(model.client).say(`${SUMMARY_MARKER}\n${summary}`);
}

describe('a summary', () => {
  it('counts what is done and holds what is left', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$& b\n$& c\n\n$& d\n= end');
    await dialogue.ask();
    expect(await summaryOf(dialogue.answer('ok'))).toBe(
      '# done 1\nSummary by the scripted model: 1 directive is done, 4 directives are left.\n' +
        '\n$& b\n$& c\n\n$& d\n\n= end',
    );
  });

  it('may be asked for in a message of its own', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$ b');
    await dialogue.ask();
    dialogue.answer('ok');
    dialogue.messages.push({ role: 'user', content: INSTRUCTIONS });
    expect(inShort(await dialogue.ask())).toContain('# done 1');
  });

  it('is only written where the marker is a line of its own at the beginning', async () => {
    const dialogue = new Dialogue(model.client).say(`Look: ${COMPACTION_MARKER}\n= plain`);
    expect(inShort(await dialogue.ask())).toBe('plain');
    const glued = new Dialogue(model.client).say(`${COMPACTION_MARKER}s\n= plain`);
    expect(inShort(await glued.ask())).toBe('plain');
  });

  it('leaves out what a later message has overtaken', async () => {
    const dialogue = new Dialogue(model.client).say('# fail 400 9\n# wait 60000\n$ a');
    await dialogue.ask().catch(() => undefined);
    const next = await compacted(dialogue.say('= next'));
    expect(await next.play()).toEqual(['bash:a', 'next']);
  });
});

describe('a transcript that begins with a summary', () => {
  it('goes on with the line that was next', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$& b\n$& c\n\n$& d\n= end');
    await dialogue.ask();
    const next = await compacted(dialogue.answer('ok'));
    expect(await next.play()).toEqual(['bash:b | bash:c', 'bash:d', 'end']);
  });

  it('takes the lines of newer messages after those that are left', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n$ b');
    await dialogue.ask();
    const next = await compacted(dialogue.answer('ok'));
    next.messages.push({ role: 'user', content: '$ c\n= steered' });
    expect(await next.play()).toEqual(['bash:b', 'bash:c', 'steered']);
  });

  it('has a turn to end, not to begin, where nothing is left', async () => {
    const dialogue = new Dialogue(model.client).say('$ a');
    await dialogue.ask();
    const next = await compacted(dialogue.answer('ok'));
    expect(await next.play()).toEqual(['Done.']);
    expect(await next.say('= second turn').play()).toEqual(['second turn']);
  });

  it('can be summarised again, and again', async () => {
    const program = Array.from({ length: 6 }, (_, at) => `$ step ${at}`).join('\n');
    let dialogue = new Dialogue(model.client).say(`${program}\n= end`);
    for (const done of [2, 4]) {
      for (let calls = 0; calls < 2; calls += 1) {
        await dialogue.ask();
        dialogue.answer('ok');
      }
      const summary = await summaryOf(dialogue);
      expect(summary).toContain(`# done ${done}\n`);
      dialogue = new Dialogue(model.client).say(`${SUMMARY_MARKER}\n${summary}`);
    }
    expect(await dialogue.play()).toEqual(['bash:step 4', 'bash:step 5', 'end']);
    expect(await summaryOf(dialogue)).toContain('# done 7\n');
  });

  it('keeps the failures that are still to come', async () => {
    const dialogue = new Dialogue(model.client).say('$ a\n# fail 529 1\n$ b');
    await dialogue.ask();
    const next = await compacted(dialogue.answer('ok'));
    await expect(next.ask({ 'x-holdfast-attempt': '1' })).rejects.toMatchObject({ status: 529 });
    expect(inShort(await next.ask({ 'x-holdfast-attempt': '2' }))).toBe('bash:b');
  });

  it('keeps the context window that the program has set', async () => {
    const dialogue = new Dialogue(model.client).say('# window 300\n$ a\n$ b');
    await dialogue.ask();
    const next = await compacted(dialogue.answer('ok'));
    await next.ask();
    await expect(next.answer('x'.repeat(2000)).ask()).rejects.toThrow(/> 300 maximum/);
  });
});
