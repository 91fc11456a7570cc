// Chance that can be repeated: every moment at which the suite kills something is drawn from the
// run's seed and the name of the case, so a case draws the same moments alone and among others.

import { createHash } from 'node:crypto';
import { inject } from 'vitest';

export class Dice {
  readonly #name: string;
  #drawn = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** From 0 up to, but not including, 1. */
  next(): number {
    this.#drawn += 1;
    const digest = createHash('sha256').update(`${this.#name} ${this.#drawn}`).digest();
    return digest.readUInt32BE() / 2 ** 32;
  }

  /** A whole number, both bounds included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!;
  }
}

/** The dice of one case in this run. */
export function diceOf(name: string): Dice {
  return new Dice(`${inject('chaos').seed} ${name}`);
}
