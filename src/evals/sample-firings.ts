/** What one or two SAEs make of the same held-out activations, and the rows of their latents. */
import { normalize } from '../activations/normalization.ts';
import type { ActivationSource } from '../activations/source.ts';
import { InputError } from '../core/errors.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { Firings } from '../forest/firings.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import type { OpenRun } from '../training/runs.ts';
import { HeldOutRows, KeptOrigins } from './held-out-rows.ts';

export interface FiringSample {
  /** One for each run, all of the same rows. */
  readonly firings: readonly Firings[];
  readonly rows: number;
  /** `[rows]` token of each row; undefined where rows come from no text. */
  readonly tokens: Int32Array | undefined;
}

/**
 * @param source of raw activations; every run gets them as it wants them
 * @param most held-out rows at most
 */
export async function sampleFirings(
  device: Device,
  runs: readonly OpenRun[],
  source: ActivationSource,
  most: number,
  batchRows: number,
  onProgress: (done: number, total: number) => void,
): Promise<FiringSample> {
  const kept = new KeptOrigins();
  const held = await HeldOutRows.open(source, { kind: 'none' }, { rows: most, batchRows }, kept.add);
  const firings = runs.map(({ sae }) => new Firings(sae.width));
  const reconstructors: Reconstructor[] = [];
  for (const { sae } of runs) reconstructors.push(await Reconstructor.create(device, sae));
  for await (const { start, rows, raw } of held.batches()) {
    for (const [i, { normalization }] of runs.entries()) {
      const x = raw.slice();
      normalize(normalization, x, held.d);
      firings[i].add((await reconstructors[i].run(x, [])).codes);
    }
    onProgress(start + rows, held.rows);
  }
  for (const reconstructor of reconstructors) reconstructor.release();
  return { firings, rows: held.rows, tokens: held.hasOrigins ? kept.take().tokens : undefined };
}

/** Decoder rows `[F, d]` of all latents. */
export async function dictionaryOf(device: Device, { sae }: OpenRun): Promise<Float32Array> {
  const reconstructor = await Reconstructor.create(device, sae);
  const rows = await reconstructor.readDictionary();
  reconstructor.release();
  return rows;
}

/**
 * Encoder rows `[F, d]` of all latents.
 * @throws InputError where an architecture has no encoder row for every latent
 */
export async function encoderOf(device: Device, { sae, folder }: OpenRun): Promise<Float32Array> {
  const { parameters, width, d, architecture } = sae;
  const encoder = parameters.find(({ name }) => name === 'W_enc')?.tensor;
  if (encoder?.shape.join() !== `${width},${d}`) {
    throw new InputError(`${architecture} has no encoder row W_enc for every latent`, {
      where: folder,
      hint: '--method decoder-cosine',
    });
  }
  return device.read(encoder as Tensor & { dtype: 'f32' });
}
