// The bench's clock: the scripted model itself, which notes when a request arrives and when the
// last byte of its answer went out. Server and plain loop speak to the same process, so both are
// measured by one instrument that adds nothing to either.

/** One model request, in milliseconds since 1970 with a fraction. */
export interface ModelRequestTimes {
  seq: number;
  received_at_ms: number;
  ended_at_ms: number | null;
}

/** The requests of the conversation whose first message holds the tag, oldest first. */
export async function requestsOf(modelUrl: string, tag: string): Promise<ModelRequestTimes[]> {
  return recentRequests(modelUrl, `contains=${encodeURIComponent(tag)}`);
}

/** All requests behind one, oldest first, whatever conversation they belong to. */
export async function requestsAfter(modelUrl: string, seq: number): Promise<ModelRequestTimes[]> {
  return recentRequests(modelUrl, `after=${seq}`);
}

/** The number of the newest request, 0 before the first. */
export async function newestSeq(modelUrl: string): Promise<number> {
  return (await recentRequests(modelUrl, '')).at(-1)?.seq ?? 0;
}

async function recentRequests(modelUrl: string, query: string): Promise<ModelRequestTimes[]> {
  const answer = await fetch(`${modelUrl}/recent-requests?${query}`);
  const { data } = (await answer.json()) as { data: ModelRequestTimes[] };
  return data;
}

/**
 * Step gaps: from the end of a model response to the next request, `ms`. The first is left out: the
 * sandbox may still be starting then, which is another row's matter.
 */
export function gapsOf(requests: readonly ModelRequestTimes[]): number[] {
  return requests
    .slice(1)
    .map((request, index) => request.received_at_ms - requests[index]!.ended_at_ms!)
    .slice(1);
}

let tags = 0;

/** A word that no other conversation of this run holds. */
export function newTag(name: string): string {
  tags += 1;
  return `bench-${name}-${process.pid}-${tags}-`;
}
