// The one logger: lines for people on a terminal, JSON lines elsewhere, always on stdout. What is
// passed in may hold no secret; the settings' secrets print as `[secrets]` by themselves, and a
// database's error without the values it quotes.
import { pino } from 'pino';
import type { Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

/** Makes the process's logger; `role` stands on every JSON line and is left out for people. */
export function createLog(settings: Config['log'], role: string): Logger {
  const readable =
    settings.format === 'pretty' || (settings.format === 'auto' && process.stdout.isTTY);
  const options = { level: settings.level, base: { role }, serializers: { err: loggedError } };
  if (!readable) return pino(options);
  // In this process and synchronous: what was logged before a crash is on the screen.
  const lines = pretty({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,role',
    singleLine: true,
    sync: true,
  });
  return pino(options, lines);
}

/**
 * A logger of the same lines to the same place for the audit log, of which there is one a request:
 * what one turn of the event loop logs is written at once, since the writing is most of its cost.
 */
export function createAuditLogger(log: Logger): Logger {
  const output = (log as unknown as Record<symbol, { write(text: string): unknown }>)[
    pino.symbols.streamSym
  ]!;
  let waiting = '';
  const write = (): void => {
    const lines = waiting;
    waiting = '';
    output.write(lines);
  };
  return pino(
    { level: log.level, base: log.bindings() },
    {
      write(line) {
        if (waiting === '') setImmediate(write);
        waiting += line;
      },
    },
  );
}

/** What a database's error may quote: values of a query, which are texts of a session. */
const QUOTING = ['detail', 'where', 'query', 'parameters', 'args'];

function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const shown = pino.stdSerializers.err(error) as unknown as Record<string, unknown>;
  return Object.fromEntries(Object.entries(shown).filter(([key]) => !QUOTING.includes(key)));
}
