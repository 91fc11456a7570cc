// What code inside a sandbox cannot do, probed from inside; and what a runner that was taken over
// cannot do to its host, played by the test on the runner's own socket.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxHost } from '../../../sandbox/sandbox.ts';
import {
  bash,
  docker,
  newCallId,
  openTestHost,
  runTool,
  textOf,
  until,
} from '../../helpers/sandbox.ts';
import type { TestHost } from '../../helpers/sandbox.ts';

const MEBIBYTE = 1024 * 1024;
const SANDBOX = 'sesn_secure';
const OTHER = 'sesn_other';

let test1: TestHost;
let host: SandboxHost;

beforeAll(async () => {
  test1 = await openTestHost({
    limits: { memoryBytes: 512 * MEBIBYTE, pids: 200, tmpBytes: 64 * MEBIBYTE },
  });
  host = test1.host;
  await host.provision({ sandboxId: SANDBOX, network: 'none' });
  await host.provision({ sandboxId: OTHER, network: 'none' });
});
afterAll(() => test1.cleanUp());

const python = (code: string, sandboxId = SANDBOX) =>
  bash(host, sandboxId, `python3 - <<'PYTHON'\n${code}\nPYTHON`);

describe('a process inside', () => {
  test('is user 1000 without capabilities, with no new privileges and a filter', async () => {
    const status = await bash(
      host,
      SANDBOX,
      "id -u; grep -E 'CapEff|CapBnd|CapPrm|NoNewPrivs|^Seccomp:' /proc/self/status | tr -d '\\t'",
    );
    expect(status.split('\n')).toEqual([
      '1000',
      'CapPrm:0000000000000000',
      'CapEff:0000000000000000',
      'CapBnd:0000000000000000',
      'NoNewPrivs:1',
      'Seccomp:2',
    ]);
  });

  test.each([
    ['io_uring_setup', 425],
    ['bpf', 321],
    ['keyctl', 250],
    ['perf_event_open', 298],
    ['userfaultfd', 323],
    ['unshare', 272],
    ['setns', 308],
    ['mount', 165],
    ['open_tree', 428],
    ['kexec_load', 246],
    ['init_module', 175],
    ['reboot', 169],
  ])('is refused the system call %s', async (_name, number) => {
    const code = `import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(${number}, 0x10000000, 0, 0, 0, 0), ctypes.get_errno())`;
    expect(await python(code)).toBe('-1 1');
  });

  test('is refused sockets to the hypervisor, of raw packets and of the kernel', async () => {
    const code = `import socket
for family, kind in ((40, 1), (17, 3), (38, 5), (2, 3), (31, 3)):
  try:
    socket.socket(family, kind, 1)
    print(family, 'open')
  except OSError as error:
    print(family, error.errno)`;
    expect(await python(code)).toBe(['40 1', '17 1', '38 1', '2 1', '31 1'].join('\n'));
  });

  test('is refused new namespaces, also by clone', async () => {
    expect(await bash(host, SANDBOX, 'unshare -Ur true')).toMatch(/^error: .*not permitted/);
    const code = `import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())`;
    expect(await python(code)).toBe('-1 1');
  });

  test('cannot change the system, but its own directories', async () => {
    const command =
      'for path in /etc /usr /opt /opt/holdfast /run/holdfast /var /mnt; ' +
      'do touch $path/x 2>/dev/null && echo $path; done; ' +
      'for path in /workspace /home/agent /mnt/session /tmp /var/tmp; ' +
      'do touch $path/x && echo ok; done';
    expect(await bash(host, SANDBOX, command)).toBe(Array(5).fill('ok').join('\n'));
  });

  test('has no network but itself', async () => {
    expect(await bash(host, SANDBOX, 'ls /sys/class/net')).toBe('lo');
    const code = `import socket
for address in ('192.0.2.1', '172.17.0.1', '169.254.169.254', '10.0.0.1'):
  try:
    socket.create_connection((address, 80), timeout=2)
    print('open')
  except OSError as error:
    print(error.errno)`;
    expect(await python(code)).toBe(Array(4).fill('101').join('\n'));
    expect(await bash(host, SANDBOX, 'getent hosts example.com')).toMatch(/^error/);
  });

  test('sees no file, process or socket of another sandbox', async () => {
    await bash(
      host,
      OTHER,
      'echo secret > /workspace/secret; echo secret > /tmp/secret; sleep 602 &',
    );
    const command =
      'find / -xdev -name secret 2>/dev/null; pgrep -f "sleep 602"; ls /run/holdfast; ' +
      'ls /workspace /tmp | grep secret';
    expect(await bash(host, SANDBOX, command)).toMatch(/^error: runner\.sock$/);
  });

  test('finds no secret of the host in its environment and files', async () => {
    const environment = await bash(
      host,
      SANDBOX,
      'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"',
    );
    expect(environment).not.toMatch(/KEY|TOKEN|SECRET|PASSWORD/i);
    expect(await bash(host, SANDBOX, 'ls /var/run/docker.sock; ls /run')).not.toMatch(
      /^\/var\/run/m,
    );
  });
});

