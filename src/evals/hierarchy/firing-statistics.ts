/**
 * The measures of pairs and families that are made of sums over rows (methods 7.9). c and p: child and parent are active, a_c and a_p their
 * activations; any: some child is; m = max_c a_c.
 */
import type { Families } from '../../forest/families.ts';
import { FAMILY, FAMILY_SUMS, PAIR, PAIR_SUMS } from '../../forest/family-sums.ts';
import { RANK, RANK_SUMS } from '../../forest/rank-correlation.ts';
import { meanOfDefined } from './resampling.ts';

/** Totals over all rows, or over those of a resample. */
export interface FiringTotals {
  /** `[pairs, PAIR_SUMS]` */
  readonly pairs: Float64Array;
  /** `[families, FAMILY_SUMS]` */
  readonly families: Float64Array;
  /** `[families, RANK_SUMS]`; undefined where ranks are not asked for. */
  readonly ranks?: Float64Array;
  /** `[F]` largest activation of each latent, over all rows. */
  readonly largest: Float32Array;
}

interface PairMeasure {
  /** Rows that a pair is judged by. */
  readonly samples: (t: FiringTotals, pair: number, family: number) => number;
  readonly value: (t: FiringTotals, pair: number, families: Families) => number;
  readonly definition: string;
  /** What `samples` counts. */
  readonly needs: string;
}

const pairSum = (t: FiringTotals, pair: number, sum: keyof typeof PAIR): number =>
  t.pairs[pair * PAIR_SUMS + PAIR[sum]];
const familySum = (t: FiringTotals, f: number, sum: keyof typeof FAMILY): number =>
  t.families[f * FAMILY_SUMS + FAMILY[sum]];

const childFirings = {
  samples: (t: FiringTotals, pair: number): number => pairSum(t, pair, 'child'),
  needs: 'rows with the child active',
};

/** 1 while the child reaches its parent's largest activation, less where it never does. */
const scale = (t: FiringTotals, largestChild: number, parent: number): number =>
  t.largest[parent] === 0 ? 0 : Math.min(largestChild, t.largest[parent]) / t.largest[parent];

const mcs = (t: FiringTotals, pair: number): number => {
  const squares = pairSum(t, pair, 'parentSquares') * pairSum(t, pair, 'childSquares');
  if (squares > 0) return pairSum(t, pair, 'product') / Math.sqrt(squares);
  return pairSum(t, pair, 'child') > 0 ? 0 : NaN;
};
const mcsBinary = (t: FiringTotals, pair: number): number =>
  Math.sqrt(pairSum(t, pair, 'both') / pairSum(t, pair, 'child'));

export const PAIR_MEASURES = {
  p_parent_given_child: {
    ...childFirings,
    value: (t, pair) => pairSum(t, pair, 'both') / pairSum(t, pair, 'child'),
    definition: 'P(p | c) = #(p ∧ c) / #c, the coverage S_cov of Tree SAE (equation 4)',
  },
  p_child_given_parent: {
    samples: (t, _pair, family) => familySum(t, family, 'parent'),
    needs: 'rows with the parent active',
    value: (t, pair, { family }) => pairSum(t, pair, 'both') / familySum(t, family[pair], 'parent'),
    definition: 'P(c | p) = #(p ∧ c) / #p',
  },
  p_parent_given_child_weighted: {
    ...childFirings,
    value: (t, pair) => pairSum(t, pair, 'bothWeight') / pairSum(t, pair, 'childWeight'),
    definition: 'P(p | c) weighted by the child’s activation, Σ_p a_c / Σ a_c (eval-HSAEs)',
  },
  dominance: {
    samples: (t, pair) => pairSum(t, pair, 'both'),
    needs: 'rows with both active',
    value: (t, pair) => pairSum(t, pair, 'dominated') / pairSum(t, pair, 'both'),
    definition: 'activation dominance #(a_p > a_c) / #(p ∧ c) (eval-HSAEs; activations as the SAE gives them)',
  },
  mcs: {
    ...childFirings,
    value: mcs,
    definition: 'MCS, the cosine of a_p and a_c over the rows with c, Σ a_c a_p / √(Σ_c a_p² · Σ a_c²)',
  },
  mcs_binary: {
    ...childFirings,
    value: mcsBinary,
    definition: 'MCS with activations replaced by 0 and 1, √P(p | c)',
  },
  mcs_scaled: {
    ...childFirings,
    value: (t, pair, { family, parent, child }) =>
      mcs(t, pair) * scale(t, t.largest[child[pair]], parent[family[pair]]),
    definition: 'MCS · min(max a_c, max a_p) / max a_p, maxima over all rows',
  },
  mcs_binary_scaled: {
    ...childFirings,
    value: (t, pair, { family, parent }) => mcsBinary(t, pair) * scale(t, 1, parent[family[pair]]),
    definition:
      'binary MCS · min(1, max a_p) / max a_p, as Tree SAE’s code has it (the child’s maximum after binarising)',
  },
} as const satisfies Readonly<Record<string, PairMeasure>>;

