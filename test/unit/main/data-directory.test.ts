// The data directory: one holder, files replaced whole, troubles told in a sentence.
// Real files below a temporary directory, and holders that are really killed.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstKey, openDataDirectory } from '../../../main/data-directory.ts';

const MODULE = fileURLToPath(new URL('../../../main/data-directory.ts', import.meta.url));

let base: string;
let path: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-directory-'));
  path = join(base, 'data');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** Opens the directory in a process of its own, which then kills itself. */
function openAndDie(directory: string): { status: number | null; stderr: string } {
  const program = `import { openDataDirectory } from ${JSON.stringify(MODULE)};
    openDataDirectory(${JSON.stringify(directory)});
    process.kill(process.pid, 'SIGKILL');`;
  const options = ['--input-type=module-typescript', '-e', program];
  const { status, stderr } = spawnSync(process.execPath, options, { encoding: 'utf8' });
  return { status, stderr };
}

describe('the data directory', () => {
  it('keeps the name of its machine', () => {
    const first = openDataDirectory(path);
    first.release();
    const second = openDataDirectory(path);
    expect(second.hostId).toBe(first.hostId);
    second.release();
  });

  it('belongs to one server at a time, and the second is told which', () => {
    const held = openDataDirectory(path);
    held.runtime.change((record) => {
      record.server = { pid: 4711, url: 'http://127.0.0.1:1' };
    });
    expect(() => openDataDirectory(path)).toThrow(/4711.*HOLDFAST_DATA/);
    expect(openAndDie(path).stderr).toMatch(/Another server/);
    held.release();
    openDataDirectory(path).release();
  });

  it('is free again when its holder was killed', () => {
    expect(openAndDie(path).status).toBeNull();
    openDataDirectory(path).release();
  });

  it('a runtime record that was cut short costs nothing but the record', () => {
    openDataDirectory(path).release();
    writeFileSync(join(path, 'runtime.json'), '{"ports": {"postg');
    const directory = openDataDirectory(path);
    expect(directory.runtime.current).toEqual({ ports: {}, children: {} });
    directory.release();
  });

  it('a path through a file is one sentence', () => {
    writeFileSync(join(base, 'file'), '');
    expect(() => openDataDirectory(join(base, 'file', 'data'))).toThrow(
      /a part of the path is a file \(HOLDFAST_DATA/,
    );
  });

  it('a place where nobody may write is one sentence', () => {
    expect(() => openDataDirectory('/sys/holdfast')).toThrow(/may not write there|read-only/);
  });

  it('the first key is minted once and readable by its owner alone', () => {
    const minted = firstKey(path, null);
    expect(minted).toMatchObject({ isNew: true, where: join(path, 'api-key') });
    expect(firstKey(path, null)).toMatchObject({ key: minted.key, isNew: false });
    expect(statSync(minted.where).mode & 0o777).toBe(0o600);
    expect(readFileSync(minted.where, 'utf8').trim()).toBe(minted.key);
  });

  it('a key that was given is not written down', () => {
    expect(firstKey(path, 'mine')).toEqual({
      key: 'mine',
      isNew: false,
      where: 'HOLDFAST_API_KEY',
    });
  });
});
