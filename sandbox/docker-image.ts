// The default sandbox image, made once per machine from image/Dockerfile. Its name holds a hash of
// what it is made of, so a change makes a new one and a hit costs one question to the engine. The base
// comes from a registry; where none answers, it is bootstrapped from the distribution's own archive.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const IMAGE_FILES = ['Dockerfile', 'packages.txt'];

/** Name of the default image of this version of the code. */
export function defaultImageName(): string {
  const hash = createHash('sha256');
  for (const name of IMAGE_FILES) hash.update(readFileSync(imageFile(name)));
  return `holdfast-sandbox:${hash.digest('hex').slice(0, 12)}`;
}

function imageFile(name: string): URL {
  return new URL(`./image/${name}`, import.meta.url);
}
