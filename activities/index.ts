// Every effect a session workflow may ask for, by the name its history shows. Workflow code imports
// the type only.

import type {
  AnswerCallsInput,
  CallModelInput,
  CommitStatusInput,
  HostInput,
  RunToolInput,
  RunToolResult,
  SessionRef,
} from './messages.ts';
import { callModel } from './call-model.ts';
import { commitStatus } from './commit-status.ts';
import type { ActivityDeps } from './deps.ts';
import { findHost, markReleased, provisionSandbox, releaseSandbox } from './provision-sandbox.ts';
import { answerCalls, runTool } from './run-tool.ts';

export type Activities = ReturnType<typeof createActivities>;

/**
 * Binds the activities to their collaborators. Tools are one function under the tools' own names.
 */
export function createActivities(deps: ActivityDeps) {
  const tool = (input: RunToolInput): Promise<RunToolResult> => runTool(deps, input);
  return {
    callModel: (input: CallModelInput) => callModel(deps, input),
    commitStatus: (input: CommitStatusInput) => commitStatus(deps, input),
    answerCalls: (input: AnswerCallsInput) => answerCalls(deps, input),
    provisionSandbox: (input: SessionRef) => provisionSandbox(deps, input),
    releaseSandbox: (input: SessionRef) => releaseSandbox(deps, input),
    markReleased: (input: SessionRef) => markReleased(deps, input),
    findHost: (input: HostInput) => findHost(deps, input),
    bash: tool,
    read: tool,
    write: tool,
    edit: tool,
    glob: tool,
    grep: tool,
  };
}
