// The table of transitions and the page that shows it.
// The page is made from the table, so whoever changes one is told to change the other.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STOP_REASONS } from '../../../workflows/stop-reasons.ts';
import { checkTransition, TRANSITIONS } from '../../../workflows/transitions.ts';

/** The table as docs/ARCHITECTURE.md shows it, between its two markers. */
function rendered(): string {
  const lines = Object.entries(TRANSITIONS).flatMap(([phase, steps]) =>
    Object.entries(steps).map(
      ([step, { to, why, source }]) =>
        `| ${phase} | ${step} | ${to.join(', ')} | ${why} | ${source} |`,
    ),
  );
  return ['| in phase | step | leads to | when | source |', '|---|---|---|---|---|', ...lines].join(
    '\n',
  );
}

test('docs/ARCHITECTURE.md shows the table as it is in the code', () => {
  const page = readFileSync(new URL('../../../docs/ARCHITECTURE.md', import.meta.url), 'utf8');
  const shown = page.split('<!-- transitions -->\n')[1]?.trim();
  expect(shown, `put this between the markers:\n\n${rendered()}\n`).toBe(rendered());
});

test('docs/ARCHITECTURE.md shows the stop reasons as they are in the code', () => {
  const rows = Object.entries(STOP_REASONS).map(
    ([reason, { when, events, takes, source }]) =>
      `| ${reason} | ${when} | ${events} | ${takes} | ${source} |`,
  );
  const table = [
    '| stop reason | when | events | a client may send | source |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
  const page = readFileSync(new URL('../../../docs/ARCHITECTURE.md', import.meta.url), 'utf8');
  const shown = page.split('<!-- stop reasons -->\n')[1]?.trim();
  expect(shown, `put this between the markers:\n\n${table}\n`).toBe(table);
});

test('a step that the table does not have is a mistake of ours', () => {
  expect(() => checkTransition('ended', 'call_model', 'model')).toThrow('no session takes');
  expect(() => checkTransition('closing', 'go_idle', 'tools')).toThrow('led a session from');
});

test('any step may find that the session was archived or deleted', () => {
  expect(() => checkTransition('tools', 'run_tools', 'ended')).not.toThrow();
});
