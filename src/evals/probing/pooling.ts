/** Mean codes and mean activations over the tokens of each item: a text, or a single token. */
import type { Codes } from '../../core/codes.ts';

/** Means of codes; only latents that fired in an item are kept. Items come one after the other, but may span batches. */
export class MeanCodes {
  readonly #width: number;
  readonly #sum: Float64Array;
  readonly #index: Uint32Array[];
  readonly #value: Float32Array[];
  readonly #isTouched: Uint8Array;
  #touched: number[] = [];
  #item = -1;
  #rows = 0;

  constructor(items: number, width: number) {
    this.#width = width;
    this.#sum = new Float64Array(width);
    this.#isTouched = new Uint8Array(width);
    this.#index = Array.from({ length: items }, () => new Uint32Array(0));
    this.#value = Array.from({ length: items }, () => new Float32Array(0));
  }

  /** @param itemOf item of every row; the rows of an item are neighbours */
  add(itemOf: Int32Array, { rows, rowPtr, index, value }: Codes): void {
    for (let r = 0; r < rows; r++) {
      if (itemOf[r] !== this.#item) this.#close(itemOf[r]);
      this.#rows++;
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
        if (value[e] === 0) continue;
        if (this.#isTouched[index[e]] === 0) this.#touched.push(index[e]);
        this.#isTouched[index[e]] = 1;
        this.#sum[index[e]] += value[e];
      }
    }
  }

  #close(next: number): void {
    if (this.#item >= 0) {
      const latents = Uint32Array.from(this.#touched).sort();
      this.#index[this.#item] = latents;
      this.#value[this.#item] = Float32Array.from(latents, (latent) => this.#sum[latent] / this.#rows);
      for (const latent of latents) this.#sum[latent] = this.#isTouched[latent] = 0;
    }
    this.#touched = [];
    this.#item = next;
    this.#rows = 0;
  }

  /** `[items, width]`; nothing can be added afterwards. */
  finish(): Codes {
    this.#close(-1);
    const rowPtr = new Uint32Array(this.#index.length + 1);
    this.#index.forEach(({ length }, item) => (rowPtr[item + 1] = rowPtr[item] + length));
    const index = new Uint32Array(rowPtr[this.#index.length]);
    const value = new Float32Array(index.length);
    this.#index.forEach((latents, item) => {
      index.set(latents, rowPtr[item]);
      value.set(this.#value[item], rowPtr[item]);
    });
    return { rows: this.#index.length, width: this.#width, rowPtr, index, value };
  }
}

/** Means of dense rows. */
export class MeanRows {
  readonly #d: number;
  readonly #sum: Float64Array;
  readonly #rows: Float64Array;

  constructor(items: number, d: number) {
    this.#d = d;
    this.#sum = new Float64Array(items * d);
    this.#rows = new Float64Array(items);
  }

  add(itemOf: Int32Array, rows: Float32Array): void {
    const d = this.#d;
    for (let r = 0; r < itemOf.length; r++) {
      this.#rows[itemOf[r]]++;
      for (let j = 0; j < d; j++) this.#sum[itemOf[r] * d + j] += rows[r * d + j];
    }
  }

  /** `[items, d]`; zeros, like the codes, for an item none of whose tokens count. */
  finish(): Float32Array {
    return Float32Array.from(this.#sum, (sum, at) => sum / Math.max(1, this.#rows[Math.floor(at / this.#d)]));
  }
}
