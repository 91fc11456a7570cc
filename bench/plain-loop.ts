// What a user would write without us, and what every figure is compared with: the official SDK
// against the same scripted model, one container, one `docker exec` per tool call through
// dockerode, nothing durable. A process of its own (bench/plain-player.ts starts it), as the server
// is one; it takes orders and answers over the fork's channel.
import Anthropic from '@anthropic-ai/sdk';
import type Docker from 'dockerode';
import { execIn, startPlainContainer } from './containers.ts';
import type { PlainOrder, PlainReport } from './plain-player.ts';
import { MODEL } from './sessions.ts';
import { timed } from './statistics.ts';

const BASH: Anthropic.Tool = {
  name: 'bash',
  description: 'Runs a command in a Linux container.',
  input_schema: {
    type: 'object',
    properties: { command: { type: 'string' } },
    required: ['command'],
  },
};
const OUTPUT_TOKENS_MAX = 32_000;
const RSS_SAMPLE_MS = 100;

/** Plays one conversation to its end. */
async function converse(
  client: Anthropic,
  container: Docker.Container,
  message: string,
): Promise<void> {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: message }];
  for (;;) {
    const request = { model: MODEL, max_tokens: OUTPUT_TOKENS_MAX, tools: [BASH], messages };
    const reply = await client.messages.stream(request).finalMessage();
    messages.push({ role: 'assistant', content: reply.content });
    const uses = reply.content.filter((block) => block.type === 'tool_use');
    if (uses.length === 0) return;
    const results = uses.map(async (use): Promise<Anthropic.ToolResultBlockParam> => {
      const { command } = use.input as { command: string };
      const { output, exitCode } = await execIn(container, command);
      const isError = exitCode !== 0;
      return { type: 'tool_result', tool_use_id: use.id, content: output, is_error: isError };
    });
    messages.push({ role: 'user', content: await Promise.all(results) });
  }
}

/** Plays every message of an order at once, as often as it says. */
async function obey(order: PlainOrder): Promise<PlainReport> {
  const client = new Anthropic({ baseURL: order.modelUrl, apiKey: 'any', maxRetries: 0 });
  const containers: Promise<Docker.Container>[] = [];
  const wallsMs: number[] = [];
  let rssPeakBytes = 0;
  const watch = setInterval(() => {
    rssPeakBytes = Math.max(rssPeakBytes, process.memoryUsage.rss());
  }, RSS_SAMPLE_MS);
  try {
    for (let time = 0; time < order.times; time += 1) {
      const conversations = order.messages.map(async (message, index) => {
        containers[index] ??= startPlainContainer();
        await converse(client, await containers[index], message);
      });
      wallsMs.push(await timed(() => Promise.all(conversations)));
    }
    return { wallsMs, rssPeakBytes };
  } finally {
    clearInterval(watch);
    await Promise.all(containers.map(async (one) => (await one).remove({ force: true })));
  }
}

process.on('message', (order: PlainOrder) => {
  obey(order).then(
    (report) => process.send!(report),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});
