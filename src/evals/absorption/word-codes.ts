/** Words as an SAE sees them: contributions of its latents, and its input. */
import { normalize } from '../../activations/normalization.ts';
import { grown } from '../../core/arrays.ts';
import type { Codes } from '../../core/codes.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import { standardize } from '../../engine/ops/standardize.ts';
import { Tape } from '../../engine/tape.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { EvalContext } from '../context.ts';
import { rowNorms } from '../live-latents.ts';
import type { WordRows } from './word-rows.ts';

export interface WordCodes {
  readonly d: number;
  /** `[rows, width]` activation · ‖decoder row‖, zeros left out. */
  readonly codes: Codes;
  /** `[width, d]` */
  readonly decoder: Float32Array;
  /** `[rows, d]` what the reconstruction is compared with: the normalised activation, standardised where the SAE does that itself. */
  readonly inputs: Float32Array;
}

export async function encodeWords(context: EvalContext, { x, d }: WordRows): Promise<WordCodes> {
  const { device, sae, normalization, batchRows, onProgress } = context;
  const rows = x.length / d;
  const inputs = x.slice();
  normalize(normalization, inputs, d);
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const decoder = await reconstructor.readDictionary();
    const norms = rowNorms(decoder, d);
    const rowPtr = new Uint32Array(rows + 1);
    let index = new Uint32Array(rows);
    let value = new Float32Array(rows);
    let count = 0;
    for (let start = 0; start < rows; start += batchRows) {
      const batch = inputs.subarray(start * d, (start + batchRows) * d);
      const { codes } = await reconstructor.run(batch, []);
      index = grown(index, count + codes.index.length);
      value = grown(value, count + codes.index.length);
      for (let r = 0; r < codes.rows; r++) {
        for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
          if (codes.value[e] === 0) continue;
          index[count] = codes.index[e];
          value[count++] = codes.value[e] * norms[codes.index[e]];
        }
        rowPtr[start + r + 1] = count;
      }
      if (sae.standardizes) await standardizeRows(context, batch);
      onProgress('words encoded', start + codes.rows, rows);
    }
    const codes = { rows, width: sae.width, rowPtr, index, value };
    return { d, codes, decoder, inputs };
  } finally {
    reconstructor.release();
  }
}

/** In place. */
async function standardizeRows({ device, sae }: EvalContext, batch: Float32Array): Promise<void> {
  device.beginStep();
  const x = device.scratch('f32', batch.length / sae.d, sae.d);
  device.write(x, batch);
  const { rows } = standardize(new Tape(device), x);
  batch.set(await device.read(rows as typeof rows & { dtype: 'f32' }));
}

/** Some rows of codes, with the latents of a range that fire in them, renumbered in ascending order. */
export interface CompactCodes {
  readonly codes: Codes;
  /** Latent of each column. */
  readonly latents: readonly number[];
}

export function compact(codes: Codes, rows: readonly number[], { from, to }: LatentRange, scale: number): CompactCodes {
  const isFiring = new Uint8Array(codes.width);
  const rowPtr = new Uint32Array(rows.length + 1);
  rows.forEach((row, r) => {
    rowPtr[r + 1] = rowPtr[r];
    for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++) {
      if (codes.index[e] < from || codes.index[e] >= to) continue;
      isFiring[codes.index[e]] = 1;
      rowPtr[r + 1]++;
    }
  });
  const latents = [...isFiring.keys()].filter((latent) => isFiring[latent]);
  const column = new Int32Array(codes.width);
  latents.forEach((latent, i) => (column[latent] = i));
  const index = new Uint32Array(rowPtr[rows.length]);
  const value = new Float32Array(index.length);
  let at = 0;
  for (const row of rows) {
    for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++) {
      if (codes.index[e] < from || codes.index[e] >= to) continue;
      index[at] = column[codes.index[e]];
      value[at++] = scale * codes.value[e];
    }
  }
  return { latents, codes: { rows: rows.length, width: latents.length, rowPtr, index, value } };
}
