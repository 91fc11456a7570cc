// What the steps of the TypeScript story share: a printed line, a message, the text of an event.
// Lines are compared with what the Python and the Go program print, so they hold no ids or times.

/** Prints a step that was seen. */
export function tell(step: string, facts: object): void {
  process.stdout.write(`${JSON.stringify({ step, ...facts })}\n`);
}

export const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});

/** All text of an event. */
export const textOf = (event: { content?: readonly object[] }): string =>
  (event.content ?? []).map((block) => ('text' in block ? String(block.text) : '')).join('');
