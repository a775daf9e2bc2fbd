/**
 * Spearman's correlation of a parent's activation with the largest of its children's, over the rows in which some child is active,
 * whether or not the parent is (ConditionalCorrChildrenOnlyMetric of eval-HSAEs, methods 7.9); ties get their mean rank.
 */
import type { Families } from './families.ts';
import { sumFamilies, type FamilySums } from './family-sums.ts';
import type { Firings } from './firings.ts';
import { unitCount, UnitSums } from './unit-sums.ts';

/** Sums of the ranks r_p and r_m about their mean, over the rows of a family. */
export const RANK = { count: 0, parentSum: 1, childSum: 2, parentSquares: 3, childSquares: 4, product: 5 } as const;
export const RANK_SUMS = 6;

export interface RankedSums extends FamilySums {
  readonly ranks: UnitSums;
}

/** The sums of {@link sumFamilies} and those of the ranks, which are taken once, over all rows. */
export function sumFamiliesRanked(firings: Firings, families: Families, unitOf?: Int32Array): RankedSums {
  const count = families.parent.length;
  const ptr = roomByFamily(firings, families);
  const next = ptr.slice();
  const unitAt = unitOf && new Int32Array(ptr[count]);
  const parent = new Float32Array(ptr[count]);
  const child = new Float32Array(ptr[count]);
  const visit = (f: number, r: number, p: number, m: number): void => {
    const at = next[f]++;
    if (unitAt) unitAt[at] = unitOf[r];
    parent[at] = p;
    child[at] = m;
  };
  const sums = sumFamilies(firings, families, unitOf, { visit });
  const units = unitCount(unitOf);
  const room = Uint32Array.from({ length: count }, (_, f) => Math.min(units, next[f] - ptr[f]));
  const ranks = new UnitSums(room, RANK_SUMS);
  const current = new Float64Array(RANK_SUMS);
  for (let f = 0; f < count; f++) {
    const [from, to] = [ptr[f], next[f]];
    if (from === to) continue;
    const [rp, rm] = [centredRanks(parent.subarray(from, to)), centredRanks(child.subarray(from, to))];
    const unit = (i: number): number => (unitAt ? unitAt[from + i] : 0);
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

/** `[families + 1]` where the rows of each begin: there are no more than its children have firings, nor than there are rows. */
function roomByFamily(firings: Firings, { parent, ptr, child }: Families): Uint32Array {
  const room = new Uint32Array(parent.length + 1);
  for (let f = 0; f < parent.length; f++) {
    let most = 0;
    for (let pair = ptr[f]; pair < ptr[f + 1]; pair++) most += firings.countOf(child[pair]);
    room[f + 1] = room[f] + Math.min(most, firings.rows);
  }
  return room;
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
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = bits[i] * PLACES + i;
  keys.sort();
  const ranks = new Float64Array(n);
  for (let start = 0; start < n;) {
    const first = Math.floor(keys[start] / PLACES) * PLACES;
    let end = start + 1;
    while (end < n && keys[end] < first + PLACES) end++;
    const rank = n === 1 ? 0 : (start + end - 1) / 2 / (n - 1) - 0.5;
    for (let i = start; i < end; i++) ranks[keys[i] - first] = rank;
    start = end;
  }
  return ranks;
}
