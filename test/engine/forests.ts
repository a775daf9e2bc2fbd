/** Small random forests in layers, for the tests of gates. */
import type { Random } from '../../src/core/random.ts';

export interface LayeredForest {
  sizes: number[];
  k: number[];
  /** −1 for a root. */
  parents: Int32Array;
  width: number;
}

/** Two to four layers; parents in any earlier layer, now and then none, now and then one parent of a whole layer. */
export function layeredForest(random: Random, mostPerLayer = 20): LayeredForest {
  const sizes = Array.from({ length: 2 + random.below(3) }, () => 1 + random.below(mostPerLayer));
  const k = sizes.map((size) => 1 + random.below(Math.min(size, 5)));
  const parents: number[] = [];
  sizes.forEach((size, l) => {
    const before = parents.length;
    const only = random.below(4) === 0 ? random.below(before + 1) - 1 : undefined;
    for (let i = 0; i < size; i++) parents.push(l === 0 ? -1 : (only ?? random.below(before + 1) - 1));
  });
  return { sizes, k, parents: Int32Array.from(parents), width: parents.length };
}
