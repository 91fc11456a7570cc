// How a sandbox container is made: one pure function from what is wanted to the engine's words.
// Every hardening flag of the room is in this file, and test/unit/sandbox holds them.
import { readFileSync } from 'node:fs';
import {
  SANDBOX_CPUS,
  SANDBOX_MEMORY_BYTES,
  SANDBOX_OPEN_FILES,
  SANDBOX_PIDS,
  SANDBOX_STOP_GRACE_SECONDS,
  SANDBOX_TMP_BYTES,
} from '../protocol/limits.ts';
import type { ContainerSettings } from './docker.ts';
import type { SandboxLimits, SandboxSpec } from './sandbox.ts';

export const DEFAULT_LIMITS: SandboxLimits = {
  memoryBytes: SANDBOX_MEMORY_BYTES,
  cpus: SANDBOX_CPUS,
  pids: SANDBOX_PIDS,
  openFiles: SANDBOX_OPEN_FILES,
  tmpBytes: SANDBOX_TMP_BYTES,
};

export const LABEL_SANDBOX = 'holdfast.session';
export const LABEL_HOST = 'holdfast.host';
const LABEL_NETWORK = 'holdfast.network';
export const LABEL_IMAGE = 'holdfast.image';
export const LABEL_RUNTIME = 'holdfast.runtime';

/** The bridge of `unrestricted` sandboxes; containers on it cannot reach each other. */
export const BRIDGE_NAME = 'holdfast-unrestricted';
export const BRIDGE_OPTIONS = { 'com.docker.network.bridge.enable_icc': 'false' };

const TMP_MEMORY_SHARE = 4;
const NANO_CPUS = 1_000_000_000;
const USER = '1000:1000';
const NNP = 'no-new-privileges:true';
/** What survives the container: volume suffix → path inside. */
const KEPT_DIRECTORIES = { workspace: '/workspace', home: '/home/agent', session: '/mnt/session' };
const seccompProfile = JSON.stringify(
  JSON.parse(readFileSync(new URL('./image/seccomp.json', import.meta.url), 'utf8')),
);

/** The container's name; one per sandbox on an engine. */
export function containerName(sandboxId: string): string {
  return `holdfast-${sandboxId}`;
}

/** Names of the volumes that hold a sandbox's files. */
export function volumeNames(sandboxId: string): string[] {
  return Object.keys(KEPT_DIRECTORIES).map((suffix) => `${containerName(sandboxId)}-${suffix}`);
}

export interface SettingsInput {
  spec: SandboxSpec;
  image: string;
  hostId: string;
  limits: SandboxLimits;
  runtime: { directory: string; version: string };
  /** host directory of this sandbox's socket */
  socketDirectory: string;
}

/** The engine's create request for one sandbox. */
export function containerSettings(input: SettingsInput): ContainerSettings {
  const { spec, limits } = input;
  // What lies in a tmpfs counts as memory and no kill frees it, so it never gets the larger part.
  const tmpBytes = Math.min(limits.tmpBytes, Math.floor(limits.memoryBytes / TMP_MEMORY_SHARE));
  const labels = { [LABEL_SANDBOX]: spec.sandboxId, [LABEL_HOST]: input.hostId };
  return {
    name: containerName(spec.sandboxId),
    Image: input.image,
    Entrypoint: [],
    Cmd: ['/opt/holdfast/node', '/opt/holdfast/runner.mjs', '--container'],
    User: USER,
    WorkingDir: '/workspace',
    Hostname: 'sandbox',
    Env: ['HOME=/home/agent', 'LANG=C.UTF-8'],
    StopTimeout: SANDBOX_STOP_GRACE_SECONDS,
    Labels: {
      ...labels,
      [LABEL_NETWORK]: spec.network,
      [LABEL_IMAGE]: input.image,
      [LABEL_RUNTIME]: input.runtime.version,
    },
    HostConfig: {
      NetworkMode: spec.network === 'none' ? 'none' : BRIDGE_NAME,
      Init: true,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: [NNP, `seccomp=${seccompProfile}`],
      IpcMode: 'private',
      Memory: limits.memoryBytes,
      // The same figure again means no swap on top.
      MemorySwap: limits.memoryBytes,
      NanoCpus: Math.round(limits.cpus * NANO_CPUS),
      PidsLimit: limits.pids,
      Ulimits: [
        { Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      Tmpfs: {
        '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${tmpBytes}`,
        '/var/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${tmpBytes}`,
      },
      Mounts: mounts(input, labels),
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
      RestartPolicy: { Name: 'no' },
    },
  };
}

function mounts(input: SettingsInput, labels: Record<string, string>) {
  const kept = Object.entries(KEPT_DIRECTORIES).map(([suffix, target]) => ({
    Type: 'volume' as const,
    Source: `${containerName(input.spec.sandboxId)}-${suffix}`,
    Target: target,
    VolumeOptions: { NoCopy: false, Labels: labels, DriverConfig: { Name: 'local', Options: {} } },
  }));
  return [
    ...kept,
    fixed(input.runtime.directory, '/opt/holdfast'),
    fixed(input.socketDirectory, '/run/holdfast'),
  ];
}

// Read-only: in a writable socket directory, code inside could replace the socket (design.md 9).
function fixed(source: string, target: string) {
  return { Type: 'bind' as const, Source: source, Target: target, ReadOnly: true };
}
