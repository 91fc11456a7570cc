// The inputs of tool uses as they were streamed. The SDK completes JSON that breaks off, so that a
// half of a call would look like a whole one; a call may only be made of what was said to its end.

import type { ModelMessage, ModelStreamEvent } from './anthropic.ts';

export class StreamedInputs {
  /** JSON by the index of its block */
  readonly #json = new Map<number, string>();

  /** Takes one event of the provider's stream. */
  take(event: ModelStreamEvent): void {
    if (event.type !== 'content_block_delta' || event.delta.type !== 'input_json_delta') return;
    const before = this.#json.get(event.index) ?? '';
    this.#json.set(event.index, before + event.delta.partial_json);
  }

  /** Gives each tool use of the finished reply its own input: text where it is no whole JSON. */
  settle(message: ModelMessage): ModelMessage {
    for (const [index, block] of message.content.entries()) {
      const json = this.#json.get(index) ?? '';
      if (block.type !== 'tool_use' || json === '') continue;
      // Not assigned: of a block without an end it is a getter, which may throw.
      const value = parsed(json);
      const property = { value, enumerable: true, configurable: true, writable: true };
      Object.defineProperty(block, 'input', property);
    }
    return message;
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
