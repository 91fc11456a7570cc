// Writes wire.schema.json: JSON Schemas of every answer named in wire.ts, from the SDK's types.
// Run it after the SDK or wire.ts changed (`node test/conformance-schemas/generate.ts`) and read
// the diff: it is what the contract gained or lost. A unit test fails while the file is stale.
// The generator brings its own older TypeScript, since TypeScript 7 has no programmatic API yet.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

/** The committed schema file. */
export const SCHEMA_FILE = fileURLToPath(new URL('wire.schema.json', import.meta.url));

/**
 * The schemas as text, sorted so that a diff shows only what changed. Takes about 2 s.
 * The SDK's prose is left out (`jsDoc: 'none'`): it is theirs, and no test reads it.
 */
export function generateSchemas(): string {
  const generator = createGenerator({
    path: fileURLToPath(new URL('wire.ts', import.meta.url)),
    tsconfig: fileURLToPath(new URL('tsconfig.json', import.meta.url)),
    type: 'Wire',
    expose: 'export',
    jsDoc: 'none',
    sortProps: true,
    skipTypeCheck: true,
    additionalProperties: false,
  });
  return `${JSON.stringify(generator.createSchema('Wire'), null, 1)}\n`;
}

if (import.meta.main) {
  writeFileSync(SCHEMA_FILE, generateSchemas());
  console.log(`wrote ${SCHEMA_FILE}`);
}
