// When an unused container is paused and stopped: the rule alone, without a clock and without an
// engine.
import { expect, test } from 'vitest';
import { idleStep } from '../../../sandbox/idle-policy.ts';

const times = { pauseMs: 100, stopMs: 1000 };

test.each([
  ['ready', 0, { action: 'nothing', againMs: 100 }],
  ['ready', 60, { action: 'nothing', againMs: 40 }],
  ['ready', 100, { action: 'pause', againMs: 900 }],
  ['ready', 999, { action: 'pause', againMs: 1 }],
  ['ready', 1000, { action: 'stop', againMs: null }],
  ['paused', 300, { action: 'nothing', againMs: 700 }],
  ['paused', 5000, { action: 'stop', againMs: null }],
] as const)('a %s container unused for %i ms', (state, idleMs, step) => {
  expect(idleStep(state, idleMs, times)).toEqual(step);
});

test('a stop time before the pause time stops without a pause', () => {
  const early = { pauseMs: 1000, stopMs: 100 };
  expect(idleStep('ready', 0, early)).toEqual({ action: 'nothing', againMs: 100 });
  expect(idleStep('ready', 100, early)).toEqual({ action: 'stop', againMs: null });
});
