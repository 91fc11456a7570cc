// Whose process a pid is: only the one that was started with exactly that command, from its first
// moment to its last.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isOurs } from '../../../main/process-identity.ts';

const COMMAND = ['/bin/sleep', '60'];

describe('a process', () => {
  it('is ours while a shell is still becoming it, and until it ends', async () => {
    for (let round = 0; round < 50; round += 1) {
      const child = spawn('/bin/sh', ['-c', 'exec "$@"', 'sh', ...COMMAND]);
      const answers = Array.from({ length: 40 }, () => isOurs(child.pid!, COMMAND));
      expect(answers).not.toContain(false);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(isOurs(child.pid!, COMMAND)).toBe(false);
    }
  });

  it('with another command is a stranger', async () => {
    const child = spawn('/bin/sleep', ['61']);
    await once(child, 'spawn');
    expect(isOurs(child.pid!, COMMAND)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('that does not exist is nobody’s', () => {
    expect(isOurs(2 ** 30, COMMAND)).toBe(false);
  });
});
