// The first API key: the operator's own, or one that is minted at the first start and kept in the data
// directory, readable by its owner alone.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mintApiKey } from '../store/keys.ts';
import { keptText } from './data-directory.ts';

export interface FirstKey {
  key: string;
  /** minted just now: the one time it is shown */
  isNew: boolean;
  /** where a person finds it */
  where: string;
}

/** The key as given, else as kept, else a new one that is kept from now on. */
export function firstKey(dataDir: string, given: string | null): FirstKey {
  if (given !== null) return { key: given, isNew: false, where: 'HOLDFAST_API_KEY' };
  const where = join(dataDir, 'api-key');
  mkdirSync(dataDir, { recursive: true });
  const isNew = !existsSync(where);
  return { key: keptText(where, mintApiKey), isNew, where };
}
