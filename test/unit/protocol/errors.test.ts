// The documented error body as the official client reads it, and that our own mistakes show nothing
// of themselves.

import { APIError } from '@anthropic-ai/sdk';
import { expect, test } from 'vitest';
import { ApiError, type ApiErrorType, errorBody, HTTP_STATUS } from '../../../protocol/errors.ts';

test('an ApiError becomes its documented body and status', () => {
  const error = new ApiError('not_found_error', 'no such session');
  expect(error.status).toBe(404);
  expect(errorBody(error, 'req_1')).toEqual({
    type: 'error',
    error: { type: 'not_found_error', message: 'no such session' },
    request_id: 'req_1',
  });
});

test('details appear only when there are some', () => {
  const error = new ApiError('invalid_request_error', 'no', { error_code: 'invalid_metadata' });
  expect(errorBody(error, 'req_1').error.details).toEqual({ error_code: 'invalid_metadata' });
  expect('details' in errorBody(new ApiError('api_error', 'no'), 'req_1').error).toBe(false);
});

test.each([new Error('password is hunter2'), 'text', undefined, null])(
  'what is not an ApiError is an api_error without its text (%s)',
  (thrown) => {
    const body = errorBody(thrown, 'req_1');
    expect(body.error.type).toBe('api_error');
    expect(JSON.stringify(body)).not.toContain('hunter2');
  },
);

test('the official client turns every type into an error of that status', () => {
  for (const type of Object.keys(HTTP_STATUS) as ApiErrorType[]) {
    const error = new ApiError(type, 'message');
    const seen = APIError.generate(
      error.status,
      errorBody(error, 'req_1'),
      'message',
      new Headers(),
    );
    expect(seen.status).toBe(HTTP_STATUS[type]);
    expect(seen.message).toContain('message');
  }
});
