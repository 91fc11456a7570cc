// What the workflow bundler sees; nothing else.

export { sessionWorkflow } from './session-workflow.ts';
