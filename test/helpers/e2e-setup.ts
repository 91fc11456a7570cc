// The one server that most end-to-end files share, since a start costs seconds: started before the
// first of them, closed after the last. What tests get of it is plain data, by `inject('server')`.
// Whatever clients did, the server found nothing in itself to log as an error.

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
  return async () => {
    await server.close();
    const errors = server.lines().filter((line) => line.startsWith('{"level":50'));
    if (errors.length > 0) throw new Error(`the server logged errors:\n${errors.join('\n')}`);
  };
}
