// Every row of the bench, in the order in which they are measured, and the bounds that the issue
// and design.md 14 set for them.
import { history } from './history.ts';
import { interrupt } from './interrupt.ts';
import { hundredSessions, idleMemory } from './many-sessions.ts';
import { recovery } from './recovery.ts';
import type { Row, Target } from './row.ts';
import { cacheShare } from './scale/cache-share.ts';
import { compaction } from './scale/compaction.ts';
import { parkedSessions } from './scale/parked-sessions.ts';
import { streamReaders } from './scale/stream-readers.ts';
import { sandboxTimes, toolOverhead } from './sandbox-times.ts';
import { sessionCreates } from './session-creates.ts';
import { stepGap } from './step-gap.ts';
import { firstPreview, turnStart } from './turn-start.ts';

export const ROWS: readonly Row[] = [
  stepGap,
  turnStart,
  firstPreview,
  toolOverhead,
  sandboxTimes,
  history,
  interrupt,
  sessionCreates,
  hundredSessions,
  idleMemory,
  recovery,
  streamReaders,
  compaction,
  cacheShare,
  parkedSessions,
];

export const TARGETS: readonly Target[] = [
  { row: 'step_gap', figure: 'ratio', max: 0.5 },
  { row: 'step_gap', figure: 'slope', max: 1.3 },
  { row: 'turn_start', figure: 'p50_ms', max: 20, unit: ' ms' },
  { row: 'tool_overhead', figure: 'p50_ms', max: 1, unit: ' ms' },
  { row: 'tool_overhead', figure: 'ratio', max: 0.03 },
  { row: 'sandbox_cold', figure: 'ratio', max: 2 },
  { row: 'sandbox_warm', figure: 'p50_ms', max: 50, unit: ' ms' },
  { row: 'sandbox_resume', figure: 'p50_ms', max: 1_000, unit: ' ms' },
  { row: 'history_short', figure: 'events_per_round', max: 7 },
  { row: 'history_short', figure: 'bytes_per_round', max: 1_304, unit: ' bytes' },
  { row: 'history_long', figure: 'events_per_round', max: 12 },
  { row: 'interrupt', figure: 'p50_ms', max: 2_000, unit: ' ms' },
  { row: 'session_creates', figure: 'per_minute', min: 12_000 },
  { row: 'recovery', figure: 'p50_ms', max: 10_000, unit: ' ms' },
  { row: 'readers_1000', figure: 'ratio', max: 2 },
  { row: 'readers_1000', figure: 'max_ms', max: 1_000, unit: ' ms' },
  { row: 'compaction_150k', figure: 'p50_ms', max: 1_000, unit: ' ms' },
  { row: 'compaction_150k', figure: 'next_round_ratio', max: 1.3 },
  { row: 'compaction_150k', figure: 'summary_read_share', min: 0.9 },
  { row: 'cache_read_share', figure: 'min_share', min: 0.9 },
  { row: 'cache_read_share', figure: 'reread_min', min: 0.99 },
  { row: 'cache_read_share', figure: 'parallel_reread_min', min: 0.99 },
  { row: 'parked_1000', figure: 'more_mib_after_restart', max: 100, unit: ' MiB' },
  { row: 'parked_1000', figure: 'more_mib_after_restart_later', max: 100, unit: ' MiB' },
  { row: 'parked_1000', figure: 'more_mib_after_kill', max: 100, unit: ' MiB' },
  { row: 'parked_1000', figure: 'more_mib_after_kill_later', max: 100, unit: ' MiB' },
];
