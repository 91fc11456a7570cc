// The caller's mistakes: the closed list of documented error types, their HTTP status, and the one
// documented body. Failures of the world are session events, our own mistakes are plain throws that
// leave as `api_error` without their text.

/** HTTP status of each error type. docs: api/errors; sdk 1.11.0: resources/shared.ts. */
export const HTTP_STATUS = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  memory_precondition_failed_error: 409,
  memory_path_conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
} as const;

export type ApiErrorType = keyof typeof HTTP_STATUS;

export interface ApiErrorDetails {
  /** machine-readable cause; the SDK shows it as `errorCode` */
  error_code?: string;
}

export interface ErrorBody {
  type: 'error';
  error: { type: ApiErrorType; message: string; details?: ApiErrorDetails };
  request_id: string;
}

/** Refuses a request: the message goes to the caller as it is, so it holds no secret. */
export class ApiError extends Error {
  readonly type: ApiErrorType;
  readonly status: number;
  readonly details: ApiErrorDetails | undefined;

  constructor(type: ApiErrorType, message: string, details?: ApiErrorDetails) {
    super(message);
    this.name = 'ApiError';
    this.type = type;
    this.status = HTTP_STATUS[type];
    this.details = details;
  }
}

/**
 * Writes the documented body for any thrown value; what is not an `ApiError` shows nothing of
 * itself.
 */
export function errorBody(error: unknown, requestId: string): ErrorBody {
  if (!(error instanceof ApiError)) {
    const message = 'Internal server error; the server log has it under this request id.';
    return { type: 'error', error: { type: 'api_error', message }, request_id: requestId };
  }
  const { type, message, details } = error;
  return {
    type: 'error',
    error: details === undefined ? { type, message } : { type, message, details },
    request_id: requestId,
  };
}
