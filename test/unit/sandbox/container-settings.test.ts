// The hardening of every container, held flag by flag: a change here is a change of what code
// inside can reach.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { containerSettings, DEFAULT_LIMITS } from '../../../sandbox/container-settings.ts';
import { isSandboxId } from '../../../sandbox/sandbox-id.ts';

const settingsOf = (network: 'none' | 'unrestricted', limits = DEFAULT_LIMITS) =>
  containerSettings({
    spec: { sandboxId: 'sesn_x', network },
    image: 'image:tag',
    hostId: 'host',
    limits,
    runtime: { directory: '/data/runtime/1', version: '1' },
    socketDirectory: '/run/sockets/sesn_x',
  });

test('a container has no capability, no new privileges, our filter and a read-only root', () => {
  const { HostConfig, User } = settingsOf('none');
  expect(User).toBe('1000:1000');
  expect(HostConfig?.CapDrop).toEqual(['ALL']);
  expect(HostConfig?.CapAdd).toBeUndefined();
  expect(HostConfig?.Privileged).toBeUndefined();
  expect(HostConfig?.ReadonlyRootfs).toBe(true);
  expect(HostConfig?.SecurityOpt?.[0]).toBe('no-new-privileges:true');
  const filter = HostConfig?.SecurityOpt?.[1] ?? '';
  expect(JSON.parse(filter.slice('seccomp='.length))).toHaveProperty(
    'defaultAction',
    'SCMP_ACT_ERRNO',
  );
});

test('a container is bounded in memory without swap, processes, files and time to stop', () => {
  const { HostConfig, StopTimeout } = settingsOf('none');
  expect(HostConfig?.MemorySwap).toBe(HostConfig?.Memory);
  expect(HostConfig?.Memory).toBeGreaterThan(0);
  expect(HostConfig?.PidsLimit).toBeGreaterThan(0);
  expect(HostConfig?.NanoCpus).toBe(2_000_000_000);
  expect(StopTimeout).toBe(5);
});

test('temporary files never take more than a quarter of the memory', () => {
  const memoryBytes = 256 * 1024 * 1024;
  const { HostConfig } = settingsOf('none', { ...DEFAULT_LIMITS, memoryBytes });
  expect(HostConfig?.Tmpfs?.['/tmp']).toContain(`size=${memoryBytes / 4}`);
});

test('what the host mounts is read-only, and only volumes can be written', () => {
  const mounts = settingsOf('none').HostConfig?.Mounts ?? [];
  for (const mount of mounts) {
    if (mount.Type === 'bind') expect(mount.ReadOnly).toBe(true);
    else expect(mount.Type).toBe('volume');
  }
  expect(mounts.map(({ Target }) => Target)).toEqual([
    '/workspace',
    '/home/agent',
    '/mnt/session',
    '/opt/holdfast',
    '/run/holdfast',
  ]);
});

test('limited networking is no network at all', () => {
  expect(settingsOf('none').HostConfig?.NetworkMode).toBe('none');
  expect(settingsOf('unrestricted').HostConfig?.NetworkMode).toBe('holdfast-unrestricted');
});

test('the filter lets no way to the kernel through that agents do not need', () => {
  const url = new URL('../../../sandbox/image/seccomp.json', import.meta.url);
  const profile = JSON.parse(readFileSync(url, 'utf8')) as {
    syscalls: { names: string[]; action: string }[];
  };
  const allowed = profile.syscalls
    .filter(({ action }) => action === 'SCMP_ACT_ALLOW')
    .flatMap(({ names }) => names);
  const dangerous =
    'io_uring_setup io_uring_enter io_uring_register bpf keyctl add_key request_key swapon ' +
    'perf_event_open userfaultfd unshare setns mount umount2 pivot_root open_tree move_mount ' +
    'fsopen fsmount ' +
    'init_module finit_module delete_module kexec_load reboot iopl ioperm open_by_handle_at ' +
    'quotactl syslog acct chroot sethostname clone3 pidfd_getfd process_madvise';
  for (const name of dangerous.split(' ')) expect(allowed).not.toContain(name);
});

test.each([
  ['sesn_01abc', true],
  ['', false],
  ['..', false],
  ['a/b', false],
  ['-a', false],
  ['a b', false],
  ['a'.repeat(101), false],
])('%j names a sandbox: %s', (text, isOne) => {
  expect(isSandboxId(text)).toBe(isOne);
});
