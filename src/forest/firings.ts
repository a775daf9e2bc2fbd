/** What fired where: the codes of a sample, by row and by latent. Everything that is asked of pairs of latents comes from here. */
import { grown } from '../core/arrays.ts';
import { InputError } from '../core/errors.ts';
import type { Codes } from '../core/codes.ts';

/** Firings that are kept at most: 16 bytes each with the index by latent, 1 GiB in all. */
const MAX_FIRINGS = 2 ** 26;

/** The firings of every latent, rows ascending. */
export interface FiringsByLatent {
  /** `[width + 1]`, firings of latent i are `ptr[i] … ptr[i + 1] − 1`. */
  readonly ptr: Uint32Array;
  readonly row: Uint32Array;
  /** Sorted when it is asked for first: most want to know the rows only. */
  readonly strength: Float32Array;
}

/**
 * The non-zero codes of a stream of batches. Memory grows with the number of firings, never with the square of the width.
 * A strength is |activation|: architectures whose latents may be negative fire all the same.
 */
export class Firings {
  readonly width: number;
  rows = 0;
  readonly #most: number;
  #rowPtr = new Uint32Array(1025);
  #latent = new Uint32Array(16_384);
  #strength = new Float32Array(16_384);
  #byLatent: ByLatent | undefined;

  /** @param most firings kept at most; 2^26 */
  constructor(width: number, most = MAX_FIRINGS) {
    this.width = width;
    this.#most = most;
  }

  /** @throws InputError when the sample gets too large */
  add(codes: Codes): void {
    const { rows, width, rowPtr, index, value } = codes;
    if (width !== this.width) throw new RangeError(`codes of width ${width}, expected ${this.width}`);
    this.#byLatent = undefined;
    this.#rowPtr = grown(this.#rowPtr, this.rows + rows + 1);
    let end = this.count;
    const needed = end + rowPtr[rows] - rowPtr[0];
    this.#latent = grown(this.#latent, Math.min(needed, this.#most));
    this.#strength = grown(this.#strength, Math.min(needed, this.#most));
    for (let r = 0; r < rows; r++) {
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
        if (value[e] === 0) continue;
        if (end === this.#most) {
          throw new InputError(
            `more than ${this.#most.toLocaleString('en')} firings in the first ${this.rows + r + 1} rows`,
            { hint: `a sample of fewer rows, say ${Math.max(1, Math.floor((this.rows + r) / 2))}` },
          );
        }
        this.#latent[end] = index[e];
        this.#strength[end++] = Math.abs(value[e]);
      }
      this.#rowPtr[this.rows + r + 1] = end;
    }
    this.rows += rows;
  }

  /** Number of firings. */
  get count(): number {
    return this.#rowPtr[this.rows];
  }

  /** `[rows + 1]`, firings of row r are `rowPtr[r] … rowPtr[r + 1] − 1`. */
  get rowPtr(): Uint32Array {
    return this.#rowPtr.subarray(0, this.rows + 1);
  }

  /** Latent of each firing, row by row. */
  get latent(): Uint32Array {
    return this.#latent.subarray(0, this.count);
  }

  get strength(): Float32Array {
    return this.#strength.subarray(0, this.count);
  }

  get byLatent(): FiringsByLatent {
    return (this.#byLatent ??= new ByLatent(this));
  }

  /** Number of rows in which a latent fired. */
  countOf(latent: number): number {
    const { ptr } = this.byLatent;
    return ptr[latent + 1] - ptr[latent];
  }
}

/** Counting sort; rows stay in order within a latent. */
class ByLatent implements FiringsByLatent {
  readonly ptr: Uint32Array;
  readonly row: Uint32Array;
  readonly #firings: Firings;
  #strength: Float32Array | undefined;

  constructor(firings: Firings) {
    const { width, rows, rowPtr, latent } = firings;
    const ptr = new Uint32Array(width + 1);
    for (const i of latent) ptr[i + 1]++;
    for (let i = 0; i < width; i++) ptr[i + 1] += ptr[i];
    const next = ptr.slice();
    const row = new Uint32Array(latent.length);
    for (let r = 0; r < rows; r++) {
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) row[next[latent[e]]++] = r;
    }
    this.ptr = ptr;
    this.row = row;
    this.#firings = firings;
  }

  get strength(): Float32Array {
    return (this.#strength ??= this.#sortStrengths());
  }

  #sortStrengths(): Float32Array {
    const { latent, strength } = this.#firings;
    const next = this.ptr.slice();
    const sorted = new Float32Array(latent.length);
    for (let e = 0; e < latent.length; e++) sorted[next[latent[e]]++] = strength[e];
    return sorted;
  }
}
