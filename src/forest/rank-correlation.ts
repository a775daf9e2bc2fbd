/**
 * Spearman's correlation of a parent's activation with the largest of its children's, over the rows in which some child is active,
 * whether or not the parent is (ConditionalCorrChildrenOnlyMetric of eval-HSAEs, methods 7.9); ties get their mean rank.
 */
import type { Families } from './families.ts';
import { FAMILY, FAMILY_SUMS, sumFamilies, type FamilySums } from './family-sums.ts';
import type { Firings } from './firings.ts';
import { UnitSums } from './unit-sums.ts';

/** Sums of the ranks r_p and r_m about their mean, over the rows of a family. */
export const RANK = { count: 0, parentSum: 1, childSum: 2, parentSquares: 3, childSquares: 4, product: 5 } as const;
export const RANK_SUMS = 6;

export interface RankedSums extends FamilySums {
  readonly ranks: UnitSums;
}

/** The sums of {@link sumFamilies} and those of the ranks, which are taken once, over all rows. */
export function sumFamiliesRanked(firings: Firings, families: Families, unitOf?: Int32Array): RankedSums {
  const count = families.parent.length;
  const { families: groups } = sumFamilies(firings, families);
  const totals = groups.weighted(new Float64Array([1]));
  const ptr = new Uint32Array(count + 1);
  for (let f = 0; f < count; f++) ptr[f + 1] = ptr[f] + totals[f * FAMILY_SUMS + FAMILY.any];
  const next = ptr.slice();
  const row = new Uint32Array(ptr[count]);
  const parent = new Float32Array(ptr[count]);
  const child = new Float32Array(ptr[count]);
  const sums = sumFamilies(firings, families, unitOf, (f, r, p, m) => {
    const at = next[f]++;
    row[at] = r;
    parent[at] = p;
    child[at] = m;
  });
  const ranks = new UnitSums(count, RANK_SUMS);
  const current = new Float64Array(RANK_SUMS);
  for (let f = 0; f < count; f++) {
    const [from, to] = [ptr[f], ptr[f + 1]];
    if (from === to) continue;
    const [rp, rm] = [centredRanks(parent.subarray(from, to)), centredRanks(child.subarray(from, to))];
    const unit = (i: number): number => (unitOf ? unitOf[row[from + i]] : 0);
    for (let i = 0; i < rp.length; i++) {
      current[RANK.count]++;
      current[RANK.parentSum] += rp[i];
      current[RANK.childSum] += rm[i];
      current[RANK.parentSquares] += rp[i] * rp[i];
      current[RANK.childSquares] += rm[i] * rm[i];
      current[RANK.product] += rp[i] * rm[i];
      if (i + 1 < rp.length && unit(i + 1) === unit(i)) continue;
      ranks.add(f, unit(i), current, 0);
      current.fill(0);
    }
  }
  return { ...sums, ranks };
}

/** Room for the place of a value beside its 32 bits in a float64. */
const PLACES = 2 ** 21;

/**
 * Ranks from −½ to ½, equal values with the mean of theirs. A float32 that is not negative sorts like its bits, so one number holds value
 * and place and the sort needs no comparison function.
 */
export function centredRanks(values: Float32Array): Float64Array {
  const n = values.length;
  if (n > PLACES) throw new RangeError(`ranks of ${n} values; at most ${PLACES}`);
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  const keys = Float64Array.from(bits, (value, i) => value * PLACES + i).sort();
  const ranks = new Float64Array(n);
  for (let start = 0; start < n;) {
    const value = Math.floor(keys[start] / PLACES);
    let end = start + 1;
    while (end < n && Math.floor(keys[end] / PLACES) === value) end++;
    const rank = n === 1 ? 0 : (start + end - 1) / 2 / (n - 1) - 0.5;
    for (let i = start; i < end; i++) ranks[keys[i] % PLACES] = rank;
    start = end;
  }
  return ranks;
}
