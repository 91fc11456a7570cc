// What the scripted model answers to a bad request: one error class, the upstream's closed list of
// error types, and the one error body, sent as an HTTP answer or as an `error` frame once a stream
// has begun.

export interface ErrorBody {
  type: 'error';
  error: { type: string; message: string };
  request_id: string;
}

/** Error type of each HTTP status. docs: api/errors. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** Refuses a request with an HTTP status; the message goes to the caller as it is. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
  }
}

/** Throws a 400 that starts with the path of the field at fault. */
export function invalid(path: string, message: string): never {
  throw new RequestError(400, `${path}: ${message}`);
}

/** Writes the documented error body of a status. */
export function errorBody(status: number, message: string, requestId: string): ErrorBody {
  const type = ERROR_TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
  return { type: 'error', error: { type, message }, request_id: requestId };
}
