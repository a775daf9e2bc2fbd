/** Which pairs Tree SAE's rule is asked about (methods 5.5): of parents from the more frequent half of the latents, a few children each. */
import type { Random } from '../../core/random.ts';
import { familiesOfLists, type Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import type { Forest } from '../../forest/forest.ts';

/** Children of one parent at most, … */
export const MAX_CHILDREN = 5;
/** … and rows in which each has to be active. */
export const MIN_FIRINGS = 100;
/** Latents of the largest MCS that are looked at. */
export const MOST_SIMILAR = 20;
/** Pairs at most: each needs a probe. The paper takes up to 10 000. */
export const MAX_PAIRS = 200;

/** Links of a forest. */
export function linkedPairs(forest: Forest, firings: Firings, random: Random): Families {
  return choose(forest.level, firings, random, (p) =>
    shuffle(
      [...forest.children(p)].filter((c) => firings.countOf(c) >= MIN_FIRINGS),
      random,
    ),
  );
}

/** Pairs of the largest binary MCS(p, c) = √P(p | c): of equal ones the more frequent first. */
export function similarPairs(firings: Firings, random: Random): Families {
  const both = new Float64Array(firings.width);
  return choose(new Int32Array(firings.width), firings, random, (p) => {
    const { ptr, row } = firings.byLatent;
    const { rowPtr, latent } = firings;
    const touched: number[] = [];
    for (let i = ptr[p]; i < ptr[p + 1]; i++) {
      for (let e = rowPtr[row[i]]; e < rowPtr[row[i] + 1]; e++) {
        if (both[latent[e]]++ === 0) touched.push(latent[e]);
      }
    }
    const coverage = new Map(touched.map((c) => [c, both[c] / firings.countOf(c)]));
    for (const c of touched) both[c] = 0;
    return touched
      .filter((c) => c !== p)
      .sort((a, b) => coverage.get(b)! - coverage.get(a)! || firings.countOf(b) - firings.countOf(a) || a - b)
      .slice(0, MOST_SIMILAR)
      .filter((c) => firings.countOf(c) >= MIN_FIRINGS);
  });
}

/** Parents at random until there are enough pairs. */
function choose(
  level: Int32Array,
  firings: Firings,
  random: Random,
  childrenOf: (parent: number) => readonly number[],
): Families {
  const parents: number[] = [];
  const lists: number[][] = [];
  let pairs = 0;
  for (const p of shuffle(frequentHalf(firings), random)) {
    const children = childrenOf(p).slice(0, Math.min(MAX_CHILDREN, MAX_PAIRS - pairs));
    if (children.length === 0) continue;
    parents.push(p);
    lists.push([...children]);
    pairs += children.length;
    if (pairs === MAX_PAIRS) break;
  }
  return familiesOfLists(
    Int32Array.from(parents),
    Int32Array.from(parents, (p) => level[p]),
    lists,
  );
}

/** The more frequent half of all latents, without those that never fire. */
function frequentHalf(firings: Firings): number[] {
  const latents = Array.from({ length: firings.width }, (_, i) => i);
  return latents
    .sort((a, b) => firings.countOf(b) - firings.countOf(a) || a - b)
    .slice(0, Math.ceil(firings.width / 2))
    .filter((latent) => firings.countOf(latent) > 0);
}

function shuffle(values: number[], random: Random): number[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}
