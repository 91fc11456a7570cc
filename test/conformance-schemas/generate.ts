// Writes wire.schema.json and sent.schema.json: JSON Schemas of every answer named in wire.ts and
// every body named in sent.ts, from the SDK's types. Run it after the SDK or one of the two changed
// (`node test/conformance-schemas/generate.ts`) and read the diff: it is what the contract gained
// or lost. A unit test fails while a file is stale.
// The generator brings its own older TypeScript, since TypeScript 7 has no programmatic API yet.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

/** The interfaces, each in its file, with the committed file of its schemas. */
export const SCHEMAS = [
  { type: 'Wire', source: 'wire.ts', file: fileOf('wire.schema.json') },
  { type: 'Sent', source: 'sent.ts', file: fileOf('sent.schema.json') },
] as const;

function fileOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * The schemas of one interface as text, sorted so that a diff shows only what changed. Takes about
 * 2 s. The SDK's prose is left out (`jsDoc: 'none'`): it is theirs, and no test reads it.
 */
export function generateSchemas({ type, source }: { type: string; source: string }): string {
  const generator = createGenerator({
    path: fileOf(source),
    tsconfig: fileURLToPath(new URL('tsconfig.json', import.meta.url)),
    type,
    expose: 'export',
    jsDoc: 'none',
    sortProps: true,
    skipTypeCheck: true,
    additionalProperties: false,
  });
  return `${JSON.stringify(generator.createSchema(type), null, 1)}\n`;
}

if (import.meta.main) {
  for (const schemas of SCHEMAS) {
    writeFileSync(schemas.file, generateSchemas(schemas));
    console.log(`wrote ${schemas.file}`);
  }
}
