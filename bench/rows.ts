// Every row of the bench, in the order in which they are measured, and the bounds that the issue and
// design.md 14 set for them.
import type { Row, Target } from './row.ts';
import { stepGap } from './step-gap.ts';

export const ROWS: readonly Row[] = [stepGap];

export const TARGETS: readonly Target[] = [
  { row: 'step_gap', figure: 'ratio', max: 0.5 },
  { row: 'step_gap', figure: 'slope', max: 1.3 },
];