test('containers on the bridge cannot reach each other', async () => {
  const [a, b] = ['sesn_bridge_a', 'sesn_bridge_b'];
  await Promise.all([
    host.provision({ sandboxId: a, network: 'unrestricted' }),
    host.provision({ sandboxId: b, network: 'unrestricted' }),
  ]);
  await bash(host, a, 'python3 -m http.server 8000 >/dev/null 2>&1 &');
  expect(
    await bash(
      host,
      a,
      'curl -s --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null ' +
        '-w "%{http_code}" 127.0.0.1:8000',
    ),
  ).toBe('200');
  const address = await bash(host, a, 'hostname -I');
  expect(await bash(host, b, `curl -s -m 2 ${address.trim()}:8000`)).toMatch(/^error/);
  await Promise.all([host.release(a), host.release(b)]);
});

describe('a command that runs away', () => {
  const other = async () => {
    const startedAt = performance.now();
    expect(await bash(host, OTHER, 'echo undisturbed')).toBe('undisturbed');
    return performance.now() - startedAt;
  };

  test('forking without end is bounded, and the next command works', async () => {
    await bash(host, SANDBOX, ':(){ :|:& };:');
    await until('it is at its limit', async () => {
      const format = ['--no-stream', '--format', '{{.PIDs}}'];
      const processes = await docker('stats', ...format, `holdfast-${SANDBOX}`);
      return Number(processes) > 190;
    });
    expect(await other()).toBeLessThan(2000);
    expect(await bash(host, SANDBOX, 'ls / | head -1')).toBe('bin');
  });

  test('taking all memory is killed, and the next command works', async () => {
    const text = await python('x = bytearray(2 * 1024 ** 3)');
    expect(text).toMatch(/^error: .*Killed/);
    expect(await other()).toBeLessThan(2000);
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });

  test('flooding its output is stopped, and the next command works', async () => {
    expect(await bash(host, SANDBOX, 'yes')).toMatch(/its output passed 67108864 bytes/);
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });

  test('filling /tmp meets its end, and the next command works', async () => {
    const text = await bash(host, SANDBOX, 'head -c 100M /dev/zero > /tmp/x; rm -f /tmp/x');
    expect(text).toMatch(/No space left on device/);
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });

  test('opening files without end meets its limit', async () => {
    const code = `files = []
try:
  while True: files.append(open('/dev/null'))
except OSError as error: print(error.errno)`;
    expect(await python(code)).toBe('24');
  });

  test('killing the runner is an error result, and the next command works', async () => {
    expect(await bash(host, SANDBOX, 'kill -9 $PPID; sleep 60')).toMatch(/^lost/);
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });

  test('killing everything is an error result, and the next command works', async () => {
    expect(await bash(host, SANDBOX, 'kill -9 -1; sleep 60')).toMatch(/^lost/);
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });
});

describe('code that speaks to the runner socket', () => {
  test('is not let in beside the runner, whatever it says', async () => {
    const code = `import socket, os
zero = b'\\x00' * 3
wrong = (zero + b'\\x00', b'\\xff' * 4, zero + b'\\x02{}', zero + b'\\x05hello')
for data in (b'', *wrong, os.urandom(5000)):
  s = socket.socket(socket.AF_UNIX)
  s.connect('/run/holdfast/runner.sock')
  s.send(data)
  s.settimeout(1)
  try: s.recv(1)
  except OSError: pass
  s.close()
print('done')`;
    expect(await python(code)).toBe('done');
    expect(await bash(host, SANDBOX, 'echo works')).toBe('works');
  });

  test('cannot delete, replace or move it', async () => {
    const command =
      'cd /run/holdfast; rm -f runner.sock; ln -sf /tmp runner.sock; mv runner.sock x; ' +
      'mkdir y; chmod 777 .; true';
    await bash(host, SANDBOX, command);
    expect(await bash(host, SANDBOX, 'ls /run/holdfast')).toBe('runner.sock');
  });
});

