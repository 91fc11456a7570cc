// The workflow code as one bundled file, made once and kept by the hash of everything that goes
// into it, so that a start costs a file read and not seconds of bundling. Promise: a bundle is
// never older than its sources; where nothing can be written, it is made in memory each time.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { WorkflowBundleOption } from '@temporalio/worker';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache', 'holdfast');
/** the rooms that workflow code may import values from, and the version of what bundles it */
const SOURCES = ['workflows', 'protocol'];
const BUNDLER = join(ROOT, 'node_modules', '@temporalio', 'worker', 'package.json');

/** The bundle of workflows/index.ts: from the cache, else made in a few seconds and kept. */
export async function workflowBundle(): Promise<WorkflowBundleOption> {
  const codePath = join(CACHE, `workflows-${await sourceHash()}.js`);
  if (await isReadable(codePath)) return { codePath };
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, 'workflows', 'index.ts'),
    logger: new DefaultLogger('WARN'),
  });
  try {
    await mkdir(CACHE, { recursive: true });
    await writeFile(`${codePath}.${process.pid}`, code);
    await rename(`${codePath}.${process.pid}`, codePath);
    return { codePath };
  } catch {
    // A read-only installation: the worker takes the code itself.
    return { code };
  }
}

async function sourceHash(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(BUNDLER));
  for (const room of SOURCES) {
    const names = (await readdir(join(ROOT, room))).filter((name) => name.endsWith('.ts'));
    for (const name of names.toSorted()) {
      hash.update(name).update(await readFile(join(ROOT, room, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function isReadable(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    () => false,
  );
}
