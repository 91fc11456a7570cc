// Around the whole chaos suite: draws the seed (or takes HOLDFAST_TEST_SEED), and at the end prints
// the table of kills and recoveries. A complete run that killed too little fails.

import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { byDepth } from '../helpers/depth.ts';
import { readRows, renderRows } from './kill-table.ts';

declare module 'vitest' {
  interface ProvidedContext {
    chaos: {
      seed: string;
      /** where rows of the table go */
      rowsFile: string;
    };
  }
}

/** Kills that a complete run makes at least. */
const KILLS_MIN = byDepth(30, 100);
const SEED_BELOW = 1_000_000;

/** vitest calls this once; what it returns is called at the end. */
export function setup(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'));
  const rowsFile = join(directory, 'kills.jsonl');
  const seed = process.env.HOLDFAST_TEST_SEED ?? String(randomInt(SEED_BELOW));
  console.log(`chaos seed ${seed}: HOLDFAST_TEST_SEED=${seed} draws the same moments again`);
  project.provide('chaos', { seed, rowsFile });
  return () => {
    const rows = readRows(rowsFile);
    rmSync(directory, { recursive: true, force: true });
    if (rows.length > 0) console.log(`\nkills of seed ${seed}\n${renderRows(rows)}\n`);
    const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
    const isWhole = files.every((name) => rows.some(({ file }) => file === name));
    if (isWhole && rows.length < KILLS_MIN) {
      throw new Error(`only ${rows.length} kills, at least ${KILLS_MIN} are wanted`);
    }
  };
}
