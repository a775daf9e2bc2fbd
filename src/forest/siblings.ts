/** How often siblings fire together: intersection over union of the rows in which they do (sibling co-occurrence of Tree SAE, methods 7.9). */
import type { Random } from '../core/random.ts';
import { familiesOfLists, type Families } from './families.ts';
import type { Firings } from './firings.ts';
import { UnitAccumulator, unitCount, type UnitSums } from './unit-sums.ts';

/** Sums of a pair of siblings: rows in which both, and in which at least one of them is active. */
export const OVERLAP = { both: 0, either: 1 } as const;
export const OVERLAP_SUMS = 2;

export interface SiblingPairs {
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/** The families with fewer children, or fewer families: those with at least two children that are kept. */
export function siblingFamilies(families: Families, isKept: (child: number) => boolean, whole: boolean): Families {
  const kept: number[] = [];
  const lists: Int32Array[] = [];
  families.parent.forEach((_, f) => {
    const children = families.child.subarray(families.ptr[f], families.ptr[f + 1]);
    const list = children.filter(isKept);
    if (list.length < 2 || (whole && list.length < children.length)) return;
    kept.push(f);
    lists.push(list);
  });
  const of = (values: Int32Array): Int32Array => Int32Array.from(kept, (f) => values[f]);
  return familiesOfLists(of(families.parent), of(families.level), lists);
}

/** All unordered pairs of siblings, or `most` of them at random. */
export function siblingPairs({ ptr, child }: Families, most: number, random: Random): SiblingPairs {
  const families = ptr.length - 1;
  const before = new Float64Array(families + 1);
  for (let f = 0; f < families; f++)
    before[f + 1] = before[f] + ((ptr[f + 1] - ptr[f]) * (ptr[f + 1] - ptr[f] - 1)) / 2;
  const all = before[families];
  let numbers: ArrayLike<number>;
  if (all <= most) numbers = { length: all };
  else {
    const drawn = new Set<number>();
    while (drawn.size < most) drawn.add(Math.floor(random.uniform() * all));
    numbers = Float64Array.from(drawn).sort();
  }
  const pairs = { first: new Int32Array(numbers.length), second: new Int32Array(numbers.length) };
  for (let i = 0, f = 0; i < numbers.length; i++) {
    const number = numbers[i] ?? i;
    while (before[f + 1] <= number) f++;
    // Pair j, k with j < k has number k (k − 1) / 2 + j within its family.
    const within = number - before[f];
    const k = Math.floor((1 + Math.sqrt(1 + 8 * within)) / 2);
    pairs.first[i] = child[ptr[f] + within - (k * (k - 1)) / 2];
    pairs.second[i] = child[ptr[f] + k];
  }
  return pairs;
}

/** @param unitOf `[rows]` unit of each row, ascending; one unit without it */
export function overlapOf(firings: Firings, { first, second }: SiblingPairs, unitOf?: Int32Array): UnitSums {
  const { ptr, row } = firings.byLatent;
  const units = unitCount(unitOf);
  const room = first.map((a, i) => Math.min(units, firings.countOf(a) + firings.countOf(second[i])));
  const sums = new UnitAccumulator(room, OVERLAP_SUMS);
  let unit = 0;
  for (let i = 0; i < first.length; i++) {
    let [a, b] = [ptr[first[i]], ptr[second[i]]];
    const [endA, endB] = [ptr[first[i] + 1], ptr[second[i] + 1]];
    while (a < endA || b < endB) {
      const rowA = a < endA ? row[a] : Infinity;
      const rowB = b < endB ? row[b] : Infinity;
      const r = Math.min(rowA, rowB);
      if (unitOf && unitOf[r] !== unit) {
        sums.close(unit);
        unit = unitOf[r];
      }
      const at = sums.at(i);
      sums.current[at + OVERLAP.either]++;
      if (rowA === rowB) sums.current[at + OVERLAP.both]++;
      if (rowA === r) a++;
      if (rowB === r) b++;
    }
    sums.close(unit);
  }
  return sums.result;
}
