// Which beta headers open the managed-agents routes, which change nothing, and which are a mistake
// that is named.

import { expect, it } from 'vitest';
import { MANAGED_AGENTS_BETA, opensManagedAgents } from '../../../api/beta.ts';

it('only the managed-agents name opens the routes', () => {
  expect(opensManagedAgents(undefined)).toBe(false);
  expect(opensManagedAgents('')).toBe(false);
  expect(opensManagedAgents('skills-2025-10-02')).toBe(false);
  expect(opensManagedAgents('managed-agents-2020-01-01')).toBe(false);
  expect(opensManagedAgents(MANAGED_AGENTS_BETA)).toBe(true);
  expect(opensManagedAgents(`oauth-2025-04-20,, ${MANAGED_AGENTS_BETA} `)).toBe(true);
});

it('a newer date of a known name is let through', () => {
  expect(opensManagedAgents(`webhooks-2027-01-01,${MANAGED_AGENTS_BETA}`)).toBe(true);
});

it('a name that no client knows is refused by name', () => {
  for (const header of [`nonsense-2026-01-01,${MANAGED_AGENTS_BETA}`, 'skills']) {
    expect(() => opensManagedAgents(header)).toThrow(/nonsense|skills/);
  }
});
