// Loaded before each e2e and chaos file: whatever speaks to a server of ours through `fetch` has
// its answers held against the contract, and what left it during a test fails that test, so every
// end-to-end test is a conformance test as well, without saying so. What a passed test saw is noted
// for docs/coverage.md (test/coverage/records.ts).

import { relative } from 'node:path';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { keep, takeNotes } from '../coverage/records.ts';
import { assertConformance, conformingFetch } from './conformance.ts';
import { ROOT } from './source-files.ts';

globalThis.fetch = conformingFetch;

beforeEach(({ task, onTestFinished }) => {
  // What was set up for several tests is no test's claim.
  takeNotes();
  onTestFinished(() => {
    const seen = takeNotes();
    if (task.result?.state !== 'pass') return;
    const file = relative(ROOT, task.file.filepath);
    // Of tests that run side by side nobody knows which saw what.
    const own = task.concurrent === true ? [] : seen;
    keep({ file, name: task.fullTestName, line: task.location?.line ?? 0, seen: own });
  });
});

afterEach(assertConformance);

// The last words of a file: what its own afterAll hooks were told. They have run by then.
afterAll(assertConformance);