async function takeOver(sandboxId: string): Promise<Socket> {
  // Its real runner is frozen, the host starts anew, and the test is the first to dial.
  await host.provision({ sandboxId, network: 'none' });
  await host.close();
  const pid = await docker('exec', `holdfast-${sandboxId}`, 'pgrep', '-f', 'runner.mjs');
  await docker(
    'exec',
    `holdfast-${sandboxId}`,
    'bash',
    '-c',
    `kill -STOP ${pid.split('\n').join(' ')}`,
  );
  host = await test1.reopen();
  await host.attachAll();
  const directory = readFileSync(
    join(test1.dataDir, 'sandboxes', 'socket-directory'),
    'utf8',
  ).trim();
  const socket = connect(join(directory, sandboxId, 'runner.sock'));
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(frame({ type: 'hello', protocol: 1, bootId: 'taken-over' }));
  await until('it is the runner', () => host.has(sandboxId));
  return socket;
}

const largeText = [{ type: 'text', text: 'x'.repeat(MEBIBYTE) }];

describe('a runner that was taken over', () => {
  test.each([
    ['a frame of 4 GB', () => Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a frame that is not JSON', () => Buffer.from([0, 0, 0, 3, 1, 2, 3])],
    [
      'a result of the wrong shape',
      (callId: string) => frame({ type: 'result', callId, content: 'x', isError: false }),
    ],
    [
      'a block of an unknown type',
      (callId: string) =>
        frame({ type: 'result', callId, content: [{ type: 'secret' }], isError: false }),
    ],
    ['JSON nested a million deep', () => raw('['.repeat(1_000_000))],
    [
      'a flood of frames nobody asked for',
      (callId: string) => Buffer.concat(Array(5000).fill(frame({ type: 'started', callId }))),
    ],
    ['a flood of pongs', () => Buffer.concat(Array(5000).fill(frame({ type: 'pong', n: 1 })))],
    [
      'a flood of large frames nobody asked for',
      () =>
        Buffer.concat(Array(8).fill(raw(`{"type":"pong","n":1,"x":"${'x'.repeat(MEBIBYTE)}"}`))),
    ],
    [
      'the large result of another call',
      () => frame({ type: 'result', callId: 'other', content: largeText, isError: false }),
    ],
    ['a second hello', () => frame({ type: 'hello', protocol: 1, bootId: 'again' })],
  ])(
    'sending %s ends the call and not the host, and the next call works',
    async (_name, attack) => {
      const sandboxId = 'sesn_taken';
      const socket = await takeOver(sandboxId);
      const callId = newCallId();
      const running = host.call(sandboxId, { callId, tool: 'bash', input: { command: 'true' } });
      await once(socket, 'data');
      socket.write(attack(callId));
      expect(textOf(await running)).toMatch(/^lost: its runner sent a malformed frame/);
      expect(await bash(host, sandboxId, 'echo works')).toBe('works');
      expect(await bash(host, OTHER, 'echo works')).toBe('works');
      socket.destroy();
      await host.release(sandboxId);
    },
  );
});

test('a large frame while no call runs ends the container, and the next call works', async () => {
  const sandboxId = 'sesn_taken';
  const socket = await takeOver(sandboxId);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(frame({ type: 'result', callId: 'any', content: largeText, isError: false }));
  await closed;
  expect(await bash(host, sandboxId, 'echo works')).toBe('works');
  await host.release(sandboxId);
});

test('no container has the socket of the engine', async () => {
  const mounts = await docker(
    'inspect',
    '-f',
    '{{json .Mounts}}',
    `holdfast-${SANDBOX}`,
    `holdfast-${OTHER}`,
  );
  expect(mounts).not.toContain('docker.sock');
});

test('input too large for a frame is an error result', async () => {
  const content = 'x'.repeat(9 * MEBIBYTE);
  const outcome = await runTool(host, OTHER, 'write', { file_path: 'large', content });
  expect(textOf(outcome)).toMatch(/^error: the input is too large/);
});

function raw(json: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(json));
  return Buffer.concat([head, Buffer.from(json)]);
}

function frame(value: unknown): Buffer {
  return raw(JSON.stringify(value));
}
