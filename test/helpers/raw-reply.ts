// A model's reply as bytes, with whatever blocks a test wants in it: what no script would say and
// some endpoint some day does. The events are those of the Messages API, in its order.

/** A block as it is to arrive; `json` is a tool's input exactly as it is streamed. */
export type RawBlock =
  | { type: 'text'; deltas: readonly string[] }
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'redacted_thinking'; data: string }
  | { type: 'tool_use'; id: string; name: string; json: string };

/** The whole stream of a reply. */
export function rawReply(blocks: readonly RawBlock[], stopReason: string): string {
  const message = {
    id: 'msg_raw',
    type: 'message',
    role: 'assistant',
    model: 'raw',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  };
  const events = [
    { type: 'message_start', message },
    ...blocks.flatMap((block, index) => eventsOf(block, index)),
    { type: 'message_delta', delta: { stop_reason: stopReason }, usage: { output_tokens: 2 } },
    { type: 'message_stop' },
  ];
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

function eventsOf(block: RawBlock, index: number): { type: string }[] {
  return [
    { type: 'content_block_start', index, content_block: started(block) },
    ...deltasOf(block).map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ] as { type: string }[];
}

function started(block: RawBlock): object {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'redacted_thinking':
      return block;
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: {} };
  }
}

function deltasOf(block: RawBlock): object[] {
  switch (block.type) {
    case 'text':
      return block.deltas.map((text) => ({ type: 'text_delta', text }));
    case 'thinking':
      return [
        { type: 'thinking_delta', thinking: block.thinking },
        { type: 'signature_delta', signature: block.signature },
      ];
    case 'redacted_thinking':
      return [];
    case 'tool_use':
      return [{ type: 'input_json_delta', partial_json: block.json }];
  }
}
