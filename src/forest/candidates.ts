/**
 * Who could be whose parent, from which latents fire together: the pair measures of eval-HSAEs (methods 7.9, verified there).
 *
 *   M(c, p) = Σ_{c and p} w(a_c) / Σ_c w(a_c)                                   coverage: w = 1, P(p | c)
 *                                                                      weighted-coverage: w = a_c
 *   M(c, p) = Σ_{c and p} a_c a_p / √(Σ_{c and p} a_p² · Σ_c a_c²)           masked-cosine: the cosine of a_c and a_p over the
 *                                                                      rows in which c fires
 *
 * An edge p → c needs M(c, p) > τ and M(p, c) < τ: the parent covers the child, and not the other way round.
 *
 * For each child the rows in which it fires are read and sums over their latents kept, so that the pairs of one child at a time
 * exist: time is Σ over rows of L0², memory the sample and a few numbers per latent.
 */
import { InputError } from '../core/errors.ts';
import type { Firings } from './firings.ts';

export const MEASURES = ['coverage', 'weighted-coverage', 'masked-cosine'] as const;
export type Measure = (typeof MEASURES)[number];

/** w(a) = a^power. */
const POWER: Record<Measure, 0 | 1 | 2> = { coverage: 0, 'weighted-coverage': 1, 'masked-cosine': 2 };

/** Edges kept at most: a threshold that lets more through says nothing. 16 bytes each. */
const MAX_EDGES = 2e7;

/** Possible parents of every child. */
export interface Candidates {
  /** `[children + 1]`, those of child c are `ptr[c] … ptr[c + 1] − 1`, parents ascending. */
  readonly ptr: Uint32Array;
  readonly parent: Int32Array;
  /** M(c, p), or what {@link CandidateRule.score} makes of the pair. */
  readonly score: Float64Array;
}

export interface CandidateRule {
  readonly measure: Measure;
  /** τ */
  readonly threshold: number;
  /** Latents that fired in fewer rows are nobody's child or parent. */
  readonly minFirings: number;
  /** Another score for a pair that passed, −Infinity to refuse it. */
  readonly score?: (parent: number, child: number) => number;
}

/**
 * @param parents the same object as `children` for the pairs within one SAE, or what another SAE made of the same rows
 * @throws InputError when there are more than 20 million edges
 */
export function candidateParents(
  children: Firings,
  parents: Firings,
  { measure, threshold, minFirings, score }: CandidateRule,
): Candidates {
  if (children.rows !== parents.rows) throw new RangeError(`${children.rows} and ${parents.rows} rows`);
  const joint = new JointSums(children, parents, POWER[measure]);
  const childTotal = totalsOf(children, POWER[measure]);
  const parentTotal = children === parents ? childTotal : totalsOf(parents, POWER[measure]);
  const isCosine = measure === 'masked-cosine';
  const isFrequent = Uint8Array.from({ length: parents.width }, (_, p) => (parents.countOf(p) >= minFirings ? 1 : 0));
  const ptr = new Uint32Array(children.width + 1);
  const all: { parent: number[]; score: number[] } = { parent: [], score: [] };
  for (let c = 0; c < children.width; c++) {
    const found: { parent: number; score: number }[] = [];
    if (children.countOf(c) >= minFirings) {
      for (const p of joint.gather(c)) {
        if (!isFrequent[p] || (children === parents && p === c)) continue;
        const [sumC, sumP, product] = [joint.child(p), joint.parent(p), joint.product(p)];
        const M = isCosine ? product / Math.sqrt(sumP * childTotal[c]) : sumC / childTotal[c];
        if (!(M > threshold)) continue;
        const back = isCosine ? product / Math.sqrt(sumC * parentTotal[p]) : sumP / parentTotal[p];
        if (!(back < threshold)) continue;
        const scored = score ? score(p, c) : M;
        if (scored !== -Infinity) found.push({ parent: p, score: scored });
      }
    }
    for (const edge of found.sort((a, b) => a.parent - b.parent)) {
      all.parent.push(edge.parent);
      all.score.push(edge.score);
    }
    if (all.parent.length > MAX_EDGES) {
      throw new InputError(`more than ${MAX_EDGES / 1e6} million possible edges at threshold ${threshold}`, {
        hint: 'a higher threshold',
      });
    }
    ptr[c + 1] = all.parent.length;
  }
  return { ptr, parent: Int32Array.from(all.parent), score: Float64Array.from(all.score) };
}

/** `[width]` Σ w(a) of each latent. */
function totalsOf(firings: Firings, power: number): Float64Array {
  const totals = new Float64Array(firings.width);
  const { latent, strength } = firings;
  for (let e = 0; e < latent.length; e++) totals[latent[e]] += strength[e] ** power;
  return totals;
}

/** Sums of one pair, side by side in memory: Σ w(a_c), Σ w(a_p), Σ a_c a_p. */
const SUMS = 3;

/** Sums over the rows in which one child and each parent fire, rows in ascending order. */
class JointSums {
  /** `[parents, SUMS]`, 0 for all but the parents of the last {@link gather}. */
  readonly #sums: Float64Array;
  readonly #touched: Uint32Array;
  readonly #children: Firings;
  readonly #parents: Firings;
  readonly #power: 0 | 1 | 2;
  #count = 0;

  constructor(children: Firings, parents: Firings, power: 0 | 1 | 2) {
    this.#children = children;
    this.#parents = parents;
    this.#power = power;
    this.#sums = new Float64Array(SUMS * parents.width);
    this.#touched = new Uint32Array(parents.width);
  }

  child = (p: number): number => this.#sums[SUMS * p];
  parent = (p: number): number => this.#sums[SUMS * p + 1];
  product = (p: number): number => this.#sums[SUMS * p + 2];

  /** @returns the parents that fire with a child at least once, in the order of their first row; valid until the next call */
  gather(c: number): Uint32Array {
    const sums = this.#sums;
    const touched = this.#touched;
    const power = this.#power;
    for (let i = 0; i < this.#count; i++) sums.fill(0, SUMS * touched[i], SUMS * (touched[i] + 1));
    const { ptr, row, strength } = this.#children.byLatent;
    const { rowPtr, latent, strength: others } = this.#parents;
    let count = 0;
    for (let i = ptr[c]; i < ptr[c + 1]; i++) {
      const a = strength[i];
      const weight = power === 0 ? 1 : power === 1 ? a : a * a;
      for (let e = rowPtr[row[i]]; e < rowPtr[row[i] + 1]; e++) {
        const at = SUMS * latent[e];
        const b = others[e];
        if (sums[at] === 0) touched[count++] = latent[e];
        sums[at] += weight;
        sums[at + 1] += power === 0 ? 1 : power === 1 ? b : b * b;
        sums[at + 2] += a * b;
      }
    }
    this.#count = count;
    return touched.subarray(0, count);
  }
}
