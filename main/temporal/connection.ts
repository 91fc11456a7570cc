// Connections to Temporal, embedded or not: the API's client and the worker's native one are made
// from the same target. Compression is off: between processes this near it costs CPU on every call
// and saves nothing at our payload sizes.
import { Connection } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';

export interface TemporalTarget {
  /** host:port */
  address: string;
  tls: boolean;
  apiKey: string | null;
}

const CONNECT_TIMEOUT = '5s';

/** Connects now; rejects when the server does not answer within five seconds. */
export function connectTemporal(target: TemporalTarget): Promise<Connection> {
  return Connection.connect(clientOptions(target));
}

/** Connects on first use and again after a loss: for a client whose server may be away. */
export function lazyTemporal(target: TemporalTarget): Connection {
  return Connection.lazy(clientOptions(target));
}

/** What a worker's `NativeConnection.connect` takes. */
export function nativeOptions(target: TemporalTarget): NativeConnectionOptions {
  return { ...sharedOptions(target), grpcCompression: { codec: 'none' } };
}

// The client library sends uncompressed unless told otherwise; only the native core compresses.
function clientOptions(target: TemporalTarget): ConnectionOptions {
  return { ...sharedOptions(target), connectTimeout: CONNECT_TIMEOUT };
}

function sharedOptions(target: TemporalTarget): { address: string; tls: boolean; apiKey?: string } {
  return {
    address: target.address,
    tls: target.tls,
    ...(target.apiKey === null ? {} : { apiKey: target.apiKey }),
  };
}
