// The one text for what cannot be found: the same for an id that never was and for one that belongs
// to another workspace, so that nobody learns from an error which ids exist.

import { ApiError } from '../protocol/errors.ts';
import { ERROR_ECHO_CHARS_MAX } from '../protocol/limits.ts';

type Findable = 'agent' | 'environment' | 'session' | 'thread';

const NAMES: Record<Findable, string> = {
  agent: 'Agent',
  environment: 'Environment',
  session: 'Session',
  thread: 'Session thread',
};

/** Makes the 404 for a resource of this kind; throw it. */
export function notFound(kind: Findable, id: string): ApiError {
  return new ApiError(
    'not_found_error',
    `${NAMES[kind]} \`${id.slice(0, ERROR_ECHO_CHARS_MAX)}\` was not found.`,
  );
}
