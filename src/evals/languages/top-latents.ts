/**
 * How differently a text and its translation are encoded: the sets of the strongest latents at two tokens (Muchane et al., arXiv
 * 2506.01197, `evals/run_models.py`). The paper speaks of the top 8; the released code slices `[:7]`.
 */
import type { Codes } from '../../core/codes.ts';
import { grown } from '../../core/arrays.ts';
import { Random } from '../../core/random.ts';
import type { LatentRange } from '../../engine/kernels.ts';

/** Strongest latents that are compared. */
export const TOP = 8;

/** Sets of latents at aligned tokens: one row for each, in every language. */
export class AlignedSets {
  readonly languages: number;
  readonly range: LatentRange;
  /** `[rows]` document of each. */
  readonly documents: number[] = [];
  /** `[rows, languages, TOP]` latents, −1 where fewer were on. */
  #latents = new Int32Array(0);

  /** @param range latents that are compared, those of a view */
  constructor(languages: number, range: LatentRange) {
    this.languages = languages;
    this.range = range;
  }

  get rows(): number {
    return this.documents.length;
  }

  /** @param sets one in each language, of {@link topLatents} */
  add(document: number, sets: readonly Int32Array[]): void {
    const at = this.rows * this.languages * TOP;
    this.#latents = grown(this.#latents, at + this.languages * TOP);
    sets.forEach((set, l) => this.#latents.set(set, at + l * TOP));
    this.documents.push(document);
  }

  /** Latents in one of the sets only, and in any of them. */
  compare(rowA: number, a: number, rowB: number, b: number): { different: number; any: number } {
    const setA = this.#set(rowA, a);
    const setB = this.#set(rowB, b);
    const [sizeA, sizeB] = [sizeOf(setA), sizeOf(setB)];
    let shared = 0;
    for (let i = 0; i < sizeA; i++) if (setB.includes(setA[i])) shared++;
    return { different: sizeA + sizeB - 2 * shared, any: sizeA + sizeB - shared };
  }

  #set(row: number, language: number): Int32Array {
    const at = (row * this.languages + language) * TOP;
    return this.#latents.subarray(at, at + TOP);
  }

  /** For every row another one, at random. */
  otherRows(random: Random): Int32Array {
    return Int32Array.from({ length: this.rows }, (_, row) => {
      const other = random.below(this.rows - 1);
      return other < row ? other : other + 1;
    });
  }
}

function sizeOf(set: Int32Array): number {
  const end = set.indexOf(-1);
  return end === -1 ? set.length : end;
}

/** The {@link TOP} latents of a row with the largest activations that are not 0, the lower of equal ones; −1 where there are fewer. */
export function topLatents({ rowPtr, index, value }: Codes, row: number, { from, to }: LatentRange): Int32Array {
  const latents = new Int32Array(TOP).fill(-1);
  const values = new Float64Array(TOP).fill(-Infinity);
  for (let e = rowPtr[row]; e < rowPtr[row + 1]; e++) {
    const [latent, activation] = [index[e], value[e]];
    if (activation === 0 || latent < from || latent >= to) continue;
    let at = TOP;
    while (at > 0 && (activation > values[at - 1] || (activation === values[at - 1] && latent < latents[at - 1]))) at--;
    if (at === TOP) continue;
    latents.copyWithin(at + 1, at, TOP - 1);
    values.copyWithin(at + 1, at, TOP - 1);
    latents[at] = latent;
    values[at] = activation;
  }
  return latents;
}
