// What `npm test`, `npm run check` and `npm run test:deep` run: checks and suites one after another
// (they share two cores), each with its time, then one closing line `N passed, N failed`.
// A failed check counts as one failed, so does a suite that finds no tests, a file that does not
// load, a skipped test, anything of ours left behind, and a docs/coverage.md that is not what the
// end-to-end suite has shown. Exit code 0 only if nothing failed.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coverageProblems } from './coverage/coverage.ts';
import { RECORDS_DIRECTORY, RECORDS_VARIABLE } from './coverage/records.ts';
import { leftovers } from './helpers/leftovers.ts';
import { ROOT } from './helpers/source-files.ts';

interface Step {
  name: string;
  /** program of node_modules, run by this Node, and its arguments */
  command: readonly string[];
  /** true for a vitest project: its tests are counted; else the exit code is all */
  suite: boolean;
}

interface Outcome {
  name: string;
  passed: number;
  failed: number;
  tookMs: number;
}

/** The part of vitest's JSON report that is counted. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
  testResults: { name: string; status: string; assertionResults: unknown[] }[];
}

// Longer than any suite may take; what reaches it hangs, and CI must not wait for it.
const STEP_TIMEOUT_MS = 45 * 60_000;

const check = (name: string, ...command: string[]): Step => ({ name, command, suite: false });
const suite = (name: string): Step => ({
  name,
  command: ['vitest/vitest.mjs', 'run', '--project', name],
  suite: true,
});

const CHECKS = [
  check('format', 'oxfmt/bin/oxfmt', '--check', '.'),
  check('lint', 'oxlint/bin/oxlint'),
  check('types', 'typescript/bin/tsc', '--noEmit', '-p', '.'),
  check('unused code', 'knip/bin/knip.js', '--no-progress'),
];
const QUICK = [...CHECKS, suite('unit'), suite('replay')];
const PLANS: Readonly<Record<string, readonly Step[]>> = {
  check: QUICK,
  all: [...QUICK, ...['property', 'conformance', 'e2e', 'clients', 'chaos'].map(suite)],
  deep: [suite('property'), suite('chaos'), suite('deep')],
};

/** Runs one program of node_modules to its end and returns its exit code; output passes through. */
function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program, ...rest] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', program!), ...rest], {
      cwd: ROOT,
      env,
      stdio: 'inherit',
      timeout: STEP_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

/** Counts a suite by its report; whatever went wrong outside a test counts as one failed. */
function count(report: Report | undefined, exitCode: number): { passed: number; failed: number } {
  if (!report) return { passed: 0, failed: 1 };
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  for (const file of unloaded) console.log(`did not load: ${file.name}`);
  const skipped = report.numPendingTests + report.numTodoTests;
  if (skipped > 0) console.log(`${skipped} skipped, which counts as failed`);
  const failed = report.numFailedTests + unloaded.length + skipped;
  return { passed: report.numPassedTests, failed: failed || (exitCode === 0 ? 0 : 1) };
}

async function take(step: Step, env: NodeJS.ProcessEnv, reports: string): Promise<Outcome> {
  console.log(`\n── ${step.name}`);
  const startedAt = performance.now();
  const file = join(reports, `${step.name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const exitCode = await run(step.suite ? [...step.command, ...reporters] : step.command, env);
  const counts = step.suite
    ? count(readReport(file), exitCode)
    : { passed: 0, failed: exitCode === 0 ? 0 : 1 };
  return { name: step.name, ...counts, tookMs: performance.now() - startedAt };
}

/** Runs the end-to-end suite with its records kept, and holds docs/coverage.md against them. */
async function takeRecorded(step: Step, env: NodeJS.ProcessEnv, reports: string) {
  rmSync(RECORDS_DIRECTORY, { recursive: true, force: true });
  mkdirSync(RECORDS_DIRECTORY, { recursive: true });
  const outcome = await take(step, { ...env, [RECORDS_VARIABLE]: RECORDS_DIRECTORY }, reports);
  // What failed proves nothing, and the page would only repeat it.
  if (outcome.failed > 0) return [outcome];
  const startedAt = performance.now();
  const problems = coverageProblems();
  if (problems.length > 0) {
    console.log('\n── docs/coverage.md is not what this run has shown');
    for (const problem of problems) console.log(`  ${problem}`);
    console.log('  if the run is right: node test/coverage/coverage.ts, and read the diff');
  }
  const failed = problems.length > 0 ? 1 : 0;
  const tookMs = performance.now() - startedAt;
  return [outcome, { name: 'coverage page', passed: 0, failed, tookMs }];
}

/** Names what is there now and was not before: containers, volumes, processes, temporary files. */
async function takeLeftovers(before: ReadonlySet<string>): Promise<Outcome> {
  const startedAt = performance.now();
  const left = [...(await leftovers())].filter((item) => !before.has(item));
  if (left.length > 0) console.log(`\n── left behind\n${left.map((l) => `  ${l}`).join('\n')}`);
  const failed = left.length > 0 ? 1 : 0;
  return { name: 'nothing left behind', passed: 0, failed, tookMs: performance.now() - startedAt };
}

function planFor(words: readonly string[]): readonly Step[] {
  const [first = 'all'] = words;
  const plan = words.length <= 1 ? PLANS[first] : undefined;
  if (plan) return plan;
  const every = new Map([...PLANS.all!, ...PLANS.deep!].map((step) => [step.name, step]));
  return words.map((word) => {
    const step = every.get(word);
    if (step) return step;
    const names = [...Object.keys(PLANS), ...every.keys()].join(', ');
    throw new Error(`no plan or step is named ${JSON.stringify(word)}; there are ${names}`);
  });
}

const { positionals } = parseArgs({ allowPositionals: true });
const deep = positionals[0] === 'deep' ? { HOLDFAST_TEST_DEEP: '1' } : {};
const env = { ...process.env, ...deep };
const steps = planFor(positionals);
const before = await leftovers();
const reports = mkdtempSync(join(tmpdir(), 'holdfast-reports-'));
const outcomes: Outcome[] = [];
try {
  for (const step of steps) {
    if (step.name === 'e2e') outcomes.push(...(await takeRecorded(step, env, reports)));
    else outcomes.push(await take(step, env, reports));
  }
} finally {
  rmSync(reports, { recursive: true, force: true });
}
outcomes.push(await takeLeftovers(before));

console.log('');
for (const { name, passed, failed, tookMs } of outcomes) {
  const verdict = failed > 0 ? `${failed} FAILED` : 'ok';
  const tests = passed > 0 ? `${passed} passed` : '';
  console.log(
    `${name.padEnd(20)} ${`${(tookMs / 1000).toFixed(1)} s`.padStart(8)}  ${verdict}  ${tests}`,
  );
}
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
