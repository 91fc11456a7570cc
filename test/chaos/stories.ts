// What the model is told to do while something is killed. Every command leaves a line in a file
// that a later one shows, so a command that ran twice, or not at all, is another log.

import type { Story } from './stage.ts';

/** One command that takes a while, as a tool on the host's queue. */
export function longCommand(seconds: number): Story {
  return {
    name: `a command of ${seconds} s`,
    turns: [`$ echo x >> f; sleep ${seconds}\n$ cat f`],
  };
}

/** Several words slowly, a command, several words again. */
export const talkative: Story = {
  name: 'slow words',
  turns: ['# think\n# tokens 40 25\n$ echo x >> f\n# tokens 30 25\n$ cat f\n= Done.'],
};

const SHORT_COMMANDS = 8;

/** Commands that end within the window of a local activity. */
export const shortCommands: Story = {
  name: 'short commands',
  turns: [
    [
      ...Array.from({ length: SHORT_COMMANDS }, (_, n) => `$ echo ${n} >> f; sleep 0.15`),
      '$ cat f',
    ].join('\n'),
  ],
};

/** Parallel calls, of which some end at once and some later, and a file tool. */
export const parallelCalls: Story = {
  name: 'parallel calls',
  turns: [
    [
      '$& sleep 0.6; echo a >> a',
      '$& echo b >> b',
      '$& sleep 0.9; echo c >> c',
      '',
      '@write {"file_path": "d", "content": "d\\n"}',
      '$ sleep 0.4; echo e >> d',
      '$ cat a b c d',
    ].join('\n'),
  ],
};

const GREETINGS = 12;

/** Many short turns, for a moment at which something is sent. */
export const greetings: readonly Story[] = Array.from({ length: GREETINGS }, () => ({
  name: 'a greeting',
  turns: ['= Hello.'],
}));

/** A turn before the one that is disturbed: the sandbox is warm, the workflow has a history. */
export function secondTurn(story: Story): Story {
  const [first, ...rest] = story.turns;
  return { name: `${story.name}, later`, turns: ['$ echo first >> first', first!, ...rest] };
}
