// Every effect a session workflow may ask for, by the name its history shows. Workflow code imports
// the type only.

import { Context } from '@temporalio/activity';
import { ACTIVITY_ATTEMPTS_MAX as ATTEMPTS_MAX } from '../protocol/limits.ts';
import type {
  AnswerCallsInput,
  CallModelInput,
  CallModelResult,
  CancelCallsInput,
  CommitStatusInput,
  CommitStatusResult,
  CompactContextResult,
  HostInput,
  ReadAnswersInput,
  ReadAnswersResult,
  RunToolInput,
  RunToolResult,
  SessionRef,
} from './messages.ts';
import { callModel } from './call-model.ts';
import { commitStatus } from './commit-status.ts';
import { compactContext } from './compact-context.ts';
import type { ActivityDeps } from './deps.ts';
import { toOpaqueFailure } from './failures.ts';
import { readAnswers } from './read-answers.ts';
import { findHost, markReleased, provisionSandbox, releaseSandbox } from './provision-sandbox.ts';
import { runServerTool } from './run-server-tool.ts';
import { answerCalls, cancelCalls, runTool } from './run-tool.ts';

export type Activities = ReturnType<typeof createActivities>;

/** Binds the activities to their collaborators; tools are one function under their own names. */
export function createActivities(deps: ActivityDeps) {
  /** Logs what went wrong here, and lets only its kind into the history. */
  const opaque =
    <I, R>(
      name: string,
      activity: (deps: ActivityDeps, input: I) => Promise<R>,
      // A commit is never given up: its session would be lost.
      attemptsMax = Infinity,
    ) =>
    async (input: I): Promise<R> => {
      try {
        return await activity(deps, input);
      } catch (error) {
        const attempts = { number: Context.current().info.attempt, max: attemptsMax };
        const failure = toOpaqueFailure(name, error, attempts);
        if (failure !== error) deps.log.warn({ err: error, activity: name }, 'an activity failed');
        throw failure;
      }
    };
  const tool = opaque<RunToolInput, RunToolResult>('a tool call', runTool, ATTEMPTS_MAX);
  const serverTool = opaque<RunToolInput, RunToolResult>('a tool call', runServerTool);
  return {
    callModel: opaque<CallModelInput, CallModelResult>('callModel', callModel, ATTEMPTS_MAX),
    compactContext: opaque<CallModelInput, CompactContextResult>(
      'compactContext',
      compactContext,
      ATTEMPTS_MAX,
    ),
    commitStatus: opaque<CommitStatusInput, CommitStatusResult>('commitStatus', commitStatus),
    readAnswers: opaque<ReadAnswersInput, ReadAnswersResult>('readAnswers', readAnswers),
    answerCalls: opaque<AnswerCallsInput, void>('answerCalls', answerCalls),
    provisionSandbox: opaque<SessionRef, { hostId: string }>(
      'provisionSandbox',
      provisionSandbox,
      ATTEMPTS_MAX,
    ),
    cancelCalls: opaque<CancelCallsInput, boolean>('cancelCalls', cancelCalls, ATTEMPTS_MAX),
    releaseSandbox: opaque<SessionRef, void>('releaseSandbox', releaseSandbox),
    markReleased: opaque<SessionRef, void>('markReleased', markReleased),
    findHost: opaque<HostInput, { isAlive: boolean }>('findHost', findHost),
    bash: tool,
    read: tool,
    write: tool,
    edit: tool,
    glob: tool,
    grep: tool,
    web_fetch: serverTool,
    web_search: serverTool,
    mcp: serverTool,
  };
}
