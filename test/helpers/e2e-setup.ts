// The one server that most end-to-end files share, since a start costs seconds: started before the
// first of them, closed after the last. What tests get of it is plain data, by `inject('server')`.

import type { TestProject } from 'vitest/node';
import { type ServerFacts, startServer } from './server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    server: ServerFacts;
  }
}

/** vitest calls this once; what it returns is called at the end. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const { url, apiKey, dataDir, temporalAddress, temporalUiUrl } = server;
  const { databaseUrl, scriptedModelUrl } = server;
  project.provide('server', {
    url,
    apiKey,
    dataDir,
    temporalAddress,
    temporalUiUrl,
    databaseUrl,
    scriptedModelUrl,
  });
  return () => server.close();
}
