// A process that is killed in the middle of a call: opens the host of a data directory, makes one
// call and says `started` on its output when the tool begins. Arguments: data directory, host id,
// sandbox id, call id, command.
import { pino } from 'pino';
import { createSandboxHost } from '../../sandbox/sandbox-host.ts';

const [dataDir = '', hostId = '', sandboxId = '', callId = '', command = ''] =
  process.argv.slice(2);
const host = await createSandboxHost({ dataDir, hostId, log: pino({ level: 'silent' }) });
await host.attachAll();
const outcome = await host.call(
  sandboxId,
  { callId, tool: 'bash', input: { command } },
  { onStarted: () => console.log('started') },
);
console.log(JSON.stringify(outcome));
await host.close();