/** Correlation from sums about any origin; NaN where one side does not vary. */
function correlation(n: number, x: number, y: number, xx: number, yy: number, xy: number): number {
  const [spreadX, spreadY] = [xx - (x * x) / n, yy - (y * y) / n];
  // Sums of equal numbers leave a remainder of rounding.
  if (!(spreadX > 1e-9 * xx && spreadY > 1e-9 * yy)) return NaN;
  return (xy - (x * y) / n) / Math.sqrt(spreadX * spreadY);
}

interface FamilyMeasure {
  readonly samples: (t: FiringTotals, family: number) => number;
  readonly value: (t: FiringTotals, family: number) => number;
  readonly definition: string;
  readonly needs: string;
}

const anyFirings = {
  samples: (t: FiringTotals, f: number): number => familySum(t, f, 'any'),
  needs: 'rows with some child active',
};
const OF_LARGEST_CHILD = 'of a_p (0 where p is not active) and m = max_c a_c over the rows with some child active';

export const FAMILY_MEASURES = {
  refinement_frequency: {
    samples: (t, f) => familySum(t, f, 'parent'),
    needs: 'rows with the parent active',
    value: (t, f) => familySum(t, f, 'anyBoth') / familySum(t, f, 'parent'),
    definition: 'P(some child active | p) (eval-HSAEs)',
  },
  conditional_correlation: {
    ...anyFirings,
    value: (t, f) => {
      const [n, p, m, pp, mm, pm] = t.ranks!.subarray(f * RANK_SUMS, f * RANK_SUMS + Object.keys(RANK).length);
      return correlation(n, p, m, pp, mm, pm);
    },
    definition: `Spearman’s correlation ${OF_LARGEST_CHILD} (eval-HSAEs; ranks are taken once, over all rows)`,
  },
  conditional_correlation_pearson: {
    ...anyFirings,
    value: (t, f) =>
      correlation(
        familySum(t, f, 'any'),
        familySum(t, f, 'parentSum'),
        familySum(t, f, 'childSum'),
        familySum(t, f, 'parentSquares'),
        familySum(t, f, 'childSquares'),
        familySum(t, f, 'product'),
      ),
    definition: `Pearson’s correlation ${OF_LARGEST_CHILD}`,
  },
  conditional_correlation_cosine: {
    ...anyFirings,
    value: (t, f) => {
      const squares = familySum(t, f, 'parentSquares') * familySum(t, f, 'childSquares');
      return squares > 0 ? familySum(t, f, 'product') / Math.sqrt(squares) : NaN;
    },
    definition: `cosine ${OF_LARGEST_CHILD}`,
  },
} as const satisfies Readonly<Record<string, FamilyMeasure>>;

export type PairName = keyof typeof PAIR_MEASURES;
export type FamilyName = keyof typeof FAMILY_MEASURES;

/** The pairs that have enough samples for a measure. */
export function judgedPairs(name: PairName, t: FiringTotals, { family }: Families, least: number): Int32Array {
  const { samples } = PAIR_MEASURES[name] as PairMeasure;
  return Int32Array.from(family.keys()).filter((pair) => samples(t, pair, family[pair]) >= least);
}

export function judgedFamilies(name: FamilyName, t: FiringTotals, { parent }: Families, least: number): Int32Array {
  const { samples } = FAMILY_MEASURES[name];
  return Int32Array.from(parent.keys()).filter((f) => samples(t, f) >= least);
}

/** Of one pair. */
export function pairValue(name: PairName, t: FiringTotals, families: Families, pair: number): number {
  return (PAIR_MEASURES[name] as PairMeasure).value(t, pair, families);
}

export function meanOverPairs(name: PairName, t: FiringTotals, families: Families, pairs: Int32Array): number {
  const { value } = PAIR_MEASURES[name] as PairMeasure;
  const values = new Float64Array(pairs.length);
  for (let i = 0; i < pairs.length; i++) values[i] = value(t, pairs[i], families);
  return meanOfDefined(values);
}

export const meanOverFamilies = (name: FamilyName, t: FiringTotals, families: Int32Array): number =>
  meanOfDefined(Array.from(families, (f) => FAMILY_MEASURES[name].value(t, f)));

/**
 * HSAE’s Hamming distance between a parent and the OR of its children: Σ_p 1[p ≠ any], over the families of each level.
 * @returns `[levels]` number of mismatches, by the level of the parent
 */
export function mismatches(t: FiringTotals, { level }: Families, levels: number): Float64Array {
  const sums = new Float64Array(levels);
  for (let f = 0; f < level.length; f++) {
    sums[level[f]] += familySum(t, f, 'parent') + familySum(t, f, 'any') - 2 * familySum(t, f, 'anyBoth');
  }
  return sums;
}
