// What the workflow bundler sees; nothing else.
// Every workflow type the worker registers is a name exported here.

export { sessionWorkflow } from './session-workflow.ts';
