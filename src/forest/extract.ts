/**
 * A forest from co-activation alone, for SAEs that have none built in: a child fires only where its parent does, so a latent
 * that covers another's firings, and is more frequent, is its ancestor; the least frequent ancestor is its parent.
 */
import type { Codes } from '../core/codes.ts';
import { Forest } from './forest.ts';
import { DensePairCounts, SparsePairCounts, type PairCounts } from './pair-counts.ts';

/** Below this many counters (128 MiB, width 8192) every pair has its own. */
const DENSE_COUNTERS = 2 ** 25;
/** Entries of the table for wider dictionaries: at most 2^24 slots, 256 MiB. */
const MAX_PAIRS = 12_000_000;

/**
 * Firings and joint firings of latents over a stream of codes. Time per row: the number of its active latents squared,
 * halved. Memory: bounded whatever the width and the length of the stream; when the bound is reached, counts of
 * unimportant pairs are dropped, see {@link PairCounts.missedAtMost}.
 */
export class CoActivation {
  readonly width: number;
  /** Rows seen. */
  rows = 0;
  /** `[width]` rows in which each latent fired. */
  readonly firings: Float64Array;
  readonly pairs: PairCounts;
  readonly #active: Int32Array;

  /** @param maxPairs most pairs remembered at once; by default exact up to width 8192, 12 million pairs beyond */
  constructor(width: number, maxPairs?: number) {
    this.width = width;
    this.firings = new Float64Array(width);
    this.#active = new Int32Array(width);
    const dense = maxPairs === undefined && (width * (width - 1)) / 2 <= DENSE_COUNTERS;
    this.pairs = dense ? new DensePairCounts(width) : new SparsePairCounts(this.firings, maxPairs ?? MAX_PAIRS);
  }

  add(codes: Codes): void {
    if (codes.width !== this.width) throw new RangeError(`codes of width ${codes.width}, expected ${this.width}`);
    const active = this.#active;
    for (let r = 0; r < codes.rows; r++) {
      let count = 0;
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        if (codes.value[e] === 0) continue;
        active[count++] = codes.index[e];
        this.firings[codes.index[e]]++;
      }
      for (let i = 1; i < count; i++) for (let j = 0; j < i; j++) this.pairs.add(active[i], active[j]);
    }
    this.rows += codes.rows;
  }
}

export interface ExtractionRule {
  /** Least P(parent fires | child fires); 0.5. */
  readonly coverage?: number;
  /** Least P(parent | child) / P(parent): how far above chance; 2. */
  readonly lift?: number;
  /** P(parent) must exceed this many times P(child); 1.05. At least 1, which rules out cycles. */
  readonly frequencyRatio?: number;
  /** Latents that fired in fewer rows stay unlinked, their statistics say nothing; 10. */
  readonly minFirings?: number;
}

export interface ExtractedForest {
  readonly forest: Forest;
  /** `[width]` P(parent | child) of each child, NaN for roots. */
  readonly coverage: Float64Array;
  /** `[width]` coverage / P(parent) of each child, NaN for roots. */
  readonly lift: Float64Array;
  /**
   * `[width]` how much too low the coverages of each latent may be because counts were dropped; all 0 when counting was
   * exact, NaN for latents that never fired. A parent whose coverage exceeds the rule by this much is never overlooked.
   */
  readonly coverageError: Float64Array;
}

/**
 * parent(c) = the least frequent p with P(p|c) ≥ coverage, P(p|c) / P(p) ≥ lift and P(p) > frequencyRatio · P(c); among
 * equally frequent ones the larger coverage, then the lower index. A latent without such a p is a root.
 */
export function extractForest(
  counts: CoActivation,
  { coverage = 0.5, lift = 2, frequencyRatio = 1.05, minFirings = 10 }: ExtractionRule = {},
): ExtractedForest {
  if (!(frequencyRatio >= 1)) throw new RangeError(`frequencyRatio ${frequencyRatio}: expected at least 1`);
  const { firings, rows, width } = counts;
  const parent = new Int32Array(width).fill(-1);
  const best = { coverage: new Float64Array(width).fill(NaN), lift: new Float64Array(width).fill(NaN) };
  const isBetter = (p: number, share: number, child: number): boolean => {
    const rival = parent[child];
    if (rival === -1 || firings[p] !== firings[rival]) return rival === -1 || firings[p] < firings[rival];
    return share === best.coverage[child] ? p < rival : share > best.coverage[child];
  };
  counts.pairs.forEach((a, b, together) => {
    const [p, child] = firings[a] > firings[b] ? [a, b] : [b, a];
    if (firings[child] < minFirings || !(firings[p] > frequencyRatio * firings[child])) return;
    const share = together / firings[child];
    const aboveChance = (share * rows) / firings[p];
    if (share < coverage || aboveChance < lift || !isBetter(p, share, child)) return;
    parent[child] = p;
    best.coverage[child] = share;
    best.lift[child] = aboveChance;
  });
  const coverageError = firings.map((fired, i) => counts.pairs.missedAtMost(i) / fired);
  return { forest: new Forest(parent), ...best, coverageError };
}
