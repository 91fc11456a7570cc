// Joins the Temporal SDK's own runtime to the process: its messages go to our log, and signals are
// left to us, since its workers are drained by the process's cleanup in its order. To be called
// once, before the first worker or native connection is made.
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { LogEntry } from '@temporalio/worker';
import type { Logger } from 'pino';

/** said of every queue that only runs activities: nothing is wrong */
const EXPECTED = ['No workflows registered', 'No Nexus services registered'];

/** Installs the runtime; throws when one is installed already. */
export function joinTemporalRuntime(log: Logger): void {
  Runtime.install({
    logger: new DefaultLogger('INFO', (entry) => write(log, entry)),
    shutdownSignals: [],
    telemetryOptions: { logging: { forward: {}, filter: 'temporalio_sdk_core=WARN' } },
  });
}

function write(log: Logger, { level, message, meta }: LogEntry): void {
  if (EXPECTED.some((start) => message.startsWith(start))) return;
  const entry = { temporal: meta };
  if (level === 'ERROR') log.error(entry, message);
  else if (level === 'WARN') log.warn(entry, message);
  else log.debug(entry, message);
}
