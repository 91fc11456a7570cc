// The end of a test file that opened several things: each is closed, also when one before it fails.
// One that fails to close does not keep the others open; its error is thrown at the end.

interface Closable {
  close(): Promise<void>;
}

/** Closes in the given order; throws what failed, after all were tried. Skips what never opened. */
export async function closeEach(...opened: (Closable | undefined)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const each of opened) {
    await each?.close().catch((error: unknown) => failures.push(error));
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'several parts did not close');
}
