// The world's failures as documented session errors, and which model serves an id.
// The types are those of the SDK's session.error; which are retried is decided in one place.

import Anthropic from '@anthropic-ai/sdk';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import {
  modelFailure,
  modelFailureText,
  toApplicationFailure,
  toOpaqueFailure,
} from '../../../activities/failures.ts';
import {
  describeModelError,
  isOverflowReply,
  ModelSilenceError,
} from '../../../activities/model/anthropic.ts';
import { findRoute, upstreamModel } from '../../../activities/model/routes.ts';
import { EngineUnavailableError, SandboxFailedError } from '../../../sandbox/sandbox.ts';
import { modelErrorType } from '../../../workflows/tool-steps.ts';

test.each([
  [429, 'model_rate_limited_error', true],
  [529, 'model_overloaded_error', true],
  [503, 'model_overloaded_error', true],
  [500, 'model_request_failed_error', true],
  [0, 'model_request_failed_error', true],
  [402, 'billing_error', false],
  [400, 'model_request_failed_error', false],
  [401, 'model_request_failed_error', false],
])('status %i is %s, retried: %s', (status, type, isRetryable) => {
  const failure = modelFailure({ status, message: 'm', retryAfterMs: undefined });
  expect(failure).toMatchObject({ type, isRetryable });
});

test('retry-after becomes the delay of the next attempt, within five minutes', () => {
  const failure = modelFailure({ status: 429, message: 'm', retryAfterMs: 3_600_000 });
  expect(toApplicationFailure(failure, false).nextRetryDelay).toBe(300_000);
});

test('an error of the SDK is described by status, detail and retry-after', () => {
  const body = { type: 'error', error: { type: 'rate_limit_error', message: 'slow down' } };
  const headers = new Headers({ 'retry-after': '2' });
  const error = Anthropic.APIError.generate(429, body, undefined, headers);
  expect(describeModelError(error)).toEqual({
    status: 429,
    message: 'slow down',
    retryAfterMs: 2000,
    isOverflow: false,
    isModelNotFound: false,
  });
});

test('a broken connection has no status and says so in words', () => {
  const error = new Anthropic.APIConnectionError({ message: 'x' });
  expect(describeModelError(error)).toMatchObject({ status: 0 });
  expect(describeModelError(new TypeError('terminated'))).toMatchObject({ status: 0 });
});

function answered(status: number, type: string, message: string) {
  const body = { type: 'error', error: { type, message } };
  return describeModelError(Anthropic.APIError.generate(status, body, undefined, new Headers()));
}

test('what would pass if it were shorter is told from any other failure', () => {
  const long = 'prompt is too long: 208310 tokens > 200000 maximum';
  const kinds = [
    answered(400, 'invalid_request_error', long),
    answered(400, 'invalid_request_error', 'messages: text is empty'),
    answered(500, 'api_error', long),
    answered(413, 'request_too_large', 'too large'),
    describeModelError(Anthropic.APIError.generate(413, undefined, 'page', new Headers())),
  ];
  expect(kinds).toMatchObject([
    { status: 400, isOverflow: true, isModelNotFound: false, message: long },
    { isOverflow: false },
    { isOverflow: false },
    { isOverflow: true },
    { isOverflow: true },
  ]);
});

test('a model that the endpoint does not know is told from an address that is not there', () => {
  expect(answered(404, 'not_found_error', 'model: claude-none')).toMatchObject({
    status: 404,
    isModelNotFound: true,
  });
  const page = Anthropic.APIError.generate(404, undefined, 'no such page', new Headers());
  expect(describeModelError(page)).toMatchObject({ status: 404, isModelNotFound: false });
});

test.each([
  [answered(404, 'not_found_error', 'model: m-1'), /has no model m-1: give the agent another/],
  [answered(404, 'api_error', 'gone'), /no Messages API at .* for m-1 \(HOLDFAST_MODEL_BASE_URL/],
  [answered(401, 'authentication_error', 'bad key sk-part'), /refuses this server's key.*m-1/],
  [answered(403, 'permission_error', 'not for you'), /^not for you$/],
  [answered(402, 'billing_error', 'no credit'), /^no credit$/],
])('a failure that somebody can do something about says what', (described, text) => {
  expect(modelFailureText(described, 'm-1')).toMatch(text);
  expect(modelFailureText(described, 'm-1')).not.toContain('sk-part');
});

test('silence is a broken connection that says how long it was', () => {
  const error = new ModelSilenceError('nothing for 300 seconds');
  expect(describeModelError(error)).toMatchObject({
    status: 0,
    message: 'nothing for 300 seconds',
  });
});

test('a reply that filled the window says so by its stop reason', () => {
  expect(isOverflowReply({ stop_reason: 'model_context_window_exceeded' })).toBe(true);
  expect(isOverflowReply({ stop_reason: 'max_tokens' })).toBe(false);
});

test('the first route that matches serves a model, under the name it has there', () => {
  const route = (model: string, upstream: string | null = null) => ({
    model,
    endpoint: { type: 'messages', baseUrl: model, apiKey: 'k' } as const,
    upstreamModel: upstream,
    isScripted: false,
  });
  const routes = [route('local-a', 'llama'), route('local-*', 'org/*:latest'), route('*')];
  const found = ['local-a', 'local-b', 'claude-x'].map((id) => {
    const { model, ...rest } = findRoute(routes, id);
    return [model, upstreamModel({ model, ...rest }, id)];
  });
  expect(found).toEqual([
    ['local-a', 'llama'],
    ['local-*', 'org/local-b:latest'],
    ['*', 'claude-x'],
  ]);
  expect(() => findRoute([route('local-*')], 'claude-x')).toThrow('no route');
});

describe('a failure that is not the model’s', () => {
  const attempt = (number: number) => ({ number, max: 5 });

  test.each([
    Object.assign(new Error('x'), { code: 'CONNECTION_CLOSED' }),
    Object.assign(new Error('x'), { code: '57P01' }),
    new EngineUnavailableError('x'),
  ])('is waited for where a part is away: %s', (error) => {
    const failure = toOpaqueFailure('a tool call', error, attempt(100));
    expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
  });

  test('is given up after its attempts otherwise, and quotes nothing', () => {
    const error = new SandboxFailedError('with a secret in it');
    const failures = [4, 5].map((number) => toOpaqueFailure('a call', error, attempt(number)));
    expect(failures).toMatchObject([{ nonRetryable: false }, { nonRetryable: true }]);
    for (const failure of failures) expect(failure.message).not.toContain('secret');
  });

  test('has no name of its own in session.error', () => {
    const ended = (type: string) =>
      new ActivityFailure(
        'm',
        'callModel',
        '1',
        'TIMEOUT',
        undefined,
        ApplicationFailure.create({ type }),
      );
    expect(modelErrorType(ended('model_overloaded_error'))).toBe('model_overloaded_error');
    expect(modelErrorType(ended('PostgresError'))).toBe('unknown_error');
    expect(modelErrorType(ended('worker_stopping'))).toBe('unknown_error');
  });
});
