// Ends what a server that was killed left running beside it: `node main/stop.ts`. A server that
// still lives is left alone, and said.
import { readConfig } from './config.ts';
import { openDataDirectory, StartError } from './data-directory.ts';
import { stopLeftovers } from './supervisor.ts';

try {
  const directory = openDataDirectory(readConfig().config.dataDir);
  const stopped = await stopLeftovers(directory);
  console.log(stopped.length === 0 ? 'nothing was running' : `stopped: ${stopped.join(', ')}`);
  directory.release();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
