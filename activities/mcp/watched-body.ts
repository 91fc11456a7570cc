// A response whose body is counted as it is read, and whose end is told, whichever way it ends:
// read to its end, broken off, or left by its reader. Nothing is read ahead of the reader.

export interface BodyWatcher {
  /** Called with the size of each piece, in bytes; what it throws ends the body */
  charge: (bytes: number) => void;
  /** Called once, with the last event id of an event stream, from which it can be resumed */
  ended: (lastEventId: string | undefined) => void;
}

const EVENT_ID = /[\r\n]id: ?([^\r\n]+)(?=[\r\n])/g;
/** Longer than any event id that a header can carry */
const LINE_CHARS = 4096;

/** The same response with its body watched. */
export function watchedBody(response: Response, watcher: BodyWatcher): Response {
  const { body, status, statusText, headers } = response;
  if (body === null || !response.ok) return response;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  // What came since the last line ended, that end included; empty within a line too long for an id.
  let line = '\n';
  let lastEventId: string | undefined;
  let isOver = false;
  const isStream = isEventStream(response);
  const note = (piece: Uint8Array): void => {
    const text = line + decoder.decode(piece, { stream: true });
    lastEventId = [...text.matchAll(EVENT_ID)].at(-1)?.[1] ?? lastEventId;
    const lineStart = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r'));
    line = lineStart < 0 || text.length - lineStart > LINE_CHARS ? '' : text.slice(lineStart);
  };
  const end = (): void => {
    if (!isOver) watcher.ended(lastEventId);
    isOver = true;
  };
  const watched = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) {
            end();
            controller.close();
            return;
          }
          watcher.charge(value.byteLength);
          if (isStream) note(value);
          controller.enqueue(value);
        } catch (error) {
          end();
          controller.error(error);
          await reader.cancel(error).catch(() => {});
        }
      },
      cancel: async (reason) => {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(watched, { status, statusText, headers });
}

/** Whether a response is an event stream. */
export function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') === true;
}
