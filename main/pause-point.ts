// A test's switch: work that reaches the moment named by HOLDFAST_TEST_PAUSE_AT goes no further, so
// that a test can kill the process exactly there. Unset, nothing ever stops.
import type { Logger } from 'pino';
import type { Config } from './config.ts';

export interface PausePoint {
  pausePoint?: (name: string) => Promise<void>;
}

/** What is spread into the collaborators of a room that has such moments. */
export function pausePoint(config: Config, log: Logger): PausePoint {
  const moment = config.pausePoint;
  if (moment === null) return {};
  return {
    async pausePoint(name) {
      if (name !== moment) return;
      log.warn({ moment }, 'paused for a test');
      await new Promise(() => {});
    },
  };
}
