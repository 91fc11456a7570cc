// The one logger: lines for people on a terminal, JSON lines elsewhere, always on stdout. What is
// passed in may hold no secret; the settings' secrets print as `[secrets]` by themselves.
import { pino } from 'pino';
import type { Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

/** Makes the process's logger; `role` stands on every JSON line and is left out for people. */
export function createLog(settings: Config['log'], role: string): Logger {
  const readable =
    settings.format === 'pretty' || (settings.format === 'auto' && process.stdout.isTTY);
  if (!readable) return pino({ level: settings.level, base: { role } });
  // In this process and synchronous: what was logged before a crash is on the screen.
  const lines = pretty({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname,role',
    singleLine: true,
    sync: true,
  });
  return pino({ level: settings.level, base: { role } }, lines);
}
