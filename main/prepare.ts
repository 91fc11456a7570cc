// What the set-up does ahead, so that no start has to: the workflow bundle, and the embedded
// PostgreSQL's libraries, whose links npm does not bring. Idempotent: `node main/prepare.ts`.
import { linkPackagedLibraries } from '../store/embedded.ts';
import { workflowBundle } from './workflow-bundle.ts';

linkPackagedLibraries();
await workflowBundle();
