/** What the decoder rows of parents, children and siblings have to do with each other. Time is O(F d), but for composition. */
import { normalizeRows } from '../../core/rows.ts';
import type { Families } from '../../forest/families.ts';
import type { Metric, Metrics } from '../metric.ts';
import { MIN_SAMPLES, type JudgedFamilies } from './rules.ts';
import { besideNulls, type NullFamilies } from './null-families.ts';
import {
  dotRows,
  eachFamily,
  eachPair,
  meanPairwiseCosine,
  overFamilies,
  ratioOf,
  type FamilyRatio,
} from './over-families.ts';

/** Children of which an effective dimension is taken at most: its time grows with their square. */
const MAX_CHILDREN = 256;

/**
 * @param dictionary `[F, d]`
 * @param isLive whether a latent fired on enough rows to be judged
 */
export function directionMetrics(
  dictionary: Float32Array,
  d: number,
  { families, how }: JudgedFamilies,
  isLive: (latent: number) => boolean,
  nulls: NullFamilies,
  seed: number,
): Metrics {
  const units = dictionary.slice();
  normalizeRows(units, d);
  const live = (members: Int32Array): Int32Array => members.filter(isLive);
  const among = `latents that are active on at least ${MIN_SAMPLES} held-out rows; ${how}`;
  const measure = (
    name: string,
    what: string,
    unit: string,
    definition: string,
    matches: 'parents' | 'children',
    ratio: (of: Families) => FamilyRatio,
  ): Metric => {
    const measured = overFamilies(ratio(families), what, { unit, definition: `${definition}, ${among}` }, seed);
    return besideNulls(measured, nulls, { what: name, matches }, (of) => ratioOf(ratio(of)));
  };
  return {
    parent_child_cosine: measure(
      'parent_child_cosine',
      'pairs',
      'mean over pairs',
      'mean over the pairs of |d_p · d_c| / (‖d_p‖ ‖d_c‖), decoder rows (Tree SAE, Table 4)',
      'parents',
      (of) => eachPair(of, (p, c) => (isLive(p) && isLive(c) ? Math.abs(dotRows(units, p, c, d)) : NaN)),
    ),
    sibling_cosine: measure(
      'sibling_cosine',
      'families',
      'mean over families',
      'mean over the families with at least two children of the mean pairwise cosine of their decoder rows',
      'children',
      (of) => eachFamily(of, (children) => meanPairwiseCosine(units, d, live(children))),
    ),
    effective_dimension: measure(
      'effective_dimension',
      'families',
      'share of the number of children',
      'mean over the families with n ≥ 2 children of n² / Σ_ij cos²(d_i, d_j) / n: the participation ratio (Σλ)² / Σλ² of the ' +
        `eigenvalues of the Gram matrix of their unit decoder rows, 1 where they are orthogonal and 1 / n where they are one direction ` +
        `(the first ${MAX_CHILDREN} children)`,
      'children',
      (of) => eachFamily(of, (children) => effectiveDimension(units, d, live(children).subarray(0, MAX_CHILDREN))),
    ),
  };
}

function effectiveDimension(units: Float32Array, d: number, members: Int32Array): number {
  const n = members.length;
  if (n < 2) return NaN;
  let squares = n;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) squares += 2 * dotRows(units, members[i], members[j], d) ** 2;
  }
  return n / squares;
}
