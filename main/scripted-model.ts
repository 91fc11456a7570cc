// The scripted model beside the server: a process of its own, spoken to over HTTP like any model
// endpoint, so that what is tested with it is what runs without it.
import { fileURLToPath } from 'node:url';
import { rememberedPort } from './ports.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Supervisor } from './supervisor.ts';

const SERVER = fileURLToPath(new URL('../scripted-model/server.ts', import.meta.url));

/** Starts or adopts it; resolves with its base URL when it answers. */
export async function startScriptedModel(
  directory: DataDirectory,
  supervisor: Supervisor,
  delayMs: number,
): Promise<string> {
  const name = 'scripted-model';
  const port = await rememberedPort(directory, { child: name, key: name, wanted: 0 });
  const url = `http://127.0.0.1:${port}`;
  await supervisor.start({
    name,
    title: 'The scripted model',
    command: [process.execPath, SERVER, `--port=${port}`, `--delay-ms=${delayMs}`],
    stopSignal: 'SIGTERM',
    readyTimeoutMs: 20_000,
    ready: () => answers(url),
  });
  return url;
}

/** Rejects when nothing listens there; any answer will do. */
export async function answers(url: string): Promise<void> {
  const answer = await fetch(url);
  await answer.body?.cancel();
}
