// Replacements in installed packages, applied by the set-up after `npm ci` and again at every run,
// which finds them done. Promise: a text that is not found exactly once stops the set-up with a
// sentence, so no release of a package is ever patched blindly. Why each is here:
// docs/decisions/0006 and 0008.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The PostgreSQL driver ends the process when its server dies under an open transaction: it writes
 * to a connection that is gone, from a callback that nobody can catch (porsager/postgres issues
 * 1154 and 1208, unfixed in 3.4.9). Patched, such a query is refused like any other on a lost
 * connection, and a lost transaction never touches the connection's next life. Two more of its
 * kind, met by killing PostgreSQL under load: a query handed to a connection between its `error`
 * and its `close` never settled, and a loss while a new connection asks for array types was a
 * rejection that nobody could catch.
 */
const DRIVER = [
  {
    file: 'postgres/src/connection.js',
    find: `    if (stream)
      return queryError(q, Errors.generic('COPY_IN_PROGRESS'`,
    replace: `    if (!socket) {
      queryError(q, Errors.connection('CONNECTION_CLOSED', options))
      return true
    }

    if (stream)
      return queryError(q, Errors.generic('COPY_IN_PROGRESS'`,
  },
  {
    file: 'postgres/src/connection.js',
    find: `    const x = socket.write(chunk, fn)
    nextWriteTimer !== null`,
    replace: `    const x = socket ? socket.write(chunk, fn) : false
    nextWriteTimer !== null`,
  },
  {
    file: 'postgres/src/connection.js',
    find: `    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)`,
    replace: `    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    socket.removeListener('data', data)`,
  },
  {
    file: 'postgres/src/connection.js',
    find: `    !hadError && (query || sent.length) && error(`,
    replace: `    ;(query || sent.length) && error(`,
  },
  {
    file: 'postgres/src/connection.js',
    find: `        return fetchArrayTypes()
      }`,
    replace: `        return fetchArrayTypes().catch(() => {})
      }`,
  },
  {
    file: 'postgres/src/index.js',
    find: 'new Promise((_, reject) => connection.onclose = reject)',
    replace: 'new Promise((_, reject) => connection.onclose = e => (lost = e, reject(e)))',
  },
  {
    file: 'postgres/src/index.js',
    find: `      , connection
      , prepare = null`,
    replace: `      , connection
      , lost = null
      , prepare = null`,
  },
  {
    file: 'postgres/src/index.js',
    find: `        q.catch(e => uncaughtError || (uncaughtError = e))
        c.queue`,
    replace: `        q.catch(e => uncaughtError || (uncaughtError = e))
        if (lost)
          return q.reject(lost)
        c.queue`,
  },
];

/**
 * Two things the Temporal worker does at every step of workflow code, a quarter of the server's
 * processor time in a turn of short commands: it starts a thread to watch over a time-out of the
 * entry, and takes a stack trace for each promise. Workflow code here is a short loop over a pure
 * function; a step that never ended would hold its thread, and its task would time out at the
 * server.
 */
const WORKER = [
  {
    file: '@temporalio/worker/lib/workflow/reusable-vm.js',
    find: `callIntoVmScript.runInContext(context, {
                        timeout: isolateExecutionTimeoutMs,
                        displayErrors`,
    replace: `callIntoVmScript.runInContext(context, {
                        displayErrors`,
  },
  {
    file: '@temporalio/worker/lib/workflow/vm-shared.js',
    find: `            this.setPromiseHook();
`,
    replace: `            // No stack trace for each promise.
`,
  },
];

/** Applies what is missing below a `node_modules` directory. */
export function applyPatches(modules) {
  for (const patch of [...DRIVER, ...WORKER]) applyPatch(modules, patch);
}

function applyPatch(modules, { file, find, replace }) {
  const path = join(modules, file);
  const text = readFileSync(path, 'utf8');
  if (text.includes(replace)) return;
  const parts = text.split(find);
  if (parts.length !== 2) throw new Error(`${file} changed: review its patch in patches.mjs`);
  writeFileSync(path, parts.join(replace));
}
