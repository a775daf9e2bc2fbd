/** Metrics of weights and of means over rows: what is resampled are families, because the children of one parent are alike. */
import type { Families } from '../../forest/families.ts';
import { Bootstrap, insufficient, total, type Meaning, type Metric } from '../metric.ts';
import { MIN_ITEMS } from './rules.ts';

/** Of each family. */
export interface FamilyRatio {
  readonly numerator: Float64Array;
  readonly denominator: Float64Array;
}

export const ratioOf = ({ numerator, denominator }: FamilyRatio): number => total(numerator) / total(denominator);

/** Σ numerator / Σ denominator, which counts what `what` says. Families of two SAEs are not the same units: no replicates. */
export function overFamilies(
  { numerator, denominator }: FamilyRatio,
  what: string,
  meaning: Omit<Meaning, 'n'>,
  seed: number,
  least = MIN_ITEMS,
): Metric {
  const used = Array.from(denominator.keys()).filter((f) => denominator[f] > 0);
  const n = total(denominator);
  if (n < least) return insufficient(`${n} ${what}; ${least} are needed`, { n, ...meaning });
  const of = (values: Float64Array): Float64Array => Float64Array.from(used, (f) => values[f]);
  const units = { count: used.length, label: `the ${used.length} families` };
  const { replicates: _, ...made } = new Bootstrap(units, seed).ratio(of(numerator), of(denominator), meaning);
  return made;
}

/** A value for every family; NaN leaves it out. */
export function eachFamily(families: Families, value: (children: Int32Array, parent: number) => number): FamilyRatio {
  const { parent, ptr, child } = families;
  const values = Float64Array.from(parent, (p, f) => value(child.subarray(ptr[f], ptr[f + 1]), p));
  return {
    numerator: values.map((v) => (Number.isNaN(v) ? 0 : v)),
    denominator: values.map((v) => (Number.isNaN(v) ? 0 : 1)),
  };
}

/** Values of all pairs of every family; NaN leaves a pair out. */
export function eachPair(families: Families, value: (parent: number, child: number) => number): FamilyRatio {
  const { parent, child, family } = families;
  const numerator = new Float64Array(parent.length);
  const denominator = new Float64Array(parent.length);
  for (let pair = 0; pair < child.length; pair++) {
    const v = value(parent[family[pair]], child[pair]);
    if (Number.isNaN(v)) continue;
    numerator[family[pair]] += v;
    denominator[family[pair]]++;
  }
  return { numerator, denominator };
}

/**
 * Mean cosine of the pairs among some rows of unit length, (‖Σu‖² − n) / (n (n − 1)); NaN for fewer than two.
 * @param units `[·, d]`
 */
export function meanPairwiseCosine(units: Float32Array, d: number, members: ArrayLike<number>): number {
  const n = members.length;
  if (n < 2) return NaN;
  let square = 0;
  for (let k = 0; k < d; k++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += units[members[i] * d + k];
    square += sum * sum;
  }
  return (square - n) / (n * (n - 1));
}

export function dotRows(a: Float32Array, i: number, j: number, d: number): number {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += a[i * d + k] * a[j * d + k];
  return sum;
}
