// How long a long test is: `npm test` takes the first figure, `npm run test:deep` the second.
// The only reader of HOLDFAST_TEST_DEEP, so that suites say both of their figures in one place.

/** True under `npm run test:deep`. */
export const isDeep = process.env.HOLDFAST_TEST_DEEP === '1';

/** The first figure in everyday runs, the second in deep ones. */
export const byDepth = (everyday: number, deep: number): number => (isDeep ? deep : everyday);
