// Names of MCP tools for the model, over many made-up servers and tools: every one is valid, and no
// two tools share one, however their names are put together.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { modelToolName } from '../../../activities/mcp/tool-list.ts';

/** Few characters, so that names run into each other; and whole names of the other kind. */
const part = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '_', '-', '.', '0'), minLength: 1, maxLength: 80 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }),
  fc.string({ minLength: 1 }).map((name) => modelToolName('a', name)),
);

test('no two tools share a name, and every name is valid', () => {
  const pairs = fc.uniqueArray(fc.tuple(part, part), {
    selector: (pair) => JSON.stringify(pair),
    maxLength: 60,
  });
  fc.assert(
    fc.property(pairs, (given) => {
      const names = given.map(([server, tool]) => modelToolName(server, tool));
      expect(new Set(names).size).toBe(given.length);
      for (const name of names) expect(name).toMatch(/^mcp__[A-Za-z0-9_-]{1,59}$/);
    }),
    { numRuns: 500 },
  );
});
