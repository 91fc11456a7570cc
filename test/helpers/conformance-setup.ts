// Loaded before each e2e and chaos file: what left the contract during a test fails that test, so
// every end-to-end test is a conformance test as well, without saying so.

import { afterEach } from 'vitest';
import { assertConformance } from './conformance.ts';

afterEach(assertConformance);
