/**
 * A second null for siblings. Latents of one parent fire within its rows, so that strangers of the same frequency, which fire anywhere, meet
 * less often whatever the siblings do. Here siblings are compared with themselves firing independently of each other where their parent is
 * active: of n_p rows of the parent, a and b would share n_a n_b / n_p.
 */
import type { EvalContext } from '../../evals/context.ts';
import { forestOf } from '../../evals/forest-of.ts';
import { sampleHeldOut } from '../../evals/hierarchy/firing-sample.ts';
import { MIN_SAMPLES } from '../../evals/hierarchy/rules.ts';
import { MAX_PAIRS, meanOverlap } from '../../evals/hierarchy/sibling-overlap.ts';
import { Random } from '../../core/random.ts';
import type { Firings } from '../../forest/firings.ts';
import { familiesOf } from '../../forest/families.ts';
import type { Forest } from '../../forest/forest.ts';
import { overlapOf, siblingFamilies, siblingPairs } from '../../forest/siblings.ts';

/** Means over pairs of siblings of #(a ∧ b) / #(a ∨ b). */
export interface SiblingOverlap {
  readonly seen: number;
  readonly independent: number;
}

export async function siblingsInParent(context: EvalContext): Promise<SiblingOverlap> {
  const { forest } = await forestOf(context);
  const { active } = await sampleHeldOut(context);
  return overlapInParent(forest, active, context.seed);
}

/** @returns NaN without pairs of siblings that fire in at least {@link MIN_SAMPLES} rows each */
export function overlapInParent(forest: Forest, firings: Firings, seed: number): SiblingOverlap {
  const families = siblingFamilies(familiesOf(forest), (child) => firings.countOf(child) >= MIN_SAMPLES, false);
  const { first, second } = siblingPairs(families, MAX_PAIRS, new Random(seed, 'claims', 'sibling pairs'));
  const seen = meanOverlap(overlapOf(firings, { first, second }).weighted(new Float64Array([1])));
  let sum = 0;
  for (let i = 0; i < first.length; i++) {
    const [a, b] = [firings.countOf(first[i]), firings.countOf(second[i])];
    const both = (a * b) / firings.countOf(forest.parent[first[i]]);
    sum += both / (a + b - both);
  }
  return { seen, independent: sum / first.length };
}
