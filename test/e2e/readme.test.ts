// The ten lines of the README, run as they are printed, by both generations of the official client:
// only the address of the server and the name of the package under test are put in.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ROOT } from '../helpers/source-files.ts';

const run = promisify(execFile);
let directory: string;

beforeAll(() => {
  // Inside the project, so that the packages are found.
  directory = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'readme-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function readmeLines(): string {
  const page = readFileSync(join(ROOT, 'README.md'), 'utf8');
  return page.split('```ts\n')[1]!.split('```')[0]!;
}

async function runLines(packageName: string): Promise<string> {
  const server = inject('server');
  const program = readmeLines()
    .replace('http://127.0.0.1:8787', server.url)
    .replace("'@anthropic-ai/sdk'", `'${packageName}'`);
  const file = join(directory, `${packageName.replaceAll(/\W/g, '-')}.mjs`);
  writeFileSync(file, program);
  const env = { HOLDFAST_API_KEY: server.apiKey };
  const { stdout } = await run(process.execPath, [file], { env, timeout: 60_000 });
  return stdout;
}

test('the README shows ten lines', () => {
  expect(readmeLines().trim().split('\n')).toHaveLength(10);
});

test.each(['@anthropic-ai/sdk', 'anthropic-sdk-0-86'])(
  'the lines of the README run a whole turn with %s',
  async (packageName) => {
    const printed = await runLines(packageName);
    expect(printed).toContain('user.message');
    expect(printed).toContain('agent.tool_result');
    expect(printed).toContain('Linux');
    expect(printed.trim().split('\n').at(-1)).toContain('session.status_idle');
  },
);
