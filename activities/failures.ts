// Any failure of the world becomes one ApplicationFailure here, with a type from the documented
// session errors, retryable or not. Nothing else in this room decides that.

import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MODEL_RETRY_AFTER_MS_MAX } from '../protocol/limits.ts';
import type { ModelErrorDescription } from './model/anthropic.ts';
import { EngineUnavailableError } from '../sandbox/sandbox.ts';
import { isConnectionLoss } from '../store/database.ts';

/** sdk 1.11.0: BetaManagedAgentsSessionErrorEvent.error, those a model request can cause. */
export type ModelErrorType =
  | 'model_overloaded_error'
  | 'model_rate_limited_error'
  | 'model_request_failed_error'
  | 'billing_error';

export interface ModelFailure {
  type: ModelErrorType;
  message: string;
  isRetryable: boolean;
  retryAfterMs: number | undefined;
}

/** Classes of a model request's failure. A status of 0 is a broken connection. */
export function modelFailure(error: {
  status: number;
  message: string;
  retryAfterMs: number | undefined;
}): ModelFailure {
  const { status, message, retryAfterMs } = error;
  const isRetryable =
    status === 0 || status === 408 || status === 409 || status === 429 || status >= 500;
  return { type: errorType(status), message, isRetryable, retryAfterMs };
}

/**
 * What clients and the operator read of a failure: what can be done about it where that is known,
 * else what the endpoint said. What it says of a refused key may quote a part of the key.
 */
export function modelFailureText(
  { status, message, isModelNotFound }: ModelErrorDescription,
  modelId: string,
): string {
  if (isModelNotFound) {
    return (
      `The model endpoint has no model ${modelId}: give the agent another model, or name an ` +
      "endpoint that has it in this server's file of models."
    );
  }
  if (status === 401) {
    return (
      "The model endpoint refuses this server's key: whoever runs the server has to set the " +
      `right one for ${modelId} (HOLDFAST_MODEL_API_KEY, or the file of models).`
    );
  }
  if (status === 404) {
    return (
      'There is no Messages API at the address of the model endpoint: whoever runs the server ' +
      `has to set the right one for ${modelId} (HOLDFAST_MODEL_BASE_URL, or the file of models).`
    );
  }
  return message;
}

/**
 * The failure as Temporal sees it: its type, and a `retry-after` as the delay of the next attempt.
 * What the endpoint said stays in the log, since it may quote the conversation.
 */
export function toApplicationFailure(failure: ModelFailure, isLast: boolean): ApplicationFailure {
  return ApplicationFailure.create({
    type: failure.type,
    message: 'the model request failed; the session.error event says how',
    nonRetryable: isLast,
    ...(failure.retryAfterMs === undefined
      ? {}
      : { nextRetryDelay: Math.min(failure.retryAfterMs, MODEL_RETRY_AFTER_MS_MAX) }),
  });
}

/**
 * Any other error without its text: a database's or an engine's may quote what it was given. What
 * is merely away is waited for; anything else is given up after `attemptsMax` attempts, those that
 * met an outage included.
 */
export function toOpaqueFailure(
  activity: string,
  error: unknown,
  attempts: { number: number; max: number },
): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (isAway(error)) {
    return ApplicationFailure.create({
      type: 'unavailable',
      message: `${activity} waits for the database or the engine, which cannot be reached`,
    });
  }
  return ApplicationFailure.create({
    type: error instanceof Error ? error.name : 'unknown',
    message: `${activity} failed; the worker's log says why`,
    nonRetryable: attempts.number >= attempts.max,
  });
}

function isAway(error: unknown): boolean {
  return isConnectionLoss(error) || error instanceof EngineUnavailableError;
}

/** An activity that must be tried elsewhere because its worker is going down. */
export function workerStopping(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'worker_stopping',
    message: 'the worker is shutting down; the next attempt goes on from here',
  });
}

function errorType(status: number): ModelErrorType {
  if (status === 529 || status === 503) return 'model_overloaded_error';
  if (status === 429) return 'model_rate_limited_error';
  if (status === 402) return 'billing_error';
  return 'model_request_failed_error';
}
