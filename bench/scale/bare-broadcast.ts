// The baseline of the row readers_1000, as a process of its own: Node's HTTP server with nothing of
// ours, which writes frames to every connection it has. Told over the fork's channel what to write;
// prints nothing. It keeps no place of any reader and waits for none.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One frame to be written to every reader. */
export interface BroadcastOrder {
  frame: string;
}

const readers = new Set<ServerResponse>();
const server = createServer((_request, response) => {
  readers.add(response);
  response.once('close', () => readers.delete(response));
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
});

process.on('message', ({ frame }: BroadcastOrder) => {
  const bytes = Buffer.from(frame);
  for (const reader of readers) reader.write(bytes);
});
process.once('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
