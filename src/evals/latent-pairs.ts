/** Pairs of latents that are shown to a judge of the hierarchy: those of a forest, and random ones as the null. */
import { Random } from '../core/random.ts';
import type { Forest } from '../forest/forest.ts';
import { shuffled } from './context-sample.ts';

export interface LatentPair {
  readonly parent: number;
  readonly child: number;
  /** Where the pair comes from: an edge of the forest, or the ends of two edges that have nothing to do with each other. */
  readonly origin: 'forest' | 'random';
}

/** Tries to find another child for a parent whose random one is its relative. */
const TRIES = 20;

/**
 * As many random pairs as edges, or nearly: the same parents with the children of other edges, so that both kinds show latents of
 * the same frequencies. No end of a random pair is an ancestor of the other.
 * @param eligible latents that can be shown; @param wanted edges at most
 */
export function latentPairs(forest: Forest, eligible: ReadonlySet<number>, wanted: number, seed: number): LatentPair[] {
  const random = new Random(seed, 'labels', 'pairs');
  const edges = [...forest.edges()].filter((edge) => edge.every((latent) => eligible.has(latent)));
  const drawn = shuffled(edges, random).slice(0, wanted);
  const children = shuffled(
    drawn.map(([, child]) => child),
    random,
  );
  const related = (a: number, b: number): boolean => a === b || forest.isAncestor(a, b) || forest.isAncestor(b, a);
  drawn.forEach(([parent], i) => {
    for (let t = 0; t < TRIES && related(parent, children[i]); t++) {
      const j = random.below(drawn.length);
      const swapped = related(drawn[j][0], children[i]);
      if (!swapped) [children[i], children[j]] = [children[j], children[i]];
    }
  });
  const origin = { forest: 'forest', random: 'random' } as const;
  return [
    ...drawn.map(([parent, child]) => ({ parent, child, origin: origin.forest })),
    ...drawn
      .map(([parent], i) => ({ parent, child: children[i], origin: origin.random }))
      .filter(({ parent, child }) => !related(parent, child)),
  ];
}
