// The life of a process of ours: settings, log, start, wait for a signal, drain, exit. Promises:
// what cannot start says one sentence and exits 1; SIGTERM and SIGINT undo everything that was
// started, in reverse order, within ten seconds, also in the middle of a start; a second signal
// does not wait.
import type { Logger } from 'pino';
import { PROCESS_DRAIN_MS } from '../protocol/limits.ts';
import { ConfigError, readConfig } from './config.ts';
import type { Config, Secrets } from './config.ts';
import { fileTrouble } from './data-directory.ts';
import { createLog } from './log.ts';

export interface Startup {
  config: Config;
  secrets: Secrets;
  log: Logger;
  /** what to undo at the end, last first */
  cleanup: AsyncDisposableStack;
  /** Ends the process as a signal would, with that exit code. */
  end(cause: string, code: number): void;
}

/** Errors whose message is a sentence for the operator; of any other the stack is shown. */
const EXPLAINED = new Set(['ConfigError', 'StartError', 'EngineUnavailableError']);

/**
 * Runs a process until a signal ends it. `start` resolves when it serves; what it rejects with ends
 * it.
 */
export async function runProcess(
  role: string,
  start: (startup: Startup) => Promise<void>,
): Promise<void> {
  const { config, secrets, log } = settingsOrExit(role);
  const cleanup = new AsyncDisposableStack();
  const end = ending(log, cleanup);
  process.once('SIGTERM', () => void end('SIGTERM', 0));
  process.once('SIGINT', () => void end('SIGINT', 0));
  try {
    await start({ config, secrets, log, cleanup, end: (cause, code) => void end(cause, code) });
  } catch (error) {
    // A start that a signal cut short fails of itself, which is nothing to explain to an operator.
    if (cleanup.disposed) log.debug(error, 'the start was cut short');
    else explain(log, error);
    await end('the failed start', 1);
  }
}

function settingsOrExit(role: string): { config: Config; secrets: Secrets; log: Logger } {
  try {
    const { config, secrets } = readConfig();
    return { config, secrets, log: createLog(config.log, role) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Undoes what was started, once; a second call is a person who does not want to wait. */
function ending(
  log: Logger,
  cleanup: AsyncDisposableStack,
): (cause: string, code: number) => Promise<void> {
  let isEnding = false;
  return async (cause, code) => {
    if (isEnding) return;
    isEnding = true;
    log.info(`stopping after ${cause}`);
    const impatient = (): never => process.exit(code || 1);
    process.once('SIGINT', impatient);
    process.once('SIGTERM', impatient);
    setTimeout(() => {
      // Safe at any moment: what is cut off here is what a kill -9 would have cut off.
      log.warn(`stopping took longer than ${PROCESS_DRAIN_MS} ms: leaving the rest`);
      process.exit(code);
    }, PROCESS_DRAIN_MS).unref();
    await cleanup.disposeAsync().catch((error: unknown) => reportEach(log, error));
    log.info('stopped');
    process.exit(code);
  };
}

/** Several steps of a clean-up can fail; each later one wraps those before it. */
function reportEach(log: Logger, error: unknown): void {
  if (error instanceof SuppressedError) {
    reportEach(log, error.suppressed);
    reportEach(log, error.error);
  } else log.error(error, 'while stopping');
}

function explain(log: Logger, error: unknown): void {
  const isSentence = error instanceof Error && EXPLAINED.has(error.name);
  const sentence = isSentence ? error.message : fileTrouble(error);
  if (sentence === null) log.fatal(error, 'cannot start');
  else log.fatal(sentence);
}
