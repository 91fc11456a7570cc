// A sandbox host of a test's own: temporary data directory, host id of its own, and nothing left of
// either afterwards. The engine is the machine's.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { createSandboxHost } from '../../sandbox/sandbox-host.ts';
import type { SandboxHostOptions } from '../../sandbox/sandbox-host.ts';
import type { SandboxHost, SandboxTool, ToolOutcome } from '../../sandbox/sandbox.ts';

export interface TestHost {
  host: SandboxHost;
  dataDir: string;
  hostId: string;
  /** a further host on the same data directory, as after a restart */
  reopen(): Promise<SandboxHost>;
  /** removes every container, volume and file of this test host */
  cleanUp(): Promise<void>;
}

/** Opens a host; `options` as in production. */
export async function openTestHost(options: Partial<SandboxHostOptions> = {}): Promise<TestHost> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-sandbox-'));
  const hostId = `test-${randomBytes(6).toString('hex')}`;
  const open = () =>
    createSandboxHost({ dataDir, hostId, log: pino({ level: 'silent' }), ...options });
  const host = await open();
  const opened = [host];
  return {
    host,
    dataDir,
    hostId,
    reopen: async () => {
      const again = await open();
      opened.push(again);
      return again;
    },
    cleanUp: async () => {
      await Promise.all(opened.map((each) => each.close()));
      const last = await open();
      await last.reconcile(async () => new Set());
      await last.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let nextCall = 0;

/** A call id nobody else uses. */
export function newCallId(): string {
  return `call_${process.pid}_${++nextCall}`;
}

/** Runs one tool to its end and acknowledges it; the outcome as the host gave it. */
export async function runTool(
  host: SandboxHost,
  sandboxId: string,
  tool: SandboxTool,
  input: Record<string, unknown>,
): Promise<ToolOutcome> {
  const callId = newCallId();
  const outcome = await host.call(sandboxId, { callId, tool, input });
  host.acknowledge(sandboxId, callId);
  return outcome;
}

/** Runs a command; its text, with the word `error: ` or `lost: ` before it where it is one. */
export async function bash(host: SandboxHost, sandboxId: string, command: string): Promise<string> {
  return textOf(await runTool(host, sandboxId, 'bash', { command }));
}

/** The text of an outcome, for plain comparisons. */
export function textOf(outcome: ToolOutcome): string {
  if (outcome.status === 'lost') return `lost: ${outcome.reason}`;
  if (outcome.status === 'running') return 'running';
  const text = outcome.content.map((block) => (block.type === 'text' ? block.text : block.type));
  return `${outcome.isError ? 'error: ' : ''}${text.join('\n')}`;
}

/** The engine's own command line, for looking at a container from outside. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args);
  return stdout.trim();
}

/** Asks until the answer is yes; throws after `timeoutMs`. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
