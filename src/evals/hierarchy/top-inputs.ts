/**
 * Sibling similarity of eval-HSAEs (methods 7.9): whether siblings fire on similar inputs. There the inputs are embeddings of images;
 * here they are the language model's activations about their mean, because what all of them share would make everything alike.
 */
import { normalizeRows } from '../../core/rows.ts';
import { familiesOf, type Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import type { JudgedForest } from '../forest-of.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import type { Metric } from '../metric.ts';
import { MIN_SAMPLES } from './rules.ts';
import { besideNulls, type NullFamilies } from './null-families.ts';
import { eachFamily, meanPairwiseCosine, overFamilies, ratioOf, type FamilyRatio } from './over-families.ts';

/** Strongest inputs that are averaged. */
const TOP = 10;

export async function siblingSimilarity(
  firings: Firings,
  held: HeldOutRows,
  { forest, how }: Pick<JudgedForest, 'forest' | 'how'>,
  nulls: NullFamilies,
  seed: number,
): Promise<Metric> {
  const { d } = held;
  const inputs = await meanTopInputs(firings, held);
  normalizeRows(inputs, d);
  const isLive = (latent: number): boolean => firings.countOf(latent) >= MIN_SAMPLES;
  const byChance = new RandomClusters(inputs, d, forest.level, isLive);
  const aboveChance = (of: Families): FamilyRatio =>
    eachFamily(of, (children) => {
      const live = children.filter(isLive);
      return meanPairwiseCosine(inputs, d, live) - byChance.cosine(live);
    });
  const definition =
    `mean over the families with at least two children of the mean pairwise cosine of their mean inputs on the ${TOP} rows of the ` +
    `largest activation, minus what random clusters of the same sizes and levels are expected to have; inputs are the ` +
    `model’s activations minus their mean, children are active on at least ${MIN_SAMPLES} held-out rows, ${how}`;
  const meaning = { unit: 'mean over families', definition };
  const measured = overFamilies(aboveChance(familiesOf(forest)), 'families', meaning, seed);
  return besideNulls(measured, nulls, { what: 'sibling_similarity', matches: 'children' }, (of) =>
    ratioOf(aboveChance(of)),
  );
}

/**
 * What random latents of some levels have in common: eval-HSAEs draws 100 clusters, this is the mean of all that there are, so that it
 * depends on no draw. From the sums of unit vectors by level: the cosines of all pairs are never taken.
 */
class RandomClusters {
  readonly #level: Int32Array;
  readonly #d: number;
  /** By level: Σ u over its latents, and how many there are. */
  readonly #sums = new Map<number, { sum: Float64Array; count: number }>();

  /** @param units `[F, d]` rows of unit length; @param isLive latents that may be drawn */
  constructor(units: Float32Array, d: number, level: Int32Array, isLive: (latent: number) => boolean) {
    this.#level = level;
    this.#d = d;
    level.forEach((of, latent) => {
      if (!isLive(latent)) return;
      const at = this.#sums.get(of) ?? { sum: new Float64Array(d), count: 0 };
      for (let k = 0; k < d; k++) at.sum[k] += units[latent * d + k];
      at.count++;
      this.#sums.set(of, at);
    });
  }

  /** Expected mean pairwise cosine of as many latents of the same levels; NaN for fewer than two. */
  cosine(members: Int32Array): number {
    const countOf = new Map<number, number>();
    for (const latent of members) countOf.set(this.#level[latent], (countOf.get(this.#level[latent]) ?? 0) + 1);
    const counts = [...countOf];
    let [cosines, pairs] = [0, 0];
    counts.forEach(([a, ofA], i) => {
      for (const [b, ofB] of counts.slice(i)) {
        const times = a === b ? (ofA * (ofA - 1)) / 2 : ofA * ofB;
        if (times > 0) cosines += times * this.#between(a, b);
        pairs += times;
      }
    });
    return cosines / pairs;
  }

  /** Mean cosine of two different latents. */
  #between(a: number, b: number): number {
    const [{ sum: left, count: m }, { sum: right, count: n }] = [this.#sums.get(a)!, this.#sums.get(b)!];
    let product = 0;
    for (let k = 0; k < this.#d; k++) product += left[k] * right[k];
    return a === b ? (product - n) / (n * (n - 1)) : product / (m * n);
  }
}

/** `[F, d]` mean of x − x̄ over the rows of the largest activations of each latent. */
async function meanTopInputs(firings: Firings, held: HeldOutRows): Promise<Float32Array> {
  const { d, mean: center } = held;
  const top = topRows(firings);
  const sums = new Float32Array(firings.width * d);
  let next = 0;
  for await (const { start, rows, raw } of held.batches()) {
    for (; next < top.row.length && top.row[next] < start + rows; next++) {
      const [from, to] = [(top.row[next] - start) * d, top.latent[next] * d];
      for (let k = 0; k < d; k++) sums[to + k] += raw[from + k] - center[k];
    }
    if (next === top.row.length) break;
  }
  return sums;
}

/** The rows of the largest activations of each latent, the earlier of equal ones; ordered by row. */
function topRows({ width, rows, rowPtr, latent, strength }: Firings): { row: Uint32Array; latent: Uint32Array } {
  /** `[width, TOP]`, the largest first, and `[width]` how many there are. */
  const [best, row] = [new Float32Array(width * TOP), new Uint32Array(width * TOP)];
  const count = new Uint8Array(width);
  for (let r = 0; r < rows; r++) {
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
      const first = latent[e] * TOP;
      let at = first + count[latent[e]];
      if (at === first + TOP && strength[e] <= best[at - 1]) continue;
      if (at === first + TOP) at--;
      else count[latent[e]]++;
      for (; at > first && best[at - 1] < strength[e]; at--) {
        best[at] = best[at - 1];
        row[at] = row[at - 1];
      }
      best[at] = strength[e];
      row[at] = r;
    }
  }
  const found: { row: number; latent: number }[] = [];
  count.forEach((many, i) => {
    for (let at = i * TOP; at < i * TOP + many; at++) found.push({ row: row[at], latent: i });
  });
  found.sort((a, b) => a.row - b.row || a.latent - b.latent);
  return { row: Uint32Array.from(found, (one) => one.row), latent: Uint32Array.from(found, (one) => one.latent) };
}
