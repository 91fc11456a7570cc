// The suites of test/, as vitest projects: `vitest run --project unit` runs one of them.
// Pure suites may run side by side; the ones that own ports, containers and databases run one file
// at a time, because two cores shared by two stacks would measure the machine and not the code.
import { defineConfig } from 'vitest/config';

const SECOND_MS = 1_000;

// Fails the test during which an answer or event left the SDK's types.
const CONFORMANCE = './test/helpers/conformance-setup.ts';

// The server that most end-to-end files share.
const SHARED_SERVER = './test/helpers/e2e-setup.ts';

// Draws the moments at which things are killed, and prints what came of it.
const KILLS = './test/chaos/setup.ts';

interface Suite {
  include: string[];
  exclude?: string[];
  /** loaded before each file of the suite */
  setupFiles?: string[];
  /** run once around the whole suite */
  globalSetup?: string[];
  /** whole-test bound, `ms`; a test that reaches it hangs */
  testTimeoutMs: number;
  /** true where files share the machine: containers, databases, servers */
  ownsMachine?: boolean;
}

const suites: Record<string, Suite> = {
  unit: {
    include: ['test/house.test.ts', 'test/unit/**/*.test.ts'],
    exclude: ['test/unit/**/*.property.test.ts'],
    testTimeoutMs: 20 * SECOND_MS,
  },
  property: {
    include: ['test/unit/**/*.property.test.ts', 'test/property/**/*.test.ts'],
    testTimeoutMs: 120 * SECOND_MS,
  },
  replay: { include: ['test/replay/**/*.test.ts'], testTimeoutMs: 60 * SECOND_MS },
  conformance: {
    include: ['test/conformance/**/*.test.ts'],
    testTimeoutMs: 120 * SECOND_MS,
    ownsMachine: true,
  },
  e2e: {
    include: ['test/e2e/**/*.test.ts'],
    setupFiles: [CONFORMANCE],
    globalSetup: [SHARED_SERVER],
    testTimeoutMs: 120 * SECOND_MS,
    ownsMachine: true,
  },
  clients: {
    include: ['test/clients/**/*.test.ts'],
    globalSetup: [SHARED_SERVER],
    testTimeoutMs: 120 * SECOND_MS,
    ownsMachine: true,
  },
  chaos: {
    include: ['test/chaos/**/*.test.ts'],
    setupFiles: [CONFORMANCE],
    globalSetup: [KILLS],
    testTimeoutMs: 15 * 60 * SECOND_MS,
    ownsMachine: true,
  },
  deep: {
    include: ['test/deep/**/*.test.ts'],
    setupFiles: [CONFORMANCE],
    globalSetup: [KILLS],
    testTimeoutMs: 30 * 60 * SECOND_MS,
    ownsMachine: true,
  },
};

export default defineConfig({
  test: {
    projects: Object.entries(suites).map(([name, suite], order) => ({
      test: {
        name,
        include: suite.include,
        exclude: suite.exclude ?? [],
        setupFiles: suite.setupFiles ?? [],
        globalSetup: suite.globalSetup ?? [],
        testTimeout: suite.testTimeoutMs,
        hookTimeout: suite.ownsMachine ? 180 * SECOND_MS : 30 * SECOND_MS,
        fileParallelism: !suite.ownsMachine,
        maxWorkers: suite.ownsMachine ? 1 : '100%',
        sequence: { groupOrder: order },
        // test/coverage reads the text of a test at its line.
        includeTaskLocation: true,
      },
    })),
  },
});
