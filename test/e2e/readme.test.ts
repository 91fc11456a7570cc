// The lines of the README as they are printed: run by Node as they stand, only the address is this
// server's. A newcomer's first program has to work, with the newest SDK and with an old one.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';
import { ROOT } from '../helpers/source-files.ts';

const ADDRESS = 'http://127.0.0.1:8787';

it.each(['@anthropic-ai/sdk', 'anthropic-sdk-0-86'])(
  'the lines of the README work with %s',
  async (sdk) => {
    const { url, apiKey } = inject('server');
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const lines = /```ts\n([\s\S]+?)```/.exec(readme)![1]!;
    expect(lines).toContain(ADDRESS);
    const program = lines.replace(ADDRESS, url).replace("'@anthropic-ai/sdk'", `'${sdk}'`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { cwd: ROOT, env: { ...process.env, HOLDFAST_API_KEY: apiKey } },
    );
    const types = stdout.split('\n').flatMap((line) => /^\w+\.\w+/.exec(line)?.[0] ?? []);
    expect(types[0]).toBe('user.message');
    expect(types).toContain('agent.tool_use');
    expect(types).toContain('agent.message');
    expect(types.at(-1)).toBe('session.status_idle');
    expect(stdout).toContain('Linux');
  },
);
