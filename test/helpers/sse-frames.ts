// A small reader of server-sent events, for tests that look at the raw frames and not through an
// SDK: fed with chunks as they come, it hands out each complete frame once, in order.

export interface SseFrame {
  /** the `event:` line; undefined where the frame has none */
  event: string | undefined;
  /** the `id:` line; undefined where the frame has none */
  id: string | undefined;
  data: string;
}

function parseFrame(block: string): SseFrame | undefined {
  const frame: SseFrame = { event: undefined, id: undefined, data: '' };
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') frame.event = value;
    else if (field === 'id') frame.id = value;
  }
  frame.data = data.join('\n');
  return frame.event === undefined && data.length === 0 ? undefined : frame;
}

/** Returns a function to feed chunks to; comment lines and empty blocks are skipped. */
export function sseReader(onFrame: (frame: SseFrame) => void): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  let pending = '';
  return (chunk) => {
    pending = (pending + decoder.decode(chunk, { stream: true })).replaceAll('\r\n', '\n');
    const blocks = pending.split('\n\n');
    pending = blocks.pop() ?? '';
    for (const block of blocks) {
      const frame = parseFrame(block);
      if (frame) onFrame(frame);
    }
  };
}
