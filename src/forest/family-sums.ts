/**
 * How the latents of families fire together: every sum that the pair and family measures of methods 7.9 are made of, in one pass over
 * the firings. Time is the number of firings, memory a few numbers for each family and pair that fires in a unit.
 */
import type { Families } from './families.ts';
import type { Firings } from './firings.ts';
import { UnitAccumulator, unitCount, type UnitSums } from './unit-sums.ts';

/** Sums of a pair, over rows; c and p: child and parent are active. */
export const PAIR = {
  /** #c */
  child: 0,
  /** #(c and p) */
  both: 1,
  /** #(c and p, a_p > a_c) */
  dominated: 2,
  /** Σ a_c a_p */
  product: 3,
  /** Σ_c a_p² */
  parentSquares: 4,
  /** Σ a_c² */
  childSquares: 5,
  /** Σ a_c */
  childWeight: 6,
  /** Σ_p a_c */
  bothWeight: 7,
} as const;
export const PAIR_SUMS = 8;

/** Sums of a family; any: some child is active, m: the largest activation of its children. */
export const FAMILY = {
  /** #p */
  parent: 0,
  /** #any */
  any: 1,
  /** #(any and p) */
  anyBoth: 2,
  /** Σ_any a_p */
  parentSum: 3,
  /** Σ_any m */
  childSum: 4,
  /** Σ_any a_p² */
  parentSquares: 5,
  /** Σ_any m² */
  childSquares: 6,
  /** Σ_any a_p m */
  product: 7,
} as const;
export const FAMILY_SUMS = 8;

export interface FamilySums {
  /** Items are the pairs of the families. */
  readonly pairs: UnitSums;
  readonly families: UnitSums;
}

/** What the pass tells of each row and family with some active child. */
type Visit = (family: number, row: number, parent: number, largestChild: number) => void;

/** Which of the firings count, by their place among all; all by default. */
export type IsCounted = (entry: number) => boolean;

/** @param unitOf `[rows]` unit of each row, ascending; one unit without it */
export function sumFamilies(
  firings: Firings,
  families: Families,
  unitOf?: Int32Array,
  { visit, isCounted }: { visit?: Visit; isCounted?: IsCounted | undefined } = {},
): FamilySums {
  const { width, rows, rowPtr, latent, strength } = firings;
  const { parent, child, family } = families;
  const pairOf = new Int32Array(width).fill(-1);
  child.forEach((c, pair) => (pairOf[c] = pair));
  const led = familiesByParent(families, width);
  const units = unitCount(unitOf);
  const pairRoom = Uint32Array.from(child, (c) => Math.min(units, firings.countOf(c)));
  const pairs = new UnitAccumulator(pairRoom, PAIR_SUMS);
  const groups = new UnitAccumulator(familyRoom(firings, families, units), FAMILY_SUMS);
  const active = new Float32Array(width);
  const largest = new Float32Array(parent.length);
  const touched = new Int32Array(parent.length);
  for (let r = 0; r < rows; r++) {
    if (r > 0 && unitOf && unitOf[r] !== unitOf[r - 1]) {
      pairs.close(unitOf[r - 1]);
      groups.close(unitOf[r - 1]);
    }
    let count = 0;
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
      if (isCounted === undefined || isCounted(e)) active[latent[e]] = strength[e];
    }
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
      const a = active[latent[e]];
      if (a === 0) continue;
      for (let i = led.ptr[latent[e]]; i < led.ptr[latent[e] + 1]; i++) {
        groups.current[groups.at(led.family[i]) + FAMILY.parent]++;
      }
      const pair = pairOf[latent[e]];
      if (pair === -1) continue;
      const f = family[pair];
      if (largest[f] === 0) touched[count++] = f;
      largest[f] = Math.max(largest[f], a);
      addPair(pairs.current, pairs.at(pair), active[parent[f]], a);
    }
    for (let i = 0; i < count; i++) {
      const f = touched[i];
      addFamily(groups.current, groups.at(f), active[parent[f]], largest[f]);
      visit?.(f, r, active[parent[f]], largest[f]);
      largest[f] = 0;
    }
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) active[latent[e]] = 0;
  }
  const last = unitOf && rows > 0 ? unitOf[rows - 1] : 0;
  pairs.close(last);
  groups.close(last);
  return { pairs: pairs.result, families: groups.result };
}

function addPair(sums: Float64Array, at: number, p: number, c: number): void {
  sums[at + PAIR.child]++;
  sums[at + PAIR.childSquares] += c * c;
  sums[at + PAIR.childWeight] += c;
  if (p === 0) return;
  sums[at + PAIR.both]++;
  if (p > c) sums[at + PAIR.dominated]++;
  sums[at + PAIR.product] += c * p;
  sums[at + PAIR.parentSquares] += p * p;
  sums[at + PAIR.bothWeight] += c;
}

function addFamily(sums: Float64Array, at: number, p: number, m: number): void {
  sums[at + FAMILY.any]++;
  if (p > 0) sums[at + FAMILY.anyBoth]++;
  sums[at + FAMILY.parentSum] += p;
  sums[at + FAMILY.childSum] += m;
  sums[at + FAMILY.parentSquares] += p * p;
  sums[at + FAMILY.childSquares] += m * m;
  sums[at + FAMILY.product] += p * m;
}

/** `[families]` units in which the parent or some child of each can be active, at most. */
function familyRoom(firings: Firings, { parent, ptr, child }: Families, units: number): Uint32Array {
  return Uint32Array.from(parent, (p, f) => {
    let most = firings.countOf(p);
    for (let pair = ptr[f]; pair < ptr[f + 1] && most < units; pair++) most += firings.countOf(child[pair]);
    return Math.min(units, most);
  });
}

/** Families that each latent is the parent of. */
function familiesByParent({ parent }: Families, width: number): { ptr: Int32Array; family: Int32Array } {
  const ptr = new Int32Array(width + 1);
  for (const p of parent) ptr[p + 1]++;
  for (let i = 0; i < width; i++) ptr[i + 1] += ptr[i];
  const next = ptr.slice();
  const family = new Int32Array(parent.length);
  parent.forEach((p, f) => (family[next[p]++] = f));
  return { ptr, family };
}
