/** Quick measurements during training, in the space in which the SAE is trained. The evaluation suites are the real ones. */
import { countFired, addFiringCounts } from '../core/codes.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import type { Sae } from '../sae/architecture.ts';
import { Reconstructor } from '../sae/reconstructor.ts';

export interface Validation {
  /** 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over the held-out rows. */
  variance_explained: number;
  /** Mean number of non-zero latents … */
  l0: number;
  /** … and of those that the reconstruction is made of: fewer where levels reconstruct alone. */
  l0_full: number;
  /** Share of latents that never fired on these rows. */
  silent_fraction: number;
  rows: number;
}

/** Encodes the first held-out rows in inference mode. @returns undefined if nothing is held out */
export async function validate(
  device: Device,
  sae: Sae,
  source: ActivationSource,
  rows: number,
  batch: number,
): Promise<Validation | undefined> {
  const { d } = sae;
  const size = Math.min(batch, rows, source.heldOutRows);
  if (size === 0) return undefined;
  const host = new Float32Array(size * d);
  const full = sae.views.find(({ name }) => name === 'full')!;
  const reconstructor = await Reconstructor.create(device, sae);
  const spread = new Spread(d);
  const fired = new Float64Array(sae.width);
  let error = 0;
  let active = 0;
  let reconstructing = 0;
  // Whole batches only: a shape that changes with the data would cost a second set of buffers.
  for (let start = 0; start + size <= Math.min(rows, source.heldOutRows); start += size) {
    await source.heldOut(start, host);
    const { codes, views } = await reconstructor.run(host, [full]);
    error += squaredDistance(host, views[0]);
    spread.add(host);
    active += countFired(codes);
    reconstructing += countFired(codes, full);
    addFiringCounts(codes, fired);
  }
  reconstructor.release();
  return {
    variance_explained: 1 - error / spread.total,
    l0: active / spread.rows,
    l0_full: reconstructing / spread.rows,
    silent_fraction: fired.filter((count) => count === 0).length / sae.width,
    rows: spread.rows,
  };
}

/** Σ‖x − x̄‖² of rows that come in batches. */
export class Spread {
  rows = 0;
  readonly #sums: Float64Array;
  #squares = 0;

  constructor(d: number) {
    this.#sums = new Float64Array(d);
  }

  add(values: Float32Array): void {
    const d = this.#sums.length;
    for (let i = 0, column = 0; i < values.length; i++) {
      this.#sums[column] += values[i];
      this.#squares += values[i] * values[i];
      if (++column === d) column = 0;
    }
    this.rows += values.length / d;
  }

  get total(): number {
    return this.#squares - this.#sums.reduce((sum, s) => sum + s * s, 0) / this.rows;
  }
}

/** ‖a − b‖² over all elements. */
export function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}
